"""Facts: everything that decides what is due for a period, read together."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import cache

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import BEGINNING
from shared.domain.periods.periods import (
    QUARTER,
    YEAR,
    Period,
    Span,
    cycle_of,
    period_of,
    periods_around,
)
from shared.domain.pricing.billing_models import Version, version_history
from shared.domain.pricing.charges.charge import HeadcountName, Recurrence
from shared.domain.pricing.cycles import PlaceCycle
from shared.domain.pricing.places import Places
from shared.domain.rating.charged_segments import first_days_of_models
from shared.domain.rating.facts import Cycle, Facts, MeterReadings, Segment
from shared.domain.rating.plan_readings import by_version
from shared.domain.rating.segments import (
    cut_at_ends,
    first_starts,
    segments,
    segments_of_place,
    segments_of_places,
    segments_of_plan_agents,
    segments_of_plan_usage,
)
from shared.domain.tenancy.agents import Agent, agents_on_plans
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION, POOLED
from shared.ports.usage import Usage, UsageTotal
from shared.services.access.members import Members
from shared.services.agents.agents import Agents
from shared.services.billing.commitments import with_counted
from shared.services.billing.plan_cycles import PlanCycles
from shared.services.billing.priced_models import PricedModels
from shared.services.periods.periods import Periods
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.places import PlaceHistories
from shared.services.storage import look_twice

_MONTHS_OF_CYCLE: Mapping[Recurrence, int] = {"quarter": QUARTER, "year": YEAR}
_INSTANT = timedelta(microseconds=1)


class _StaleReadError(UnavailableError):
    """An agent, a model or a version that this read does not show yet.

    It is named elsewhere.
    """


class FactsReader:
    def __init__(  # noqa: PLR0913  what it reads facts from
        self,
        agents: Agents,
        billing_models: BillingModels,
        place_histories: PlaceHistories,
        members: Members,
        periods: Periods,
        plan_cycles: PlanCycles,
        usage: Usage,
    ) -> None:
        self._agents = agents
        self._billing_models = billing_models
        self._place_histories = place_histories
        self._members = members
        self._periods = periods
        self._plan_cycles = plan_cycles
        self._usage = usage

    async def of(
        self, organization: Organization, periods: Sequence[Period], places: Places | None = None
    ) -> list[Facts]:
        """The facts of periods that are in order: segments, whether or not there was usage, and totals of all shards.

        With `places`, as if these were the organization's subscriptions.

        Raises `UnavailableError` where the agents or models of that usage cannot be read yet.
        """
        return await self.with_totals(organization, periods, await self.totals(organization, periods), places)

    async def in_advance(
        self, organization: Organization, periods: Sequence[Period], places: Places | None = None
    ) -> list[Facts]:
        """The same as far as charges in advance need it: without usage, and without what commitments count."""
        agreed = await self._place_histories.of(organization.id) if places is None else places
        without_usage: list[Sequence[UsageTotal]] = [() for _ in periods]
        return await look_twice(
            lambda: self._read(organization, periods, without_usage, agreed, with_usage=False),
            errors=(_StaleReadError,),
        )

    async def totals(self, organization: Organization, periods: Sequence[Period]) -> list[list[UsageTotal]]:
        """The usage totals of each period.

        Read before agents and models, so that no usage is seen before its agent and version.
        """
        return [
            await self._usage.totals(organization.id, organization.largest_shard_count, period.start)
            for period in periods
        ]

    async def with_totals(
        self,
        organization: Organization,
        periods: Sequence[Period],
        totals: Sequence[Sequence[UsageTotal]],
        places: Places | None = None,
    ) -> list[Facts]:
        """The same with totals that were read before.

        Agents and models get a second look where the first does not show an agent or version that
        has usage. Raises `UnavailableError` where it is still missing.
        """
        if places is None:
            places = await self._place_histories.of(organization.id)

        async def read(some: Sequence[Period], of_these: Sequence[Sequence[UsageTotal]] | None = None) -> list[Facts]:
            used = await self.totals(organization, some) if of_these is None else of_these
            return await look_twice(lambda: self._read(organization, some, used, places), errors=(_StaleReadError,))

        async def created() -> list[Period]:
            return await self._periods.created(organization.id)

        return [await with_counted(each, created, read) for each in await read(periods, totals)]

    async def _read(
        self,
        organization: Organization,
        periods: Sequence[Period],
        totals: Sequence[Sequence[UsageTotal]],
        places: Places,
        *,
        with_usage: bool = True,
    ) -> list[Facts]:
        """Raises `_StaleReadError`."""
        agents = await self._agents.all(organization.id)
        models = await self._models(organization.id, {model for agent in agents for model in agent.all_model_ids})
        models = models.with_plans(await self._place_histories.prices(places))
        histories = [(agent.id, agent.models) for agent in agents]
        agent_ends = {agent.id: agent.ended_at for agent in agents}

        def segments_of_agents(span: Span) -> list[Segment]:
            return cut_at_ends(segments(span, histories, models.versions), agent_ends, organization.ended_at)

        def segments_in_places(span: Span) -> list[Segment]:
            return segments_of_places(span, places, models.plan_versions, organization.ended_at)

        def segments_in(span: Span) -> list[Segment]:
            of_plans: list[Segment] = []
            if with_usage:
                of_plans += segments_of_plan_usage(span, places.usage, models.plan_versions, histories)
                of_plans += segments_of_plan_agents(span, places, models.plan_versions, agents)
            return [
                *segments_of_agents(span),
                *segments_in_places(span),
                *cut_at_ends(of_plans, agent_ends, organization.ended_at),
            ]

        def segments_at(place: str, span: Span) -> list[Segment]:
            return segments_of_place(place, span, places, models.plan_versions, organization.ended_at)

        cycles = await self._cycles(organization, periods, models.agent_recurrences, segments_of_agents)
        at_places = await self._place_cycles(organization, periods, places, models.recurrences, segments_at)
        starts: Mapping[tuple[str, str], datetime] = {}
        if "once" in models.recurrences:
            starts = _first_starts(segments_of_agents, periods)
            if places.fees:
                starts |= await self._first_days(organization, periods, segments_in_places)
        headcounts = await self._headcounts(organization, models.headcounts, agents)
        names = {**models.names, **{agent.id: agent.name for agent in agents}}
        facts = [
            Facts(
                period=period,
                currency=organization.currency,
                segments=segments_in(period),
                totals=_totals_by_version(period_totals, models.plan_versions),
                first_starts=starts,
                cycles=period_cycles,
                place_cycles=cycles_at_places,
                headcounts=headcounts,
                names=names,
            )
            for period, period_totals, period_cycles, cycles_at_places in zip(
                periods, totals, cycles, at_places, strict=True
            )
        ]
        for facts_of_period in facts:
            _check_consistent(facts_of_period)
        return facts

    async def _models(self, organization_id: str, model_ids: AbstractSet[str]) -> PricedModels:
        versions: dict[str, History[Version]] = {}
        names: dict[str, str] = {}
        for model_id in sorted(model_ids):
            try:
                model, _ = await self._billing_models.visible(organization_id, model_id)
            except NotFoundError as error:
                raise _StaleReadError("A billing model was made a moment ago and cannot be read yet") from error
            versions[model_id] = version_history(await self._billing_models.versions(model))
            names[model_id] = model.name
        charges = [charge for model in versions.values() for entry in model.entries for charge in entry.value.charges]
        return PricedModels(versions, names, charges)

    async def _cycles(
        self,
        organization: Organization,
        periods: Sequence[Period],
        recurrences: AbstractSet[Recurrence],
        segments_in: Callable[[Span], list[Segment]],
    ) -> list[dict[Recurrence, Cycle]]:
        """The quarter and the year of each period, where a charge of agents recurs by them."""
        needed = {recurrence: months for recurrence, months in _MONTHS_OF_CYCLE.items() if recurrence in recurrences}
        if not needed or not periods:
            return [{} for _ in periods]
        all_around = periods_around(periods, await self._periods.created(organization.id), organization.calendars)
        cycles: dict[Period, Cycle] = {}
        cycles_of_periods: list[dict[Recurrence, Cycle]] = []
        for period in periods:
            cycles_of_period: dict[Recurrence, Cycle] = {}
            for recurrence, months in needed.items():
                whole = cycle_of(period, all_around, months)
                if whole not in cycles:
                    closes = _closes(whole, all_around, organization.ended_at)
                    cycles[whole] = Cycle(whole, segments_in(whole), closes)
                cycles_of_period[recurrence] = cycles[whole]
            cycles_of_periods.append(cycles_of_period)
        return cycles_of_periods

    async def _place_cycles(
        self,
        organization: Organization,
        periods: Sequence[Period],
        places: Places,
        recurrences: AbstractSet[Recurrence],
        segments_at: Callable[[str, Span], list[Segment]],
    ) -> list[dict[Recurrence, list[Cycle]]]:
        """The quarters and years of places that each period has a part of, where a charge of plans recurs by them."""
        needed = {recurrence: months for recurrence, months in _MONTHS_OF_CYCLE.items() if recurrence in recurrences}
        if not needed or not periods or not places.fees:
            return [{} for _ in periods]
        span = Span(start=periods[0].start, end=periods[-1].end)
        at_places = await self._plan_cycles.at_places(organization, places, span)

        @cache  # a year is asked for by each of its periods
        def with_segments(place: str, cycle: PlaceCycle) -> Cycle:
            segments_in_cycle = segments_at(place, cycle.period)
            return Cycle(cycle.period, segments_in_cycle, _closes_at(cycle, organization), cycle.uncut)

        return [
            {
                recurrence: [
                    with_segments(place, cycle)
                    for place, cycles in at_places.items()
                    for cycle in cycles.within(period, months)
                ]
                for recurrence, months in needed.items()
            }
            for period in periods
        ]

    async def _first_days(
        self, organization: Organization, periods: Sequence[Period], segments_in_places: Callable[[Span], list[Segment]]
    ) -> dict[tuple[str, str], datetime]:
        """When each plan's billing model first has a day, in any period up to the last of these."""
        if not periods:
            return {}
        created = await self._periods.created(organization.id)
        by_start = {period.start: period for period in [*created, *periods] if period.start <= periods[-1].start}
        in_order = [by_start[start] for start in sorted(by_start)]
        first_days = first_days_of_models((period, segments_in_places(period)) for period in in_order)
        return {(model_id, POOLED): start for model_id, start in first_days.items()}

    async def _headcounts(
        self, organization: Organization, needed: AbstractSet[HeadcountName], agents: Sequence[Agent]
    ) -> dict[HeadcountName, History[int]]:
        headcounts: dict[HeadcountName, History[int]] = {}
        if "agents" in needed:
            headcounts["agents"] = agents_on_plans(agents)
        if "seats" in needed:
            headcounts["seats"] = organization.seats
        if "members" in needed:
            headcounts["members"] = await self._members.member_counts(organization.id)
        return headcounts


