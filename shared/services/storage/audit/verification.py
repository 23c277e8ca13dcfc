"""Checking a trail: every entry as it was written, in its place, and none missing."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pydantic

from shared.containers import TENANTS
from shared.ports.store import Document, Store, every_item
from shared.services.storage.audit.entries import HEAD, AuditEntry, AuditHead
from shared.services.storage.audit.keys import AuditKeys, same


@dataclass(slots=True)
class Verified:
    """What a trail came to."""

    count: int = 0
    """The entries that are there."""
    hash: str = ""
    """Of the head: who keeps it elsewhere can tell later that nothing up to here has gone."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written."""

    detail: str


@dataclass(frozen=True, slots=True)
class _Link:
    """All that the chain needs of an entry."""

    entry_id: str
    previous: str
    hash: str


@dataclass(slots=True)
class _Chain:
    """The entries in the order of their numbers, although they are read in the order of their times."""

    next_number: int = 1
    hash: str = ""
    early: dict[int, "_Link"] = field(default_factory=dict)
    """Those whose turn has not come. There are few, unless one is missing."""

    def take(self, entry: AuditEntry) -> Iterator[Finding]:
        if entry.number < self.next_number or entry.number in self.early:
            yield Finding(f"{entry.id}: was inserted; its number {entry.number} is that of another entry")
            return
        self.early[entry.number] = _Link(entry.id, entry.previous, entry.hash)
        yield from self._follow()

    def end(self, count: int | None) -> Iterator[Finding]:
        """After the last entry, where the head counts so many; None where that is not known."""
        while self.early:
            first = min(self.early)
            yield _missing(self.next_number, first - 1)
            self.next_number, self.hash = first, self.early[first].previous
            yield from self._follow()
        if count is None:
            return
        if self.next_number <= count:
            yield _missing(self.next_number, count)
        elif self.next_number > count + 1:
            yield Finding(f"{count + 1} to {self.next_number - 1}: are more entries than the head counts")

    def _follow(self) -> Iterator[Finding]:
        while self.next_number in self.early:
            link = self.early.pop(self.next_number)
            if link.previous != self.hash:
                yield Finding(f"{link.entry_id}: does not follow the entry before it, number {self.next_number - 1}")
            self.next_number, self.hash = self.next_number + 1, link.hash


def _missing(first: int, last: int) -> Finding:
    which = f"number {first} is" if first == last else f"numbers {first} to {last} are"
    return Finding(f"{which} missing")


class Verification:
    """Reads a trail page by page. It changes nothing, and needs the vault's key."""

    def __init__(self, store: Store, keys: AuditKeys) -> None:
        self._store = store
        self._keys = keys

    async def findings(self, trail: str, verified: Verified) -> AsyncIterator[Finding]:
        """All that is wrong with a trail, and what it came to. Raises `UnavailableError`."""
        head = await self._head(trail)
        if isinstance(head, Finding):
            yield head
        chain = _Chain()
        async for item in every_item(self._store, TENANTS.name, trail, AuditEntry.kind, order_by="place"):
            verified.count += 1
            entry = await self._checked(trail, item.document)
            if isinstance(entry, Finding):
                yield entry
                continue
            for finding in chain.take(entry):
                yield finding
        for finding in chain.end(None if isinstance(head, Finding) else head.count):
            yield finding
        if isinstance(head, AuditHead):
            verified.hash = head.hash
            if chain.next_number == head.count + 1 and not same(chain.hash, head.hash):
                yield Finding(f"the head of {trail} has another hash than the last entry")

    async def _head(self, trail: str) -> AuditHead | Finding:
        item = await self._store.get(TENANTS.name, trail, HEAD)
        if item is None:
            return AuditHead()
        try:
            head = AuditHead.read(item.document)
        except pydantic.ValidationError:
            return Finding(f"the head of {trail} was altered")
        key = await self._keys.named(head.key_id)
        if key is None or not same(key.mac_of_head(trail, head), head.mac):
            return Finding(f"the head of {trail} was altered")
        return head

    async def _checked(self, trail: str, document: Document) -> AuditEntry | Finding:
        """The entry, where it is as it was written and stands where it was put."""
        entry_id = document["id"]
        try:
            entry = AuditEntry.read(document)
        except pydantic.ValidationError:
            return Finding(f"{entry_id}: was altered")
        key = await self._keys.named(entry.key_id)
        if key is None or entry.trail != trail or not same(key.mac_of(entry), entry.mac):
            return Finding(f"{entry_id}: was altered, or was inserted by somebody without the key")
        if not same(key.hash_of(entry), entry.hash):
            return Finding(f"{entry_id}: is not in the place that it was given; its number or order was altered")
        if document["place"] != entry.document()["place"] or document.keys() != entry.document().keys():
            return Finding(f"{entry_id}: was altered")
        return entry
