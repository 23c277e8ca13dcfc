"""Periods as they are stored: contiguous, created once, and never computed again."""

from bisect import bisect_right
from datetime import datetime
from typing import Any, ClassVar, Literal

from cachetools import LRUCache
from pydantic import BaseModel, ConfigDict, Field

from shared.containers import INVOICES
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import UnavailableError, ValidationError
from shared.domain.kernel.times import Instant, to_text
from shared.domain.periods.periods import (
    MORE_THAN_A_YEAR,
    Period,
    name_of_month,
    parse_month,
    period_of,
    periods_to_create,
)
from shared.domain.periods.redeemed_spans import RedeemedSpan, redeemed_at
from shared.domain.periods.settlements import POSTPAID, Settlement
from shared.domain.pricing.treatments import Restatement
from shared.domain.tenancy.organizations import Organization
from shared.services.storage import KeptRecords, Operation, Store, Stored, creating, retry_lost_races

MAXIMUM_CACHED = 10_000
MAXIMUM_KEPT = 1000
"""Versions of items that stay as they were read: invoicing an organization reads all of its own several times."""
INDEX = "periods"
"""The id of an organization's index."""
_PERIODS_PER_BATCH = 90


class BillingDocument(BaseModel):
    """A finalized invoice or credit note that bills a period, or what concedes something of it.

    The period lists it until it is cancelled. It names its lines by their hash, so that the period's ETag guards them:
    a read of the document's header may still show a draft.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    type: Literal["invoice", "credit_note", "waiver", "goodwill"]
    """What bills it, or concedes something of it: `waiver` before it is billed, `goodwill` of what was billed."""
    lines_hash: str
    line_count: int


class Drawn(BaseModel):
    """What a wallet paid of a period until its close, or what is left of it.

    It names the amounts by their hash, so that the period's ETag guards them.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    """Counts the draws; the wallet converges on the newest."""
    hash: str


class PeriodItem(Entity):
    """A period with the documents that bill it: the guard of everything that is decided about it."""

    kind: ClassVar[str] = "period"
    audit: ClassVar[Audit] = FOLLOWS

    start: Instant
    end: Instant
    timezone: str
    month_start: Instant | None = None
    """As `Period.month_start`."""
    settled: bool = False
    """True when billed equals due and no later change is known."""
    open_until: Instant | None = None
    """Set when billed equals due, but an advance fee can still change by plan until then. Later invoices compare it
    again; it is no reason for an invoice of its own.
    """
    changes_after_end: int = Field(default=0, alias="movements")
    """How often something changed it after its end."""
    changed_after_end_at: Instant | None = Field(default=None, alias="moved_at")
    """When something last did."""
    documents: tuple[BillingDocument, ...] = ()
    has_commitments: bool = False
    """Whether a yearly commitment ends in it, so that what changes earlier periods of the year changes it, too."""
    settlement: Settlement = POSTPAID
    """How its usage is paid: the organization's settlement in force when it begins."""
    payer_id: str | None = None
    """Whose wallet pays then: who did when it was created, so that no two hosts draw it from two wallets. None in those
    that were created before this was kept.
    """
    tax: Restatement | None = None
    """How it is taxed in place of what was in force; None where that was no mistake."""
    drawn: Drawn | None = None
    """None as long as a wallet still pays, or where none does."""
    redemptions: tuple[str, ...] = ()
    """The ids of the redeemed coupons that lie on it."""

    @property
    def is_drawn_from(self) -> bool:
        """Whether a wallet pays for its usage, and may still do so."""
        return self.settlement.is_prepaid and self.drawn is None

    @property
    def period(self) -> Period:
        return Period(start=self.start, end=self.end, timezone=self.timezone, month_start=self.month_start)

    def redeemed(self, redemptions: tuple[str, ...], now: datetime) -> "PeriodItem":
        """The period with these redemptions: to be billed again."""
        return self.changed(redemptions=redemptions, **self.to_bill_again(now))

    def to_bill_again(self, now: datetime) -> dict[str, Any]:
        """The changes of a period of which something has moved."""
        return {
            "settled": False,
            "open_until": None,
            "changes_after_end": self.changes_after_end + 1,
            "changed_after_end_at": now,
        }


