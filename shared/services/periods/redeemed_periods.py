"""Which redemptions of coupons lie on which periods: on their items, and for periods to come in their index."""

from collections.abc import Collection, Sequence
from datetime import datetime

from shared.containers import INVOICES
from shared.domain.kernel.errors import ConflictError
from shared.domain.periods.periods import Period
from shared.domain.periods.redeemed_spans import RedeemedSpan, redeemed_at
from shared.domain.tenancy.organizations import Organization
from shared.services.periods.periods import INDEX, PeriodIndex, PeriodItem, Periods, period_id
from shared.services.storage import Operation, Records, Store, Stored, replacing

MAXIMUM_ON_A_PERIOD = 20


class RedeemedPeriods:
    """What is written here is guarded by the index: no period is created meanwhile without its redemptions."""

    def __init__(self, store: Store, periods: Periods) -> None:
        self._periods = periods
        self._items = Records(store, INVOICES, PeriodItem)
        self._indexes = Records(store, INVOICES, PeriodIndex)

    async def index(self, organization_id: str) -> Stored[PeriodIndex]:
        """All periods, created before. Raises `UnavailableError` where they cannot be read yet."""
        return await self._indexes.get_created(organization_id, INDEX)

    async def adding(
        self, organization_id: str, index: Stored[PeriodIndex], span: RedeemedSpan, now: datetime
    ) -> list[Operation]:
        """What lets a redemption lie on its periods: those that are created are billed again.

        Raises `ConflictError` where too many lie on one of them, or on periods to come, already.
        """
        created = index.entity.periods
        going_on = [each for each in index.entity.redemptions if each.reaches_beyond(created)]
        kept = [*going_on, span] if span.reaches_beyond(created) else going_on
        items = await self._created(organization_id, span.among(created))
        if max([len(kept) - 1, *(len(item.entity.redemptions) for item in items)]) >= MAXIMUM_ON_A_PERIOD:
            raise ConflictError(
                f"{MAXIMUM_ON_A_PERIOD} coupons lie on one of the periods already; end one of them first"
            )
        return [
            replacing(index, index.entity.changed(redemptions=tuple(kept))),
            *(
                replacing(item, item.entity.redeemed((*item.entity.redemptions, span.redemption_id), now))
                for item in items
            ),
        ]

    async def removing(
        self,
        organization_id: str,
        index: Stored[PeriodIndex],
        redemption_id: str,
        removed: Sequence[Period],
        now: datetime,
    ) -> list[Operation]:
        """What takes a redemption off these periods, and off all to come."""
        kept = tuple(each for each in index.entity.redemptions if each.redemption_id != redemption_id)
        items = await self._created(organization_id, removed)
        return [
            replacing(index, index.entity.changed(redemptions=kept)),
            *(
                replacing(item, item.entity.redeemed(_without(item.entity.redemptions, redemption_id), now))
                for item in items
            ),
        ]

    async def on(self, organization: Organization, periods: Sequence[Period]) -> dict[datetime, Collection[str]]:
        """The redemptions that will lie on periods that are not created yet, by start."""
        index = await self._indexes.find(organization.id, INDEX)
        if index is None or not index.entity.redemptions or not periods:
            return {}
        last = max(period.start for period in periods)
        foreseen = await self._periods.would_cover(organization, last, last)
        return {period.start: redeemed_at(index.entity.redemptions, period, foreseen) for period in periods}

    async def _created(self, organization_id: str, periods: Sequence[Period]) -> list[Stored[PeriodItem]]:
        return [await self._items.get_created(organization_id, period_id(period.start)) for period in periods]


def _without(redemptions: Sequence[str], redemption_id: str) -> tuple[str, ...]:
    return tuple(each for each in redemptions if each != redemption_id)
