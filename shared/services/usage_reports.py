"""Usage of a period as people read it: by agent and charge, merged over shards and model versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.agents import Agent
from shared.domain.billing_models import Version
from shared.domain.meters import Measure
from shared.domain.money import cut, plain
from shared.domain.organizations import Organization
from shared.domain.periods import Period, Span
from shared.domain.readings import Reading, Tally
from shared.ports.usage import Usage, UsageTotal
from shared.services.agents import Agents
from shared.services.billing_models import BillingModels


@dataclass(frozen=True, slots=True)
class UsageRow:
    """`charge` is None for what no charge meters: events of an agent without a model, or of a type that its model has
    no price for.
    """

    agent_id: str
    charge: str | None
    event_type: str
    aggregation: str
    quantity: str


@dataclass(frozen=True, slots=True, order=True)
class _Name:
    agent_id: str
    charge: str
    event_type: str
    aggregation: str


class UsageReports:
    def __init__(self, usage: Usage, agents: Agents, billing_models: BillingModels) -> None:
        self._usage = usage
        self._agents = agents
        self._billing_models = billing_models

    async def rows(  # noqa: PLR0913  the filters of the report
        self,
        organization: Organization,
        period: Period,
        *,
        agent: str | None,
        charge: str | None,
        project: str | None,
        department: str | None,
    ) -> list[UsageRow]:
        """Ordered by agent and charge. `agent` is an id or an external id."""
        wanted = {
            each.id: each
            for each in await self._agents.all(organization.id)
            if _matches(each, agent=agent, project=project, department=department)
        }
        totals = await self._usage.totals(organization.id, organization.largest_shard_count, period.start)
        readings: dict[_Name, tuple[Measure | None, Reading]] = {}
        for total in totals:
            if total.key.agent_id not in wanted:
                continue
            models = wanted[total.key.agent_id].models
            version = await self._billing_models.version_of(organization.id, models, total.key.version_id)
            for name, measure, reading in _readings(total, version):
                before = readings.get(name)
                readings[name] = (measure, reading if before is None else before[1].merge(reading))
        return [
            UsageRow(
                name.agent_id,
                name.charge or None,
                name.event_type,
                name.aggregation,
                _quantity(measure, reading, period.span),
            )
            for name, (measure, reading) in sorted(readings.items(), key=lambda row: row[0])
            if charge is None or name.charge == charge
        ]


def _matches(candidate: Agent, *, agent: str | None, project: str | None, department: str | None) -> bool:
    return (
        (agent is None or agent in (candidate.id, candidate.external_id))
        and (project is None or project == candidate.project_id)
        and (department is None or department == candidate.department_id)
    )


def _readings(total: UsageTotal, version: Version | None) -> Iterator[tuple[_Name, Measure | None, Reading]]:
    agent_id = total.key.agent_id
    priced = {} if version is None else {name: charge for charge in version.charges for name in charge.gauges}
    for name in total.totals.charged():
        reading = total.totals.reading(name)
        if reading is None:
            continue
        if name not in priced:
            yield _Name(agent_id, "", name, "sum"), None, reading
        elif name in priced[name].meters:
            measure = priced[name].meters[name]
            yield _Name(agent_id, priced[name].key, measure.event_type, measure.aggregation), measure, reading
    for event_type, count in total.totals.unmatched().items():
        yield _Name(agent_id, "", event_type, "count"), None, Tally(count, Decimal(count))


def _quantity(measure: Measure | None, reading: Reading, span: Span) -> str:
    """After the unit conversion, cut to 12 places."""
    if measure is not None:
        return plain(cut(measure.quantity(reading, span)))
    return plain(cut(Fraction(reading.sum))) if isinstance(reading, Tally) else "0"