class PeriodIndex(Entity):
    """All periods of an organization in their order. One item, so that no two can overlap."""

    kind: ClassVar[str] = "periods"
    audit: ClassVar[Audit] = FOLLOWS
    periods: tuple[Period, ...]
    redemptions: tuple[RedeemedSpan, ...] = ()
    """The redeemed coupons that lie on periods still to be created."""


def period_id(start: datetime) -> str:
    """The id of the `PeriodItem` that starts then."""
    return f"period:{to_text(start)}"


class Periods:
    def __init__(self, store: Store) -> None:
        self._items = KeptRecords(store, INVOICES, PeriodItem, MAXIMUM_KEPT)
        self._indexes = KeptRecords(store, INVOICES, PeriodIndex, MAXIMUM_KEPT)
        self._created = LRUCache[str, list[Period]](MAXIMUM_CACHED)
        """By organization. What was created never changes, so a remembered index is only ever too short."""
        self._payers = LRUCache[str, str](MAXIMUM_CACHED)
        """Who pays for a period, by organization and start: it never changes."""

    async def cover(self, organization: Organization, start: datetime, end: datetime) -> list[Period]:
        """All periods in their order, after creating those that [start, end) still needs."""
        created = self._created.get(organization.id, [])
        while not _covers(created, start, end):
            created = self._created[organization.id] = await retry_lost_races(
                lambda: self._create(organization, start, end),
                UnavailableError("The periods are being created by many at once"),
            )
        return created

    async def containing(self, organization: Organization, instant: datetime) -> Period:
        """The period of that instant, created where it is not there yet."""
        created = await self.cover(organization, instant, instant)
        return created[bisect_right(created, instant, key=lambda period: period.start) - 1]

    async def first_to_come(self, organization: Organization, now: datetime, until: datetime) -> datetime | None:
        """When the first period after `until` begins that is not created; None where there is no period at all."""
        if not await self.created(organization.id):
            return None
        return (await self.cover(organization, now, until))[-1].end

    async def would_contain(self, organization: Organization, instant: datetime) -> Period:
        """The period of that instant: as created, else as it would be created. Changes nothing."""
        created = await self.created(organization.id)
        period = period_of(instant, [*created, *periods_to_create(created, organization.calendars, instant, instant)])
        if period is None:
            raise UnavailableError("The periods are being created")
        return period

    async def would_cover(self, organization: Organization, start: datetime, end: datetime) -> list[Period]:
        """All periods, from that of `start` at the latest to that of `end`: as created, or as they would be.

        Changes nothing.
        """
        created = await self.created(organization.id)
        new = periods_to_create(created, organization.calendars, start, end)
        return sorted([*created, *new], key=lambda period: period.start)

    async def of_month(
        self, organization: Organization, month: str | None, now: datetime, pointer: str = "?period"
    ) -> Period:
        """The period that contains the month's 15th, or without a month the present one.

        It is as created, or as it would be. Raises `ValidationError` at `pointer`.
        """
        instant = now if month is None else parse_month(month, organization.timezone, pointer)
        try:
            return await self.would_contain(organization, instant)
        except ValidationError as refused:
            raise ValidationError.at(pointer, refused.detail) from None

    async def to_preview(self, organization: Organization, month: str | None, now: datetime) -> Period:
        """The period of the month that is named, or without a month the open one. Changes nothing.

        Raises `ValidationError` at `?period` for a period that has not begun.
        """
        period = await self.of_month(organization, month, now)
        if period.start <= now:
            return period
        open_period = await self.would_contain(organization, now)
        last = name_of_month(open_period) or f"the period from {to_text(open_period.start)} on"
        raise ValidationError.at(
            "?period", f"has not begun yet; {last}, which is open, and earlier ones can be previewed"
        )

    async def latest(self, organization: Organization, now: datetime, at_most: int) -> list[Period]:
        """The open period last and those before it, as created or as they would be. Changes nothing."""
        created = await self.created(organization.id)
        periods = [*created, *periods_to_create(created, organization.calendars, now, now)]
        return [period for period in periods if period.start <= now][-at_most:]

    async def created(self, organization_id: str) -> list[Period]:
        """All periods in their order."""
        index = await self._indexes.find(organization_id, INDEX)
        return [] if index is None else [*index.entity.periods]

    async def _create(self, organization: Organization, start: datetime, end: datetime) -> list[Period]:
        """All periods after one batch of new ones.

        They may not cover all of [start, end) yet.
        """
        index = await self._indexes.find(organization.id, INDEX)
        created = [] if index is None else [*index.entity.periods]
        if _covers(created, start, end):
            return created
        new = _nearest(created, periods_to_create(created, organization.calendars, start, end))[:_PERIODS_PER_BATCH]
        together = sorted([*created, *new], key=lambda period: period.start)
        spans = () if index is None else index.entity.redemptions
        changed = PeriodIndex(id=INDEX, periods=tuple(together), redemptions=spans)
        items = (_item_of(organization, period, redeemed_at(spans, period, together)) for period in new)
        await self._indexes.write(organization.id, index, changed, *map(creating, items))
        return together

    async def item(self, organization_id: str, start: datetime) -> Stored[PeriodItem]:
        """The period that starts then, which must have been created.

        Raises `UnavailableError` where a read does not show it yet.
        """
        return await self._items.get_created(organization_id, period_id(start))

    async def payer_of(self, organization: Organization, period: Period) -> str:
        """Whose wallet pays for a period that was created, whatever the organization's record says by now.

        Raises `UnavailableError` where a read does not show it yet.
        """
        name = f"{organization.id}:{period_id(period.start)}"
        payer = self._payers.get(name)
        if payer is None:
            item = (await self.item(organization.id, period.start)).entity
            payer = self._payers[name] = item.payer_id or organization.payer_at(period.start)
        return payer

    async def replace(
        self, organization_id: str, current: Stored[PeriodItem], changed: PeriodItem, *beside: Operation
    ) -> None:
        """In one batch with what is beside it. Raises `StaleEtagError`."""
        await self._items.write(organization_id, current, changed, *beside)

    async def unsettled(self, organization_id: str, until: datetime, limit: int) -> list[Stored[PeriodItem]]:
        """Periods that ended by then and still may have something to bill, oldest first."""
        ids = [period_id(period.start) for period in await self.created(organization_id) if period.end <= until]
        items = await self._items.get_many(organization_id, ids)
        return [items[id_] for id_ in ids if id_ in items and not items[id_].entity.settled][:limit]

    async def with_commitments_after(self, organization_id: str, start: datetime) -> list[datetime]:
        """When the periods start in which commitments end that the period with this start may count for."""
        until = start + MORE_THAN_A_YEAR
        ids = [period_id(each.start) for each in await self.created(organization_id) if start < each.start < until]
        items = await self._items.get_many(organization_id, ids)
        return sorted(item.entity.start for item in items.values() if item.entity.has_commitments)

    async def changed_after_end(self, organization_id: str, start: datetime, now: datetime) -> None:
        """Note a change of this ended period, so that it is billed again.

        The item is always written: a finalization that has read its facts already must lose its guard.
        """

        async def attempt() -> None:
            current = await self.item(organization_id, start)
            changed = current.entity.changed(**current.entity.to_bill_again(now))
            await self._items.write(organization_id, current, changed)

        await retry_lost_races(attempt, UnavailableError("The period is being changed by many at once"))


def _covers(created: list[Period], start: datetime, end: datetime) -> bool:
    return (
        bool(created)
        and created[0].start <= start
        and (end < created[-1].end or (end == created[-1].end and start < end))
    )


def _nearest(created: list[Period], new: list[Period]) -> list[Period]:
    """The new periods, those next to the created ones first.

    So the index is contiguous after every batch.
    """
    backwards = [period for period in reversed(new) if created and period.end <= created[0].start]
    forwards = [period for period in new if not created or period.start >= created[-1].end]
    return [*backwards, *forwards]


def _item_of(organization: Organization, period: Period, redemptions: tuple[str, ...]) -> PeriodItem:
    return PeriodItem(
        id=period_id(period.start),
        start=period.start,
        end=period.end,
        timezone=period.timezone,
        month_start=period.month_start,
        settlement=organization.settlements.at(period.start) or POSTPAID,
        payer_id=organization.payer_at(period.start),
        redemptions=redemptions,
    )
