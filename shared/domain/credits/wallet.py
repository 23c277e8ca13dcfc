"""A wallet as one batch sees it: what was read of a payer's partition, and what commands make of it."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

import msgspec

from shared.domain.credits.accounts import Balances, Line, available, posted
from shared.domain.credits.alert import Alert
from shared.domain.credits.budgets import Budget
from shared.domain.credits.counters import Counter
from shared.domain.credits.drawn_periods import DrawnPeriod
from shared.domain.credits.grant_pages import GrantPage, OpenGrants
from shared.domain.credits.head import MAXIMUM_OWING, Cut, DebtPayment, Head, TopUp
from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.credits.members import Member, PayerChangedError
from shared.domain.credits.metered_usage import CountedUsage
from shared.domain.credits.payments import GrantRecord, RefundRecord, TakingsPage
from shared.domain.credits.transfers import Transfer, chained
from shared.domain.kernel.money import ZERO

_TICK = timedelta(microseconds=1)
MAXIMUM_ALERTS = 200
"""Of one batch: all of them are in one entry of the outbox."""
MAXIMUM_DEBT_PAYMENTS = 20
"""How many payments of debt are remembered; older ones are forgotten first."""


@dataclass(slots=True)
class Wallet:
    """Changes stay in memory until the batch with all of them is stored.

    What is not in a mapping does not exist, so whoever loads a wallet loads all that its commands name.
    """

    payer: str
    head: Head = field(default_factory=Head)
    pages: Mapping[str, GrantPage] = field(default_factory=dict)
    """By id; all that the head refers to, as they were read."""
    holds: dict[str, Hold] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    grant_records: dict[str, GrantRecord] = field(default_factory=dict)
    takings_pages: dict[str, TakingsPage] = field(default_factory=dict)
    """By id."""
    refunds: dict[str, RefundRecord] = field(default_factory=dict)
    """By the transfer that was refunded."""
    members: dict[str, Member] = field(default_factory=dict)
    """By organization."""
    drawn_periods: dict[str, DrawnPeriod] = field(default_factory=dict)
    """By id."""
    counted_usage: dict[str, CountedUsage] = field(default_factory=dict)
    """By id."""
    earlier: Mapping[str, Transfer] = field(default_factory=dict)
    """Transfers that commands refer to."""
    budgets: tuple[Budget, ...] = ()
    sign_up_bonus: Decimal = ZERO
    """What the wallet begins with."""
    transfers: list[Transfer] = field(default_factory=list)
    """Those of this batch."""
    cuts: list[Cut] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    """Those that this batch raises."""
    opened_top_ups: list[TopUp] = field(default_factory=list)
    _grants: dict[str, OpenGrants] = field(default_factory=dict)

    def copy(self) -> Self:
        """A copy to try a command on: what is decided on it does not show in the original."""
        tried = copy(self)
        tried.holds, tried.leases, tried.counters = dict(self.holds), dict(self.leases), dict(self.counters)
        tried.grant_records, tried.refunds = dict(self.grant_records), dict(self.refunds)
        tried.drawn_periods, tried.members = dict(self.drawn_periods), dict(self.members)
        tried.counted_usage, tried.takings_pages = dict(self.counted_usage), dict(self.takings_pages)
        tried.transfers, tried.cuts = list(self.transfers), list(self.cuts)
        tried.opened_top_ups, tried.alerts = list(self.opened_top_ups), list(self.alerts)
        tried._grants = {kind: grants.copy() for kind, grants in self._grants.items()}  # noqa: SLF001  of the same class
        return tried

    # Reading

    def balances(self, kind: str) -> Balances:
        return self.head.accounts.get(kind, {})

    def available(self, kind: str) -> Decimal:
        return available(self.balances(kind))

    @property
    def cut_sequence(self) -> int:
        """Of the last transfer before the last cut."""
        return self.cuts[-1].sequence if self.cuts else self.head.cut_sequence

    def grants(self, kind: str) -> OpenGrants:
        """The open grants of a kind, to be read or changed."""
        if kind not in self._grants:
            references = self.head.pages.get(kind, ())
            self._grants[kind] = OpenGrants.of(kind, references, self.pages, self.head.next_page.get(kind, 1))
        return self._grants[kind]

    def changed_pages(self) -> tuple[list[GrantPage], list[str]]:
        """The pages that differ from what was read, and the ids of those that are gone."""
        changed: list[GrantPage] = []
        present: set[str] = set()
        for grants in self._grants.values():
            present |= {page.id for page in grants.pages}
            changed += [page for page in grants.pages if self.pages.get(page.id) is not page]
        gone = [id_ for id_, page in self.pages.items() if page.kind in self._grants and id_ not in present]
        return changed, gone

    def check_member(self, organization_id: str) -> None:
        """Raises `PayerChangedError` for an organization that does not spend from this wallet."""
        member = self.members.get(organization_id)
        if self.has_left(organization_id) or (member is None and organization_id != self.payer):
            raise PayerChangedError(None if member is None else member.since)

    def has_left(self, organization_id: str) -> bool:
        member = self.members.get(organization_id)
        return member is not None and member.state == "left"

    # Changing

    def advance(self, now: datetime) -> datetime:
        """The time of the next transfer: the later of the host's clock and the head's, always after the last one."""
        return max(now, self.head.time + _TICK)

    def record(self, transfer: Transfer) -> Transfer:
        """Put a transfer at the end of the chain, and post its lines. Raises `UnbalancedError`."""
        accounts = posted(self.head.accounts, transfer.lines)
        after = {kind: available(balances) for kind, balances in accounts.items()}
        transfer = msgspec.structs.replace(transfer, available_after=after)
        placed = chained(transfer, self.head.sequence + 1, self.head.hash)
        self.transfers.append(placed)
        self.head = msgspec.structs.replace(
            self.head,
            sequence=placed.sequence,
            hash=placed.hash,
            time=placed.time,
            accounts=accounts,
        )
        return placed

    def raise_alert(self, alert: Alert) -> bool:
        """Whether the batch has room for it: if not, it is still to be raised."""
        has_room = len(self.alerts) < MAXIMUM_ALERTS
        if has_room:
            self.alerts.append(alert)
        return has_room

    def post(self, lines: tuple[Line, ...]) -> None:
        """Raises `UnbalancedError`."""
        self.head = msgspec.structs.replace(self.head, accounts=posted(self.head.accounts, lines))

    def note_debt_payments(self, kind: str, payments: tuple[DebtPayment, ...]) -> None:
        debt_payments = {**self.head.debt_payments, kind: payments[-MAXIMUM_DEBT_PAYMENTS:]}
        if not payments:
            del debt_payments[kind]
        self.head = msgspec.structs.replace(self.head, debt_payments=debt_payments)

    def put_budgets(self, budgets: tuple[Budget, ...]) -> None:
        """Replace all budgets."""
        self.budgets = budgets
        self.head = msgspec.structs.replace(self.head, budgets_revision=self.head.budgets_revision + 1)

    def note_owing(self, record: GrantRecord) -> None:
        """Remember, or forget, that what lapses of a grant makes good what its clawback took elsewhere."""
        owing = tuple(id_ for id_ in self.head.owing if id_ != record.id)
        if record.taken_elsewhere and record.terms.expires_at is not None:
            owing = (*owing, record.id)[-MAXIMUM_OWING:]
        self.head = msgspec.structs.replace(self.head, owing=owing)

    def finish(self, above: int = 0) -> None:
        """Bring the head up to what the batch did, before it is stored.

        Its revision rises above what it was, and above that of another wallet which an organization has left.
        """
        pages = dict(self.head.pages)
        next_page = dict(self.head.next_page)
        for kind, grants in self._grants.items():
            pages[kind], next_page[kind] = tuple(grants.references), grants.next_number
            if not grants.references:
                del pages[kind]
        self.head = msgspec.structs.replace(
            self.head,
            revision=max(self.head.revision, above) + 1,
            pages=pages,
            next_page=next_page,
            cuts=self.head.cuts + len(self.cuts),
            cut_sequence=self.cut_sequence,
        )
