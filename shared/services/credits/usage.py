"""What credits were spent on: use by use, and summed by day, agent, project, department or action."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from shared.domain.credits.transfers import Transfer, TransferType, UseEntry
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import History
from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.periods.periods import Calendar
from shared.services.credits.paying import Paying
from shared.services.credits.transfer_history import HistoryPage, TransferHistory, position_of
from shared.services.storage import Position
from shared.services.storage.cursors import cursor_to, position_after, shape_of
from shared.services.tenancy.organizations import Organizations

SummaryBy = Literal["day", "agent", "project", "department", "run", "agent_type", "action"]

SPENT: Mapping[TransferType, int] = {"use": 1, "capture": 1, "lease_settlement": 1, "refund": -1}
"""Which transfers are usage, and whether they raise or lower it."""

MAXIMUM_SUMMARIZED = 50_000
"""Transfers that are read for one summary."""
MAXIMUM_GROUPS = 1_000
"""Of one summary; the smaller ones come together as the rest."""
_READ_AT_ONCE = 1_000
_MAXIMUM_READS = 5
"""For one page of uses: where few fit the filter, a page has fewer of them, or none."""


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """None stands for all."""

    organization_id: str
    """Of its own wallet everything counts, of its payers' wallets what it spent there."""
    kind: str
    start: datetime | None = None
    end: datetime | None = None
    agent_id: str | None = None
    project_id: str | None = None
    department_id: str | None = None
    run: str | None = None

    def fits(self, transfer: Transfer, entry: UseEntry) -> bool:
        context = entry.context
        asked = (
            (self.kind, transfer.credit_kind),
            (self.agent_id, context.agent_id),
            (self.project_id, context.project_id),
            (self.department_id, context.department_id),
            (self.run, context.run),
        )
        return all(wanted is None or wanted == present for wanted, present in asked)


@dataclass(frozen=True, slots=True)
class Spent:
    """One use, what of a hold was captured or of a lease reported, or what of any of these was refunded."""

    transfer: Transfer
    entry: UseEntry

    @property
    def amount(self) -> Decimal:
        """Below zero for what came back."""
        return SPENT[self.transfer.type] * self.entry.amount


@dataclass(slots=True)
class Group:
    """The sums of one group: net is spent less refunded."""

    name: str | None
    spent: Decimal = ZERO
    refunded: Decimal = ZERO
    uses: int = 0
    """How many uses, captures and reports of leases."""

    @property
    def net(self) -> Decimal:
        return EXACT.subtract(self.spent, self.refunded)

    def add(self, spent: Spent) -> None:
        if spent.amount < 0:
            self.refunded = EXACT.add(self.refunded, -spent.amount)
        else:
            self.spent = EXACT.add(self.spent, spent.amount)
            self.uses += 1

    def join(self, other: "Group") -> None:
        self.spent, self.refunded = EXACT.add(self.spent, other.spent), EXACT.add(self.refunded, other.refunded)
        self.uses += other.uses


@dataclass(frozen=True, slots=True)
class UsageSummary:
    groups: Sequence[Group]
    rest: Group
    """What is in no group that is listed."""
    total: Group


