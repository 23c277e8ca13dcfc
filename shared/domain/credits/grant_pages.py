"""Open grants in burn order, in pages of a hundred: a command over thousands of them writes few items."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Self

import msgspec

from shared.domain.credits.grants import Grant, Part, Place
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import ZERO

PAGE_SIZE = 100
MAXIMUM_GRANTS = 4_000
"""Open grants of one kind."""


class GrantPage(msgspec.Struct, frozen=True):
    """Neighbours in burn order. It is never empty."""

    kind: str
    number: int
    grants: tuple[Grant, ...]

    @property
    def id(self) -> str:
        return page_id(self.kind, self.number)

    def reference(self) -> "PageReference":
        ends = [grant.terms.expires_at for grant in self.grants if grant.free and grant.terms.expires_at is not None]
        return PageReference(
            self.number,
            fingerprint(msgspec.json.encode(self.grants))[:32],
            len(self.grants),
            sum((grant.free for grant in self.grants), ZERO),
            min(ends, default=None),
            self.grants[0].place,
        )


class PageReference(msgspec.Struct, frozen=True, array_like=True):
    """What the head says of a page: whether it has to be looked at, and whether a read of it is stale."""

    number: int
    digest: str
    """Of its grants: a page with another digest is not the one that the head means."""
    count: int
    free: Decimal
    expires_at: datetime | None
    """When the first of its grants with free credits expires."""
    first: Place


def page_id(kind: str, number: int) -> str:
    return f"p:{kind}:{number}"


@dataclass(frozen=True, slots=True)
class Expired:
    """What became of grants whose time is over."""

    lapsed: list[Part]
    rolled: list[Part]
    """On their new terms."""


@dataclass(slots=True)
class OpenGrants:
    """The open grants of one kind: its pages, changed page by page."""

    kind: str
    pages: list[GrantPage]
    references: list[PageReference]
    """One for each page, in the same order."""
    next_number: int

    @classmethod
    def of(
        cls, kind: str, references: tuple[PageReference, ...], pages: Mapping[str, GrantPage], next_number: int
    ) -> Self:
        ordered = [pages[page_id(kind, reference.number)] for reference in references]
        return cls(kind, ordered, list(references), next_number)

    def copy(self) -> Self:
        return replace(self, pages=list(self.pages), references=list(self.references))

    @property
    def count(self) -> int:
        return sum(reference.count for reference in self.references)

    def __iter__(self) -> Iterator[Grant]:
        for page in self.pages:
            yield from page.grants

    def take(self, amount: Decimal, *, pin: bool, at_most: int | None = None) -> list[Part]:
        """Burn, or pin, free credits in burn order; less where there are not as many.

        After `at_most` grants it ends with the page that it has begun.
        """
        parts: list[Part] = []
        index = 0
        while amount and index < len(self.pages) and (at_most is None or len(parts) < at_most):
            if not self.references[index].free:
                index += 1
                continue
            kept: list[Grant] = []
            for grant in self.pages[index].grants:
                taken = min(grant.free, amount)
                if not taken:
                    kept.append(grant)
                    continue
                amount -= taken
                parts.append(grant.part(taken))
                kept.append(_taken(grant, taken, pin=pin))
            index += self._replace(index, kept)
        return parts

    def find(self, place: Place) -> Grant | None:
        index, position = self._position(place)
        grants = self.pages[index].grants if self.pages else ()
        return grants[position] if position < len(grants) and grants[position].place == place else None

    def put(self, grant: Grant) -> None:
        """Store a new or changed grant at its place. One that is no longer open goes."""
        if not self.pages:
            if grant.is_open:
                self._insert_page(0, (grant,))
            return
        index, position = self._position(grant.place)
        grants = list(self.pages[index].grants)
        if position < len(grants) and grants[position].place == grant.place:
            grants[position] = grant
        elif position == PAGE_SIZE and index == len(self.pages) - 1:
            self._insert_page(index + 1, (grant,))
            return
        else:
            grants.insert(position, grant)
        self._replace(index, grants)

    def add(self, grant: Grant) -> Grant:
        """Store a new grant. Where there are too many it joins the nearest one on equal terms, if there is one.

        The grant that has its credits then.
        """
        near = self._neighbour_on_equal_terms(grant) if self.count >= MAXIMUM_GRANTS else None
        if near is not None:
            grant = msgspec.structs.replace(near, amount=near.amount + grant.amount, free=near.free + grant.free)
        self.put(grant)
        return grant

    def _neighbour_on_equal_terms(self, grant: Grant) -> Grant | None:
        """Grants on equal terms lie beside each other, so the nearest is the one before it or behind it."""
        index, position = self._position(grant.place)
        around = self.pages[index].grants[max(0, position - 1) : position + 1]
        return next((each for each in around if each.terms == grant.terms), None)

    def expire(self, now: datetime, at_most: int | None = None) -> Expired:
        """Take what is free in grants whose time is over. What rolls over stays under its id, at another place.

        What lapses is no longer in its grant then. After `at_most` grants it ends with the page that it has begun.
        """
        parts: list[Part] = []
        rolled: list[Grant] = []
        index = 0
        while index < len(self.pages) and (at_most is None or len(parts) + len(rolled) < at_most):
            expires_at = self.references[index].expires_at
            if expires_at is None or expires_at > now:
                index += 1
                continue
            kept = []
            for grant in self.pages[index].grants:
                if not (grant.free and grant.has_expired(now)):
                    kept.append(grant)
                    continue
                going_on = grant.rolled_over()
                lapsing = grant.free - (going_on.free if going_on is not None else ZERO)
                if going_on is not None:
                    rolled.append(going_on)
                if lapsing:
                    parts.append(grant.part(lapsing))
                kept.append(msgspec.structs.replace(grant, free=ZERO))
            index += self._replace(index, kept)
        for grant in rolled:
            self.put(grant)
        return Expired(parts, [grant.part(grant.free) for grant in rolled])

    def _position(self, place: Place) -> tuple[int, int]:
        """The page where a grant with this place lies or would lie, and its position there."""
        index = max(0, bisect_right([reference.first for reference in self.references], place) - 1)
        grants = self.pages[index].grants if self.pages else ()
        position = bisect_right([grant.place for grant in grants], place)
        if position and grants[position - 1].place == place:
            position -= 1
        return index, position

    def _replace(self, index: int, grants: list[Grant]) -> int:
        """Store a page's grants: in two pages where they are too many, in none where no grant is left.

        A page under half is joined with the next one. How many pages need no further look by who walks through them.
        """
        still_open = tuple(grant for grant in grants if grant.is_open)
        old = self.pages[index]
        if not still_open:
            self._remove_page(index)
            return 0
        if len(still_open) > PAGE_SIZE:
            half = len(still_open) // 2
            self._set_page(index, old.number, still_open[:half])
            self._insert_page(index + 1, still_open[half:])
            return 2
        if len(still_open) * 2 < PAGE_SIZE and index + 1 < len(self.pages):
            following = self.pages[index + 1].grants
            if len(still_open) + len(following) <= PAGE_SIZE:
                self._remove_page(index + 1)
                self._set_page(index, old.number, still_open + following)
                return 0
        self._set_page(index, old.number, still_open)
        return 1

    def _set_page(self, index: int, number: int, grants: tuple[Grant, ...]) -> None:
        page = GrantPage(self.kind, number, grants)
        self.pages[index], self.references[index] = page, page.reference()

    def _insert_page(self, index: int, grants: tuple[Grant, ...]) -> None:
        page = GrantPage(self.kind, self.next_number, grants)
        self.next_number += 1
        self.pages.insert(index, page)
        self.references.insert(index, page.reference())

    def _remove_page(self, index: int) -> None:
        del self.pages[index], self.references[index]


def _taken(grant: Grant, amount: Decimal, *, pin: bool) -> Grant:
    pinned = grant.pinned + amount if pin else grant.pinned
    return msgspec.structs.replace(grant, free=grant.free - amount, pinned=pinned)
