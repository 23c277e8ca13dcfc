"""Calculation: what estimated usage would cost. It is rated like metered usage, so both cost the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.money import (
    ExactDecimal,
    NonNegativeAmount,
    NonNegativeQuantity,
    RoundedAmount,
    round_half_up,
    total,
)
from shared.domain.kernel.pauses import pause_if_over
from shared.domain.kernel.times import BEGINNING
from shared.domain.kernel.validation import Length
from shared.domain.kernel.value import Value
from shared.domain.metering.readings import Reading, merge_all
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import isolated_facts
from shared.domain.usage.events import POOLED

MAXIMUM_VALUES = 10_000
"""Of all entries together."""
MAXIMUM_WORKFLOWS = 100
MAXIMUM_LENGTH = timedelta(days=367)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
MAXIMUM_STEPS = 3_000
"""Of all lines together: bounds the work of one request to a fraction of a second."""
STEPS_OF_LINE = 10
"""A line takes as long as so many steps, beside its own."""
DRAFT = "draft"
"""The id of a billing model that is not saved."""


def _not_pooled(agent: str) -> str:
    if agent == POOLED:
        raise ValueError("stands for all agents, so it is not the name of one")
    return agent


class UsageEntry(Value):
    """Estimated usage of one charge, by one agent or by all."""

    charge: str = Field(max_length=64)
    """The charge's key."""
    agent: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_not_pooled)] | None = None
    """Any name for the agent whose usage it is; null where it is not attributed."""
    quantity: NonNegativeQuantity | None = None
    """What the meter comes to, after its unit conversion; beside `value` the number of events."""
    value: NonNegativeAmount | None = None
    """The sum of the events' values, where their order does not matter to the price."""
    values: Annotated[tuple[NonNegativeAmount, ...], Length(0, MAXIMUM_VALUES)] | None = None
    """The value of each event, in their order: of outcomes, percentages and dynamic prices."""
    workflows: Annotated[dict[str, NonNegativeQuantity], Length(0, MAXIMUM_WORKFLOWS)] | None = None
    """The number of workflows of each type."""
    agents: NonNegativeQuantity | None = None
    """The number of agents whose usage it is together."""

    def estimate(self, index: int) -> Estimate:
        """The entry without its agent; `index` is its place in the request."""
        return Estimate(
            index=index,
            charge=self.charge,
            quantity=self.quantity,
            value=self.value,
            values=self.values,
            workflows=self.workflows,
            agents=None if self.agents is None else Fraction(self.agents),
        )


class ModelSketch(BillingModelDraft):
    """A billing model to calculate with; it is never saved and needs no name."""

    SAVED: ClassVar[bool] = False

    name: str = Field(default="", max_length=200)

    def version(self) -> Version:
        return Version(id=DRAFT, model_id=DRAFT, number=1, effective_from=BEGINNING, charges=self.charges)


class Calculation(Value):
    """What estimated usage would cost."""

    currency: str
    lines: tuple[Line, ...]
    exact_total: ExactDecimal
    """The sum of the lines' exact amounts."""
    total: RoundedAmount
    """The sum of the lines' rounded amounts."""


def calculate(
    version: Version, currency: str, usage: Sequence[UsageEntry], period: Span, only: Sequence[str] | None = None
) -> Calculation:
    """What this usage of a version would cost in a whole period, in `currency`.

    A charge without an entry has a quantity of 0; with `only`, all other charges are left out. The agents are those
    that the usage names, or one without a name. Usage of a charge per agent that is not attributed is priced as one
    agent's, but its fees per agent are due as often as there are agents.

    Raises `ValidationError` at the entry, the name in `only`, or the period that is wrong.
    """
    _refuse_unknown_charges(version, usage, only)
    _refuse_period(period)
    agents = sorted({entry.agent for entry in usage if entry.agent is not None})
    charges = [charge for charge in version.charges if only is None or charge.key in only]
    _refuse_too_much_work(charges, agents, usage)
    lines = [
        line
        for charge in charges
        for line in _lines(charge, version, currency, _charge_usage(charge, usage, agents), period)
    ]
    return Calculation(
        currency=currency,
        lines=tuple(sorted(lines, key=lambda line: line.key)),
        exact_total=total(line.exact_amount for line in lines),
        total=round_half_up(total(line.amount for line in lines), currency),
    )


@dataclass(frozen=True, slots=True)
class _ChargeUsage:
    """The estimates of one charge by agent, and how many agents each stands for."""

    estimates: Mapping[str, Sequence[Estimate]]
    agents: Mapping[str, Fraction]


class _EstimatedReadings:
    """The readings of one agent that its estimates come to."""

    def __init__(self, charge: Charge, estimates: Iterable[Estimate], span: Span) -> None:
        readings: dict[str, list[Reading]] = {}
        for estimate in estimates:
            for name, reading in charge.estimated_readings(estimate, span).items():
                readings.setdefault(name, []).append(reading)
        self._readings = {name: merge_all(of_name) for name, of_name in readings.items()}

    def meters(self) -> list[str]:
        return list(self._readings)

    def reading(self, name: str) -> Reading | None:
        return self._readings.get(name)