class CreditUsage:
    def __init__(self, history: TransferHistory, organizations: Organizations, paying: Paying) -> None:
        self._history = history
        self._paying = paying
        self._organizations = organizations

    async def page(self, wanted: UsageFilter, limit: int, cursor: str | None) -> tuple[Sequence[Spent], str | None]:
        """Uses, newest first. The last transfer of a page is never cut, so a list may make it longer by its length.

        Raises `MalformedError` for a cursor of another query.
        """
        shape = shape_of("credit usage", wanted)
        after = None if cursor is None else position_after(cursor, shape)
        wallets = await self._wallets(wanted)
        found: list[Spent] = []
        for _ in range(_MAXIMUM_READS):
            page = await self._read(wallets, wanted, limit, after, descending=True)
            after = page.following
            for transfer in page.transfers:
                found += _spent(transfer, wanted)
                if len(found) >= limit:
                    is_last = transfer is page.transfers[-1]
                    after = after if is_last else position_of(transfer)
                    return found, None if after is None else cursor_to(after, shape)
            if after is None:
                return found, None
        return found, None if after is None else cursor_to(after, shape)

    async def summary(self, wanted: UsageFilter, by: SummaryBy) -> UsageSummary:
        """The groups by day, else the largest first.

        Raises `ValidationError` for a time with more than `MAXIMUM_SUMMARIZED` transfers.
        """
        calendars = (await self._organizations.cached(wanted.organization_id)).calendars
        groups: dict[str | None, Group] = {}
        total, rest = Group(None), Group(None)
        async for transfer in self._all(wanted):
            for spent in _spent(transfer, wanted):
                name = _group_of(spent, by, calendars)
                groups.setdefault(name, Group(name)).add(spent)
                total.add(spent)
        if by == "day":
            ordered = sorted(groups.values(), key=lambda group: group.name or "")
        else:
            ordered = sorted(groups.values(), key=lambda group: (-group.net, group.name or ""))
        for group in ordered[MAXIMUM_GROUPS:]:
            rest.join(group)
        return UsageSummary(ordered[:MAXIMUM_GROUPS], rest, total)

    async def _all(self, wanted: UsageFilter) -> AsyncIterator[Transfer]:
        wallets = await self._wallets(wanted)
        after: Position | None = None
        for _ in range(MAXIMUM_SUMMARIZED // _READ_AT_ONCE):
            page = await self._read(wallets, wanted, _READ_AT_ONCE, after)
            for transfer in page.transfers:
                yield transfer
            after = page.following
            if after is None:
                return
        raise ValidationError.at(
            "?to", f"the time has more than {MAXIMUM_SUMMARIZED} transactions: ask for a shorter one"
        )

    async def _wallets(self, wanted: UsageFilter) -> list[str]:
        """Its own wallet, and those from which it has spent."""
        payers = await self._paying.payers(wanted.organization_id)
        return list(dict.fromkeys((wanted.organization_id, *payers)))

    async def _read(
        self,
        wallets: Sequence[str],
        wanted: UsageFilter,
        limit: int,
        after: Position | None,
        *,
        descending: bool = False,
    ) -> HistoryPage:
        """A page of all these wallets, merged by time: a position means the same in each of them."""
        pages = [
            await self._history.page(
                payer,
                start=wanted.start,
                end=wanted.end,
                descending=descending,
                only_done=True,
                limit=limit,
                after=after,
            )
            for payer in wallets
        ]
        read = [(transfer, payer) for payer, page in zip(wallets, pages, strict=True) for transfer in page.transfers]
        read.sort(key=lambda each: (each[0].time, each[0].id), reverse=descending)
        is_more = len(read) > limit or any(page.following is not None for page in pages)
        following = position_of(read[:limit][-1][0]) if is_more and read else None
        organization_id = wanted.organization_id
        own = [transfer for transfer, payer in read[:limit] if organization_id in (payer, transfer.organization_id)]
        return HistoryPage(own, following)


def _spent(transfer: Transfer, wanted: UsageFilter) -> list[Spent]:
    if transfer.type not in SPENT:
        return []
    return [Spent(transfer, entry) for entry in transfer.entries if wanted.fits(transfer, entry)]


def _group_of(  # noqa: PLR0911  one for each
    spent: Spent, by: SummaryBy, calendars: History[Calendar]
) -> str | None:
    """Its name; None for what was spent for none of them. Days are local, a refund is of the day when it was made."""
    entry, time = spent.entry, spent.transfer.time
    match by:
        case "day":
            timezone = (calendars.at(time) or calendars.first).timezone
            return time.astimezone(ZoneInfo(timezone)).date().isoformat()
        case "agent":
            return entry.context.agent_id
        case "project":
            return entry.context.project_id
        case "department":
            return entry.context.department_id
        case "run":
            return entry.context.run
        case "agent_type":
            return entry.agent_type
        case "action":
            return None if entry.action is None else f"{entry.agent_type}/{entry.action}"
