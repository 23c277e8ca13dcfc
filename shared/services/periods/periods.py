"""Periods as they are laid down: contiguous, once, and never computed again."""

import asyncio
from bisect import bisect_right
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.containers import INVOICES
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import UnavailableError, ValidationError
from shared.domain.kernel.times import Instant, to_text
from shared.domain.periods.periods import Period, parse_month, period_of, periods_to_create
from shared.domain.tenancy.organizations import Organization
from shared.ports.store import AlreadyExistsError, Create, Document, Operation, Replace, StaleEtagError, Store

_INDEX = "periods"
_ATTEMPTS = 20
_PERIODS_PER_BATCH = 90


class BillingDocument(BaseModel):
    """A document that bills lines of a period: a finalized invoice or a correction note, listed until it is cancelled.
    The list names the lines themselves, so that they are under the period's guard: the document's own header may be
    read as it was when it was a draft.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    type: Literal["invoice", "credit_note"]
    lines_hash: str
    line_count: int


class PeriodItem(Entity):
    """A laid period with the documents that bill it: the guard of everything that is decided about it."""

    kind: ClassVar[str] = "period"

    start: Instant
    end: Instant
    timezone: str
    settled: bool = False
    """True when billed equals due and no later change is known."""
    open_until: Instant | None = None
    """Set when billed equals due, but an advance fee can still change by plan until then. Later invoices compare it
    again; it is no reason for an invoice of its own.
    """
    changes_after_end: int = Field(default=0, alias="movements")
    """How often something moved it after its end."""
    changed_after_end_at: Instant | None = Field(default=None, alias="moved_at")
    """When something last did."""
    documents: tuple[BillingDocument, ...] = ()

    @property
    def period(self) -> Period:
        return Period(start=self.start, end=self.end, timezone=self.timezone)


def period_id(start: datetime) -> str:
    return f"period:{to_text(start)}"


class Periods:
    """The index of an organization's periods is one item, replaced with each laying, so that two can never overlap."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._created: dict[str, list[Period]] = {}

    async def cover(self, organization: Organization, start: datetime, end: datetime) -> list[Period]:
        """All laid periods in order, after laying those that [start, end) still needs.

        What was laid never changes, so a remembered index is only ever too short.
        """
        created = self._created.get(organization.id, [])
        if not _covers(created, start, end):
            created = await self._create(organization, start, end)
            self._created[organization.id] = created
        return created

    async def containing(self, organization: Organization, instant: datetime) -> Period:
        created = await self.cover(organization, instant, instant)
        return created[bisect_right(created, instant, key=lambda period: period.start) - 1]

    async def would_contain(self, organization: Organization, instant: datetime) -> Period:
        """The period of that instant: as laid, else as it would be laid. Changes nothing."""
        created = await self.created(organization.id)
        found = period_of(instant, [*created, *periods_to_create(created, organization.calendars, instant, instant)])
        if found is None:
            raise UnavailableError("The periods are being laid")
        return found

    async def of_month(
        self, organization: Organization, month: str | None, now: datetime, pointer: str = "?period"
    ) -> Period:
        """The period that contains the month's 15th, or without one the present; as laid, or as it would be. Raises
        `ValidationError` at `pointer`.
        """
        instant = now if month is None else parse_month(month, organization.timezone, pointer)
        try:
            return await self.would_contain(organization, instant)
        except ValidationError as refused:
            raise ValidationError.at(pointer, refused.detail) from None

    async def latest(self, organization: Organization, now: datetime, at_most: int) -> list[Period]:
        """The open period last and those before it, as laid or as they would be laid. Changes nothing."""
        created = await self.created(organization.id)
        periods = [*created, *periods_to_create(created, organization.calendars, now, now)]
        return [period for period in periods if period.start <= now][-at_most:]

    async def created(self, organization_id: str) -> list[Period]:
        return (await self._read(organization_id))[0]

    async def _create(self, organization: Organization, start: datetime, end: datetime) -> list[Period]:
        for attempt in range(_ATTEMPTS):
            created, etag = await self._read(organization.id)
            if _covers(created, start, end):
                return created
            new = periods_to_create(created, organization.calendars, start, end)
            # Those next to what is laid come first, so that the index is contiguous after every batch.
            backwards = [period for period in reversed(new) if created and period.end <= created[0].start]
            forwards = [period for period in new if not created or period.start >= created[-1].end]
            chosen = [*backwards, *forwards][:_PERIODS_PER_BATCH]
            together = sorted([*created, *chosen], key=lambda period: period.start)
            try:
                await self._store.batch(INVOICES.name, organization.id, _writes(together, chosen, etag))
            except (AlreadyExistsError, StaleEtagError):
                await asyncio.sleep(0.01 * attempt)
        raise UnavailableError("The periods are being laid by many at once")

    async def _read(self, organization_id: str) -> tuple[list[Period], str | None]:
        item = await self._store.get(INVOICES.name, organization_id, _INDEX)
        if item is None:
            return [], None
        return [Period.model_validate(period) for period in item.document["periods"]], item.etag

    async def item(self, organization_id: str, start: datetime) -> tuple[PeriodItem, str]:
        """The period that starts then, with its etag. It must have been laid."""
        found = await self._store.get(INVOICES.name, organization_id, period_id(start))
        if found is None:
            raise UnavailableError("The period was laid a moment ago and cannot be read yet")
        return PeriodItem.read(found.document), found.etag

    async def unsettled(self, organization_id: str, until: datetime, limit: int) -> list[tuple[PeriodItem, str]]:
        """Periods that ended by then and still may have something to bill, oldest first."""
        starts = [period.start for period in await self.created(organization_id) if period.end <= until]
        found: list[tuple[PeriodItem, str]] = []
        for chunk in range(0, len(starts), 1000):
            ids = [period_id(start) for start in starts[chunk : chunk + 1000]]
            items = await self._store.get_many(INVOICES.name, organization_id, ids)
            read = [(PeriodItem.read(items[id].document), items[id].etag) for id in ids if id in items]  # noqa: A001
            found += [(item, etag) for item, etag in read if not item.settled]
        return found[:limit]

    async def changed_after_end(self, organization_id: str, start: datetime, now: datetime) -> None:
        """Something of this ended period changed: its bill must be looked at again.

        The item is always written: a finalization that has read its facts already must lose its guard.
        """
        for _ in range(_ATTEMPTS):
            item, etag = await self.item(organization_id, start)
            changed = item.changed(
                settled=False, open_until=None, changes_after_end=item.changes_after_end + 1, changed_after_end_at=now
            )
            try:
                await self._store.replace(INVOICES.name, organization_id, changed.document(), etag)
            except StaleEtagError:
                continue
            return
        raise UnavailableError("The period is being changed by many at once")


def _covers(created: list[Period], start: datetime, end: datetime) -> bool:
    return (
        bool(created)
        and created[0].start <= start
        and (end < created[-1].end or (end == created[-1].end and start < end))
    )


def _writes(together: list[Period], chosen: list[Period], etag: str | None) -> list[Operation]:
    index: Document = {
        "id": _INDEX,
        "kind": "periods",
        "periods": [period.model_dump(mode="json") for period in together],
    }
    writes: list[Operation] = [Create(index) if etag is None else Replace(index, etag)]
    for period in chosen:
        item = PeriodItem(id=period_id(period.start), start=period.start, end=period.end, timezone=period.timezone)
        writes.append(Create(item.document()))
    return writes