def _totals_by_version(
    totals: Sequence[UsageTotal], plan_versions: Mapping[str, Version]
) -> dict[tuple[str, str], MeterReadings]:
    """Raises `_StaleReadError` for usage under a plan that this read does not show."""
    priced: dict[tuple[str, str], MeterReadings] = {
        (total.key.agent_id, total.key.version_id): total.totals
        for total in totals
        if total.key.version_id != NO_VERSION
    }
    try:
        return by_version(priced, plan_versions)
    except KeyError as error:
        raise _StaleReadError("A plan that usage was metered under cannot be read yet") from error


def _check_consistent(facts: Facts) -> None:
    """Raise `_StaleReadError` for usage under a version that never priced its agent.

    By this read, that is.
    """
    priced = {(segment.agent_id, segment.version.id) for segment in facts.segments}
    missing = min(facts.totals.keys() - priced, default=None)
    if missing is not None:
        agent_id, version_id = missing
        raise _StaleReadError(f"The version {version_id} that agent {agent_id} was metered under cannot be read yet")


def _first_starts(
    segments_in: Callable[[Span], list[Segment]], periods: Sequence[Period]
) -> dict[tuple[str, str], datetime]:
    """When each model was first used, for those used by the end of these periods."""
    if not periods:
        return {}
    return first_starts(segments_in(Span(start=BEGINNING, end=periods[-1].end)))


def _closes_at(cycle: PlaceCycle, organization: Organization) -> datetime:
    """When the last day of a place's cycle ends, or the organization."""
    end = cycle.period.end
    return end if organization.ended_at is None else max(min(end, organization.ended_at), cycle.period.start + _INSTANT)


def _closes(cycle: Period, others: Sequence[Period], organization_ends: datetime | None) -> datetime:
    """When the last billed period of a cycle ends: the cycle's last, or the one in which the organization ends."""
    last = None if organization_ends is None else period_of(organization_ends - _INSTANT, others)
    return cycle.end if last is None else min(cycle.end, last.end)
