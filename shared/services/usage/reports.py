"""Reports of a period's usage by agent and charge, merged over shards and model versions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.errors import UnavailableError, ValidationError
from shared.domain.kernel.money import plain, truncate
from shared.domain.metering.gauges import Measure
from shared.domain.metering.readings import CountAndSum, Reading, Weighted
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.plan_versions import own_key_of, paid_key_of, prefix_of
from shared.domain.rating.line_segments import segments_with_levels
from shared.domain.rating.plan_readings import by_version
from shared.domain.rating.segments import cut_at_ends, isolated_facts, segments, segments_of_plan_usage
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.ports.usage import Usage, UsageTotal
from shared.services.agents.agents import Agents
from shared.services.storage import Store
from shared.services.tenancy.allocation_targets import AllocationTargets
from shared.services.usage.metered_versions import MeteredVersions


@dataclass(frozen=True, slots=True)
class UsageReportRow:
    """What one meter of one agent counted."""

    agent_id: str
    charge: str | None
    """The charge's key; None for usage without a billing model, or of a type that no charge of the model meters."""
    event_type: str
    aggregation: str
    quantity: str
    """After the unit conversion, truncated to 12 decimal places."""


@dataclass(frozen=True, slots=True, order=True)
class _RowKey:
    agent_id: str
    charge: str
    """Of a plan with its billing model, so that two plans have two rows."""
    event_type: str
    aggregation: str


class UsageReports:
    def __init__(self, store: Store, usage: Usage, agents: Agents, metered_versions: MeteredVersions) -> None:
        self._usage = usage
        self._agents = agents
        self._metered_versions = metered_versions
        self._allocation_targets = AllocationTargets(store)

    async def rows(  # noqa: PLR0913  the filters of the report
        self,
        organization: Organization,
        period: Period,
        *,
        agent: str | None,
        charge: str | None,
        project: str | None,
        department: str | None,
    ) -> list[UsageReportRow]:
        """Ordered by agent and charge; None is any. `agent` is an id or an external id.

        A project or department has the agents that are in it now, with all that they did in the period. Raises
        `UnavailableError`, and `ValidationError` for a filter that names nothing there is.
        """
        agents = await self._agents.all(organization.id)
        await self._check_known(organization.id, agents, agent=agent, project=project, department=department)
        wanted = {
            known.id
            for known in agents
            if agent in (None, known.id, known.external_id)
            and known.is_in(project_id=project, department_id=department)
        }
        totals = await self._usage.totals(organization.id, organization.largest_shard_count, period.start)
        totals = [total for total in totals if total.key.agent_id in wanted]
        readings: dict[_RowKey, tuple[Measure | None, Reading]] = {}
        for total in totals:
            version = await self._metered_versions.of(organization.id, total.key.agent_id, total.key.version_id)
            for key, measure, reading in _readings(total, version):
                before = readings.get(key)
                readings[key] = (measure, reading if before is None else before[1].merge(reading))
        levels = await self._levels(organization, period, agents, totals)
        readings |= {key: level for key, level in levels.items() if key in readings}
        rows = [
            UsageReportRow(
                key.agent_id,
                own_key_of(key.charge) or None,
                key.event_type,
                key.aggregation,
                _quantity(measure, reading, period.whole.span),
            )
            for key, (measure, reading) in sorted(readings.items(), key=lambda row: row[0])
            if charge is None or own_key_of(key.charge) == charge
        ]
        if (
            not rows
            and charge is not None
            and not await self._metered_versions.have_charge(organization.id, agents, charge)
        ):
            raise ValidationError.at("?charge", "no billing model of the organization's agents has such a charge")
        return rows

    async def _levels(
        self, organization: Organization, period: Period, agents: Sequence[Agent], totals: Sequence[UsageTotal]
    ) -> dict[_RowKey, tuple[Measure, Reading]]:
        """What levels come to where they end when their agent leaves the billing model, as in bills.

        Raises `UnavailableError`.
        """
        levelled = [total for total in totals if _has_level(total)]
        with_levels = {(total.key.agent_id, total.key.version_id): total.totals for total in levelled}
        agent_ids = {agent_id for agent_id, _ in with_levels}
        metered = [agent for agent in agents if agent.id in agent_ids]
        models = await self._metered_versions.histories(organization.id, metered)
        plans = await self._metered_versions.plans(organization.id, (version_id for _, version_id in with_levels))
        histories = [(agent.id, agent.models) for agent in metered]
        priced = cut_at_ends(
            [
                *segments(period, histories, models),
                *segments_of_plan_usage(period, plans.terms, plans.versions, histories),
            ],
            {agent.id: agent.ended_at for agent in metered},
            organization.ended_at,
        )
        try:
            read = by_version(with_levels, plans.versions)
        except KeyError as error:
            raise UnavailableError("A plan that usage was metered under cannot be read yet") from error
        if read.keys() - {(segment.agent_id, segment.version.id) for segment in priced}:
            raise UnavailableError("An agent or a version of its billing model cannot be read yet")
        of_plans = {version.model_id for version in plans.versions.values()}
        levels: dict[_RowKey, tuple[Measure, Reading]] = {}
        for line, segment in segments_with_levels(isolated_facts(period, organization.currency, priced, read)):
            prefix = prefix_of(line.model_id) if line.model_id in of_plans else ""
            for name, measure in segment.charge.meters.items():
                key = _row_key(segment.agent_id, prefix + segment.charge.key, measure)
                before, reading = levels.get(key), segment.readings[name]
                levels[key] = (measure, reading if before is None else before[1].merge(reading))
        return levels

    async def _check_known(
        self,
        organization_id: str,
        agents: Sequence[Agent],
        *,
        agent: str | None,
        project: str | None,
        department: str | None,
    ) -> None:
        """Raises `ValidationError`. A project or department that is gone is known as long as an agent names it."""
        if agent is not None:
            await self._agents.named(organization_id, agent, "?agent")
        if not any(known.is_in(project_id=project) for known in agents):
            await self._allocation_targets.check_known_project(organization_id, project, "?project")
        if not any(known.is_in(department_id=department) for known in agents):
            await self._allocation_targets.check_known_department(organization_id, department, "?department")


def _readings(total: UsageTotal, version: Version | None) -> Iterator[tuple[_RowKey, Measure | None, Reading]]:
    agent_id = total.key.agent_id
    charges = {} if version is None else {name: charge for charge in version.charges for name in charge.gauges}
    for name in total.totals.charged():
        reading = total.totals.reading(name)
        if reading is None:
            continue
        if name not in charges:
            yield _RowKey(agent_id, "", name, "sum"), None, reading
        elif name in charges[name].meters:
            measure = charges[name].meters[name]
            yield _row_key(agent_id, charges[name].key, measure), measure, reading
    for event_type, count in total.totals.unmatched().items():
        if not count:  # all of them match a charge by now
            continue
        yield _RowKey(agent_id, "", event_type, "count"), None, CountAndSum(count, Decimal(count))


def _row_key(agent_id: str, charge_key: str, measure: Measure) -> _RowKey:
    return _RowKey(agent_id, paid_key_of(charge_key), measure.event_type, measure.aggregation)


def _has_level(total: UsageTotal) -> bool:
    return any(isinstance(total.totals.reading(name), Weighted) for name in total.totals.meters())


def _quantity(measure: Measure | None, reading: Reading, span: Span) -> str:
    if measure is not None:
        return plain(truncate(measure.quantity(reading, span)))
    return plain(truncate(Fraction(reading.sum))) if isinstance(reading, CountAndSum) else "0"
