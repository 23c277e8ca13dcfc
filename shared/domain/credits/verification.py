"""Proves a ledger: sums, balances, the chain of hashes, and the grant pages against the head."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import Literal

import msgspec

from shared.domain.credits.accounts import FREE, LEASED, RESERVED, Balances, UnbalancedError, available, balance, posted
from shared.domain.credits.grant_pages import GrantPage
from shared.domain.credits.head import Cut, Head
from shared.domain.credits.transfers import BEFORE_THE_FIRST, Transfer
from shared.domain.kernel.money import EXACT, ZERO

ProblemKind = Literal[
    "altered", "missing", "misplaced", "chain_broken", "unbalanced", "head_differs", "cut_differs", "grant_page"
]

MAXIMUM_PROBLEMS = 100


class LedgerProblem(msgspec.Struct, frozen=True):
    """What is wrong with the ledger, and where."""

    sequence: int | None
    transaction_id: str | None
    kind: ProblemKind


@dataclass(slots=True)
class Verification:
    """Takes the transfers of a wallet in the order of their times, then its cuts, pages and head."""

    sequence: int = 0
    hash: str = BEFORE_THE_FIRST
    accounts: dict[str, Balances] = field(default_factory=dict)
    problems: list[LedgerProblem] = field(default_factory=list)
    cuts: dict[int, Cut] = field(default_factory=dict)
    """Cuts to come, by the sequence of the last transfer before them."""

    @classmethod
    def of_all(cls, cuts: Iterable[Cut]) -> "Verification":
        """From the beginning on, with the cuts on the way."""
        return cls(cuts={cut.sequence: cut for cut in cuts})

    @classmethod
    def after(cls, cut: Cut | None) -> "Verification":
        """From a cut on, whose balances are taken as they are; None for the beginning."""
        return cls() if cut is None else cls(cut.sequence, cut.hash, dict(cut.accounts))

    def take(self, transfer: Transfer) -> None:
        expected = self.sequence + 1
        if transfer.sequence > expected:
            self._note(expected, None, "missing")
        elif transfer.sequence < expected:
            self._note(transfer.sequence, transfer.id, "misplaced")
            return
        if transfer.computed_hash() != transfer.hash:
            self._note(transfer.sequence, transfer.id, "altered")
        elif transfer.sequence == expected and transfer.previous_hash != self.hash:
            self._note(transfer.sequence, transfer.id, "chain_broken")
        try:
            with localcontext(EXACT):
                self.accounts = posted(self.accounts, transfer.lines)
        except UnbalancedError:
            self._note(transfer.sequence, transfer.id, "unbalanced")
        if any(available(self.accounts.get(kind, {})) != after for kind, after in transfer.available_after.items()):
            self._note(transfer.sequence, transfer.id, "unbalanced")
        self.sequence, self.hash = transfer.sequence, transfer.hash
        cut = self.cuts.get(self.sequence)
        if cut is not None and (cut.hash != self.hash or _differ(cut.accounts, self.accounts)):
            self._note(cut.sequence, None, "cut_differs")

    def check_head(self, head: Head, pages: Iterable[GrantPage]) -> None:
        """When all transfers up to the head's sequence were taken."""
        if head.sequence > self.sequence:
            self._note(head.sequence, None, "missing")
        elif (head.sequence, head.hash) != (self.sequence, self.hash):
            self._note(head.sequence, None, "head_differs")
        if _differ(head.accounts, self.accounts):
            self._note(head.sequence, None, "head_differs")
        self._check_pages(head, pages)

    def _check_pages(self, head: Head, pages: Iterable[GrantPage]) -> None:
        stored = {page.id: page for page in pages}
        free: dict[str, Decimal] = {}
        set_aside: dict[str, Decimal] = {}
        for id_, reference in head.page_ids().items():
            page = stored.get(id_)
            if page is None or page.reference() != reference:
                self._note(None, id_, "grant_page")
                continue
            for grant in page.grants:
                free[page.kind] = free.get(page.kind, ZERO) + grant.free
                set_aside[page.kind] = set_aside.get(page.kind, ZERO) + grant.pinned
        for kind, balances in head.accounts.items():
            aside = balance(balances, RESERVED) + balance(balances, LEASED)
            if free.get(kind, ZERO) != balance(balances, FREE) or set_aside.get(kind, ZERO) > aside:
                self._note(head.sequence, None, "grant_page")

    def _note(self, sequence: int | None, transaction_id: str | None, kind: ProblemKind) -> None:
        if len(self.problems) < MAXIMUM_PROBLEMS:
            self.problems.append(LedgerProblem(sequence, transaction_id, kind))


def _differ(some: dict[str, Balances], others: dict[str, Balances]) -> bool:
    """Whether any balance differs; an account that is empty may be left out."""
    return any(
        balance(some.get(kind, {}), account) != balance(others.get(kind, {}), account)
        for kind in some.keys() | others.keys()
        for account in some.get(kind, {}).keys() | others.get(kind, {}).keys()
    )
