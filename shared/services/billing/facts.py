"""Everything that a period's rating needs, read once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import BEGINNING
from shared.domain.periods.periods import QUARTER, YEAR, Period, Span, around, cycle_of, period_of
from shared.domain.pricing.billing_models import Version, version_history
from shared.domain.pricing.charges.charge import HeadcountName, Recurrence
from shared.domain.rating.rating import Cycle, Facts, Segment, first_starts, segments
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION
from shared.ports.usage import Usage, UsageTotal
from shared.services.access.accounts import Accounts
from shared.services.agents.agents import Agents
from shared.services.periods.periods import Periods
from shared.services.pricing.billing_models import BillingModels
from shared.services.storage.retrying import SECOND_LOOK_SECONDS

_STRETCHES: Mapping[Recurrence, int] = {"quarter": QUARTER, "year": YEAR}
_INSTANT = timedelta(microseconds=1)


class _BehindError(UnavailableError):
    """Something is known of an agent, a model or a version that this read did not show."""


@dataclass(frozen=True, slots=True)
class _Prices:
    """The models of an organization's agents, and what their charges, in whatever version, are about."""

    models: Mapping[str, History[Version]]
    recurrences: AbstractSet[Recurrence]
    headcounts: AbstractSet[HeadcountName]


class FactsReader:
    def __init__(
        self, agents: Agents, billing_models: BillingModels, accounts: Accounts, periods: Periods, usage: Usage
    ) -> None:
        self._agents = agents
        self._billing_models = billing_models
        self._accounts = accounts
        self._periods = periods
        self._usage = usage

    async def of(self, organization: Organization, periods: Sequence[Period]) -> list[Facts]:
        """Of periods in their order: segments under the present histories, whether or not there was usage, with the
        totals of all shards.

        The totals are read before the histories, so that no usage is seen of what the histories do not know yet. Reads
        that lag behind may show it all the same: `with_totals`. Raises `UnavailableError`.
        """
        return await self.with_totals(
            organization,
            periods,
            [
                await self._usage.totals(organization.id, organization.largest_shard_count, period.start)
                for period in periods
            ],
        )

    async def with_totals(
        self, organization: Organization, periods: Sequence[Period], totals: Sequence[Sequence[UsageTotal]]
    ) -> list[Facts]:
        """The same with totals that were read before. Looks twice at agents and models where something that was made a
        moment ago is missing among them. Raises `UnavailableError` where it still is.
        """
        try:
            return await self._look(organization, periods, totals)
        except _BehindError:
            await asyncio.sleep(SECOND_LOOK_SECONDS)
            return await self._look(organization, periods, totals)

    async def _look(
        self, organization: Organization, periods: Sequence[Period], totals: Sequence[Sequence[UsageTotal]]
    ) -> list[Facts]:
        """Raises `_BehindError`."""
        agents = await self._agents.all(organization.id)
        prices = await self._prices(organization.id, {model for agent in agents for model in _models_of(agent.models)})
        histories = [(agent.id, agent.models) for agent in agents]
        ends = {agent.id: agent.ended_at for agent in agents}

        def segments_in(span: Span) -> list[Segment]:
            return _until(segments(span, histories, prices.models), ends, organization.ended_at)

        cycles = await self._cycles(organization, periods, prices.recurrences, segments_in)
        starts = _first_starts(segments_in, periods) if "once" in prices.recurrences else {}
        headcounts = await self._headcounts(organization, prices.headcounts)
        found = [
            Facts(
                period=period,
                currency=organization.currency,
                segments=segments_in(period),
                totals={
                    (total.key.agent_id, total.key.version_id): total.totals
                    for total in read
                    if total.key.version_id != NO_VERSION
                },
                first_starts=starts,
                cycles=own,
                headcounts=headcounts,
            )
            for period, read, own in zip(periods, totals, cycles, strict=True)
        ]
        for facts in found:
            _check_known(facts)
        return found

    async def _prices(self, organization_id: str, model_ids: set[str]) -> _Prices:
        models: dict[str, History[Version]] = {}
        for model_id in sorted(model_ids):
            try:
                model, _ = await self._billing_models.visible(organization_id, model_id)
            except NotFoundError as error:
                raise _BehindError("A billing model was made a moment ago and cannot be read yet") from error
            models[model_id] = version_history(await self._billing_models.versions(model))
        charges = [charge for model in models.values() for entry in model.entries for charge in entry.value.charges]
        return _Prices(
            models,
            {charge.recurrence for charge in charges},
            {charge.headcount for charge in charges if charge.headcount is not None},
        )

    async def _cycles(
        self,
        organization: Organization,
        periods: Sequence[Period],
        recurrences: AbstractSet[Recurrence],
        segments_in: Callable[[Span], list[Segment]],
    ) -> list[dict[Recurrence, Cycle]]:
        """For each period its quarter and year, where a charge recurs by them."""
        wanted = {recurrence: months for recurrence, months in _STRETCHES.items() if recurrence in recurrences}
        if not wanted or not periods:
            return [{} for _ in periods]
        others = around(periods, await self._periods.created(organization.id), organization.calendars)
        made: dict[Period, Cycle] = {}
        found: list[dict[Recurrence, Cycle]] = []
        for period in periods:
            own: dict[Recurrence, Cycle] = {}
            for recurrence, months in wanted.items():
                cycle = cycle_of(period, others, months)
                if cycle not in made:
                    closes = _closes(cycle, others, organization.ended_at)
                    made[cycle] = Cycle(cycle, segments_in(cycle), closes)
                own[recurrence] = made[cycle]
            found.append(own)
        return found

    async def _headcounts(
        self, organization: Organization, wanted: AbstractSet[HeadcountName]
    ) -> dict[HeadcountName, History[int]]:
        headcounts: dict[HeadcountName, History[int]] = {}
        if "seats" in wanted:
            headcounts["seats"] = organization.seats
        if "members" in wanted:
            headcounts["members"] = await self._accounts.member_counts(organization.id)
        return headcounts


def _check_known(facts: Facts) -> None:
    """Raises `_BehindError` for usage of an agent under a version that it has not had, as far as was read."""
    known = {(segment.agent_id, segment.version.id) for segment in facts.segments}
    missing = min(facts.totals.keys() - known, default=None)
    if missing is not None:
        agent_id, version_id = missing
        raise _BehindError(f"The version {version_id} that agent {agent_id} was rated by cannot be read yet")


def _models_of(history: History[str | None]) -> set[str]:
    return {entry.value for entry in history.entries if entry.value is not None}


def _first_starts(
    segments_in: Callable[[Span], list[Segment]], periods: Sequence[Period]
) -> dict[tuple[str, str], datetime]:
    """Of the models that were used by the end of these periods."""
    if not periods:
        return {}
    return first_starts(segments_in(Span(start=BEGINNING, end=periods[-1].end)))


def _closes(cycle: Period, others: Sequence[Period], organization_ends: datetime | None) -> datetime:
    """When the last period ends that is billed: the stretch's last, or the last one that the organization saw."""
    last = None if organization_ends is None else period_of(organization_ends - _INSTANT, others)
    return cycle.end if last is None else min(cycle.end, last.end)


def _until(
    found: list[Segment], agents_end: Mapping[str, datetime | None], organization_ends: datetime | None
) -> list[Segment]:
    """Nothing becomes due after an agent's end or the organization's."""
    cut: list[Segment] = []
    for segment in found:
        ends = (segment.end, agents_end[segment.agent_id], organization_ends)
        end = min(end for end in ends if end is not None)
        if segment.start < end:
            cut.append(replace(segment, end=end))
    return cut
