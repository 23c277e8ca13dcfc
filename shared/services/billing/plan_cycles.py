"""Plan cycles: the month, quarter or year of a place's plan, and where an organization's months begin."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.kernel.histories import MINIMUM_LEAD, Entry, History
from shared.domain.periods.periods import MORE_THAN_A_YEAR, QUARTER, YEAR, Calendar, Period, Span
from shared.domain.pricing.charges.charge import Recurrence
from shared.domain.pricing.cycles import PlaceCycle, cycles_at
from shared.domain.pricing.places import Places, Terms
from shared.domain.pricing.plan_intervals import PlanInterval
from shared.domain.tenancy.organizations import Organization
from shared.services.periods.periods import Periods

_MONTHS: Mapping[str, int] = {"quarter": QUARTER, "year": YEAR}
_INSTANT = timedelta(microseconds=1)


class PlanCycles:
    def __init__(self, periods: Periods) -> None:
        self._periods = periods

    async def of(
        self, organization: Organization, entries: tuple[Entry[Terms], ...], terms: Terms, moment: datetime
    ) -> Period:
        """The cycle of a plan's interval at a place with these entries; without one yet, the billing period.

        Changes nothing.
        """
        months = _MONTHS.get(terms.interval)
        if months is not None and entries:
            cycles = await self._at(organization, History(entries=entries), months, moment, moment + _INSTANT)
            if cycles:
                return cycles[0].period
        return await self._periods.would_contain(organization, moment)

    async def within(
        self, organization: Organization, history: History[Terms], interval: PlanInterval, span: Span
    ) -> list[PlaceCycle]:
        """The cycles of an interval at a place that a span has a part of, in order; months are billing periods.

        Changes nothing.
        """
        months = _MONTHS.get(interval)
        if months is not None:
            return await self._at(organization, history, months, span.start, span.end)
        periods = await self._periods.would_cover(organization, span.start, span.end)
        overlapping = [period for period in periods if period.start < span.end and span.start < period.end]
        return [PlaceCycle(period, period.whole, number=0) for period in overlapping]

    async def anniversaries(
        self, organization: Organization, places: Places, recurrences: Iterable[Recurrence], span: Span
    ) -> list[tuple[datetime, str]]:
        """When a quarter or year followed another one after a span's start and by its end, with its place."""
        found: set[tuple[datetime, str]] = set()
        for months in (_MONTHS[recurrence] for recurrence in recurrences if recurrence in _MONTHS):
            for place, history in places.fees.items():
                cycles = await self._at(organization, history, months, span.start, span.end + _INSTANT)
                found |= {
                    (cycle.period.start, place) for cycle in cycles if cycle.number and span.start < cycle.period.start
                }
        return sorted(found)

    async def _at(
        self, organization: Organization, history: History[Terms], months: int, start: datetime, end: datetime
    ) -> list[PlaceCycle]:
        first = min(start, history.entries[0].effective_from)
        periods = await self._periods.would_cover(organization, first, end + MORE_THAN_A_YEAR)
        return cycles_at(history, months, periods, Span(start=start, end=end))

    async def with_months_from(self, organization: Organization, moment: datetime, now: datetime) -> Organization:
        """With billing months that begin on the local day of a moment, from the end of what is created on.

        Without any period they always did. Changes nothing that is stored.
        """
        day = moment.astimezone(ZoneInfo(organization.timezone)).day
        calendar = Calendar(timezone=organization.timezone, anchor=day)
        if calendar == organization.calendars.last:
            return organization
        created = await self._periods.created(organization.id)
        if not created:
            return organization.changed(calendars=History[Calendar].starting(calendar))
        start = max(created[-1].end, (await self._periods.would_contain(organization, now + MINIMUM_LEAD)).end)
        begun = calendar == organization.calendars.at(now + MINIMUM_LEAD)
        scheduled = organization.calendars.scheduled(calendar, None if begun else start, now, "/anchor")
        return organization.changed(calendars=scheduled)
