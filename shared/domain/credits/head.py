"""The head of a wallet: its balances, where its chain ends, and which grant pages there are.

Every batch writes it under its ETag, so commands of one payer are decided one after the other on all hosts.
"""

from datetime import datetime
from decimal import Decimal

import msgspec

from shared.domain.credits.accounts import DEBT, Balances, balance
from shared.domain.credits.grant_pages import PageReference, page_id
from shared.domain.credits.grants import Part
from shared.domain.credits.transfers import BEFORE_THE_FIRST
from shared.domain.kernel.money import ZERO
from shared.domain.kernel.times import BEGINNING

HEAD_ID = "head"
MAXIMUM_KINDS = 20
MAXIMUM_OWING = 100
"""Grants whose clawbacks took from others; the oldest are forgotten first."""
TRANSFERS_PER_CUT = 1_000_000
"""At most; months with more have several cuts, so that no archived range grows beyond a partition."""


class Cut(msgspec.Struct, frozen=True):
    """The state of the ledger between two transfers: what comes after is verified from here."""

    number: int
    time: datetime
    sequence: int
    """Of the last transfer before it."""
    hash: str
    accounts: dict[str, Balances]

    @property
    def id(self) -> str:
        return cut_id(self.number)


def cut_id(number: int) -> str:
    return f"cut:{number}"


class DebtPayment(msgspec.Struct, frozen=True, array_like=True):
    """What a grant paid of a debt."""

    part: Part
    paid_at: datetime


class TopUp(msgspec.Struct, frozen=True, kw_only=True):
    """A package of credits that a wallet asks to be bought, as its balance is low."""

    id: str
    package: str
    credits: Decimal
    price: Decimal
    currency: str
    month: str
    """The local month to which it counts."""
    opened_at: datetime


class TopUps(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether the next top-up may begin."""

    open: TopUp | None = None
    closed_at: datetime | None = None
    """When the last one ended."""
    month: str = ""
    charged: Decimal = ZERO
    """What the top-ups of that month cost."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """One for each payer, for all kinds of credits."""

    revision: int = 0
    sequence: int = 0
    hash: str = BEFORE_THE_FIRST
    time: datetime = BEGINNING
    """Of the last transfer; it only rises, whatever the clocks of hosts say."""
    accounts: dict[str, Balances] = {}
    pages: dict[str, tuple[PageReference, ...]] = {}
    next_page: dict[str, int] = {}
    """Per kind, the number of the next new page; none is used twice."""
    debt_payments: dict[str, tuple[DebtPayment, ...]] = {}
    """Per kind, which grants paid debt, latest last: what went into debt is returned on their terms."""
    owing: tuple[str, ...] = ()
    """Grants that may still lapse and whose clawbacks took from others: what lapses makes that good first."""
    top_ups: TopUps = TopUps()
    alerted: tuple[str, ...] = ()
    """The thresholds of the balance that were crossed and are not armed again."""
    budgets_revision: int = 0
    cuts: int = 0
    """How many cuts there are."""
    cut_sequence: int = 0
    """Of the last transfer before the last cut."""

    def page_ids(self) -> dict[str, PageReference]:
        return {
            page_id(kind, reference.number): reference
            for kind, references in self.pages.items()
            for reference in references
        }

    def debt_of(self, kind: str) -> Decimal:
        return -balance(self.accounts.get(kind, {}), DEBT)
