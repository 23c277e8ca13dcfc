"""Plan cycles: the month, quarter or year of a place's plan, and where an organization's months begin."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cachetools import LRUCache

from shared.domain.kernel.histories import MINIMUM_LEAD, Entry, History
from shared.domain.periods.periods import MORE_THAN_A_YEAR, QUARTER, YEAR, Calendar, Period, Span
from shared.domain.pricing.charges.charge import Recurrence
from shared.domain.pricing.cycles import PlaceCycle, PlaceCycles
from shared.domain.pricing.places import Places, Terms
from shared.domain.pricing.plan_intervals import PlanInterval
from shared.domain.tenancy.organizations import Organization
from shared.services.periods.periods import Periods

MAXIMUM_KEPT = 200
"""Histories whose cycles are kept."""
_MONTHS: Mapping[str, int] = {"quarter": QUARTER, "year": YEAR}
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Found:
    history: History[Terms]
    cycles: PlaceCycles


class PlanCycles:
    def __init__(self, periods: Periods) -> None:
        self._periods = periods
        self._found = LRUCache[int, _Found](MAXIMUM_KEPT)
        """By the identity of a history. All of it decides where cycles begin, and it is asked again and again."""

    async def of(
        self, organization: Organization, entries: tuple[Entry[Terms], ...], terms: Terms, moment: datetime
    ) -> Period:
        """The cycle of a plan's interval at a place with these entries; without one yet, the billing period.

        Changes nothing.
        """
        months = _MONTHS.get(terms.interval)
        if months is not None and entries:
            history, span = History[Terms](entries=entries), Span(start=moment, end=moment + _INSTANT)
            cycles = PlaceCycles(history, await self._periods_of(organization, history, span)).within(span, months)
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
            periods = await self._periods_of(organization, history, span)
            return self._of_history(history, periods).within(span, months)
        periods = await self._periods.would_cover(organization, span.start, span.end)
        overlapping = [period for period in periods if period.start < span.end and span.start < period.end]
        return [PlaceCycle(period, period.whole, number=0) for period in overlapping]

    async def anniversaries(
        self, organization: Organization, places: Places, recurrences: Iterable[Recurrence], span: Span
    ) -> list[tuple[datetime, str]]:
        """When a quarter or year followed another one after a span's start and by its end, with its place."""
        lengths = [_MONTHS[recurrence] for recurrence in recurrences if recurrence in _MONTHS]
        if not lengths:
            return []
        up_to_end = Span(start=span.start, end=span.end + _INSTANT)
        at_places = await self.at_places(organization, places, up_to_end)
        found: set[tuple[datetime, str]] = set()
        for place, cycles_at_place in at_places.items():
            for months in lengths:
                starts = {cycle.period.start for cycle in cycles_at_place.within(up_to_end, months) if cycle.number}
                found |= {(start, place) for start in starts if span.start < start}
        return sorted(found)

    async def at_places(self, organization: Organization, places: Places, span: Span) -> dict[str, PlaceCycles]:
        """The cycles of all places, in their order, at least within a span. There has to be one.

        Changes nothing.
        """
        first = min(places.begins_at, span.start)
        periods = await self._periods.would_cover(organization, first, span.end + MORE_THAN_A_YEAR)
        return {place: self._of_history(history, periods) for place, history in sorted(places.fees.items())}

    def _of_history(self, history: History[Terms], periods: Sequence[Period]) -> PlaceCycles:
        """As they were found before, where that was for the same history."""
        found = self._found.get(id(history))
        if found is None or found.history is not history or not found.cycles.go_by(periods):
            found = self._found[id(history)] = _Found(history, PlaceCycles(history, periods))
        return found.cycles

    async def _periods_of(self, organization: Organization, history: History[Terms], span: Span) -> list[Period]:
        """All periods from a history's beginning to more than a year after a span."""
        first = min(span.start, history.entries[0].effective_from)
        return await self._periods.would_cover(organization, first, span.end + MORE_THAN_A_YEAR)

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
        last = await self._periods.would_contain(organization, now + MINIMUM_LEAD - _INSTANT)
        start = max(created[-1].end, last.end)
        begun = calendar == organization.calendars.at(now + MINIMUM_LEAD)
        scheduled = organization.calendars.scheduled(calendar, None if begun else start, now, "/anchor")
        return organization.changed(calendars=scheduled)