def _lines(charge: Charge, version: Version, currency: str, usage: _ChargeUsage, span: Span) -> list[Line]:
    """The lines of one charge, rated as if it were the version's only one."""
    pause_if_over()
    estimates = [estimate for of_agent in usage.estimates.values() for estimate in of_agent]
    charge = charge.with_estimates(estimates, sum(usage.agents.values(), Fraction(0)))
    alone = version.model_copy(update={"charges": (charge,)})
    period = Period(start=span.start, end=span.end, timezone="UTC")
    segments = [Segment(agent, alone, span.start, span.end, number) for agent, number in usage.agents.items()]
    totals = {
        (agent, alone.id): _EstimatedReadings(charge, of_agent, span) for agent, of_agent in usage.estimates.items()
    }
    return rate(isolated_facts(period, currency, segments, totals))


def _charge_usage(charge: Charge, usage: Sequence[UsageEntry], agents: Sequence[str]) -> _ChargeUsage:
    """Attribute the estimates of a charge to agents.

    `agents` are all that the whole usage names.
    """
    entries = [(entry.agent, entry.estimate(index)) for index, entry in enumerate(usage) if entry.charge == charge.key]
    number = _number_of_agents(charge, entries)
    attributed = list(dict.fromkeys(agent for agent, _ in entries if agent is not None))
    if charge.scope == "agent" and attributed:
        _refuse_unattributed(entries)
    elif charge.scope == "agent" and (not agents or (entries and (len(agents) > 1 or number is not None))):
        alike = Fraction(max(1, len(agents))) if number is None else number
        return _ChargeUsage({POOLED: [estimate for _, estimate in entries]}, {POOLED: alike})
    return _attributed_usage(entries, _counted_agents(agents, attributed, number))


def _counted_agents(agents: Sequence[str], attributed: Sequence[str], number: Fraction | None) -> dict[str, Fraction]:
    """The agents to calculate with, and how many agents each stands for.

    Of `number` agents, those without usage of their own stand together as one.
    """
    if number is None:
        return dict.fromkeys(agents or [POOLED], Fraction(1))
    counted = dict.fromkeys(attributed, Fraction(1))
    if number > len(attributed) or not attributed:
        counted[POOLED] = number - len(attributed)
    return counted


def _attributed_usage(entries: Iterable[tuple[str | None, Estimate]], agents: Mapping[str, Fraction]) -> _ChargeUsage:
    """Each agent with its estimates; the first agent also has those without an agent."""
    first = next(iter(agents))
    estimates: dict[str, list[Estimate]] = {}
    for agent, estimate in entries:
        estimates.setdefault(first if agent is None else agent, []).append(estimate)
    return _ChargeUsage(estimates, agents)


def _number_of_agents(charge: Charge, entries: Sequence[tuple[str | None, Estimate]]) -> Fraction | None:
    """The number of agents that the entries of a charge give, if any.

    Raises `ValidationError` where entries differ, or name more agents.
    """
    numbers = [
        (estimate, number) for _, estimate in entries if (number := charge.estimated_agents(estimate)) is not None
    ]
    if not numbers:
        return None
    for estimate, number in numbers:
        if number != numbers[0][1]:
            raise estimate.refused(_number_field(estimate), "is not what another entry of this charge says")
    estimate, number = numbers[0]
    attributed = {agent for agent, _ in entries if agent is not None}
    if number < len(attributed):
        detail = f"is less than the {len(attributed)} agents that the usage names"
        raise estimate.refused(_number_field(estimate), detail)
    return number


def _number_field(estimate: Estimate) -> str:
    return "quantity" if estimate.agents is None else "agents"


def _refuse_unknown_charges(version: Version, usage: Sequence[UsageEntry], only: Sequence[str] | None) -> None:
    keys = {charge.key for charge in version.charges}
    named = [(f"/usage/{index}/charge", entry.charge) for index, entry in enumerate(usage)]
    named += [(f"/only/{index}", key) for index, key in enumerate(only or ())]
    errors = tuple(FieldError(pointer, f"the model has no charge {key}") for pointer, key in named if key not in keys)
    if errors:
        raise ValidationError(errors[0].detail, errors=errors)


def _refuse_period(period: Span) -> None:
    if period.start < EARLIEST:
        raise ValidationError.at("/period/start", f"is before {EARLIEST.year}")
    if period.end > LATEST:
        raise ValidationError.at("/period/end", f"is after {LATEST.year - 1}")
    if period.end - period.start > MAXIMUM_LENGTH:
        raise ValidationError.at("/period/end", f"is more than {MAXIMUM_LENGTH.days} days after the start")


def _refuse_too_much_work(charges: Sequence[Charge], agents: Sequence[str], usage: Sequence[UsageEntry]) -> None:
    steps = sum(STEPS_OF_LINE + charge.expected_steps for charge in charges) * max(1, len(agents))
    if steps > MAXIMUM_STEPS:
        raise ValidationError.at(
            "/usage",
            f"would take {steps} steps, at most {MAXIMUM_STEPS} are calculated at once: name fewer agents here, or the"
            " keys of fewer charges in only, and add up the totals",
        )
    values = sum(len(entry.values or ()) for entry in usage)
    if values > MAXIMUM_VALUES:
        raise ValidationError.at(
            "/usage", f"has {values} values, at most {MAXIMUM_VALUES} are calculated at once: send them in parts"
        )


def _refuse_unattributed(entries: Iterable[tuple[str | None, Estimate]]) -> None:
    for agent, estimate in entries:
        if estimate.agents is not None:
            raise estimate.refused("agents", "is for usage that names no agent: this charge is priced by agent")
        if agent is None:
            raise estimate.refused("agent", "is needed, because other usage of this charge names its agent")
