"""What stated usage would cost: the same rating, over facts made from what the meters would have come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.money import (
    ExactDecimal,
    NonNegativeAmount,
    NonNegativeQuantity,
    RoundedAmount,
    round_half_up,
    total,
)
from shared.domain.kernel.times import BEGINNING
from shared.domain.kernel.validation import Length
from shared.domain.metering.readings import Reading, together
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.lines import Line
from shared.domain.rating.rating import POOLED, Cycle, Facts, Segment, first_starts, rate

MAXIMUM_VALUES = 10_000
MAXIMUM_WORKFLOWS = 100
MAXIMUM_LENGTH = timedelta(days=367)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
MAXIMUM_PRICED = 10_000
"""Meters and steps times agents: what one request may keep the process busy with."""
DRAFT = "draft"
"""Stands for the id of a model that is not saved."""


def _not_pooled(agent: str) -> str:
    if agent == POOLED:
        raise ValueError("stands for all agents, so it is not the name of one")
    return agent


class UsageEntry(BaseModel):
    """What the meter of a charge would have come to, after its unit conversion; of one agent, or of `agents` together.

    For outcomes, percentages and dynamic prices `values` in the order of the events, or where their order does not
    matter `value`, which is their sum, with `quantity`, how many there are. For workflows how many of each type; for
    agents and seats their number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge: str = Field(max_length=64)
    agent: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_not_pooled)] | None = None
    quantity: NonNegativeQuantity | None = None
    value: NonNegativeAmount | None = None
    values: Annotated[tuple[NonNegativeAmount, ...], Length(0, MAXIMUM_VALUES)] | None = None
    workflows: Annotated[dict[str, NonNegativeQuantity], Field(max_length=MAXIMUM_WORKFLOWS)] | None = None
    agents: NonNegativeQuantity | None = None

    def estimated(self, index: int) -> Estimate:
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
    """A billing model that is calculated with and never saved, so it needs no name."""

    SAVED: ClassVar[bool] = False

    name: str = Field(default="", max_length=200)

    def version(self) -> Version:
        return Version(id=DRAFT, model_id=DRAFT, number=1, effective_from=BEGINNING, charges=self.charges)


class Calculation(BaseModel):
    """`total` is the sum of the lines' rounded amounts, `exact_total` that of their exact ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str
    lines: tuple[Line, ...]
    exact_total: ExactDecimal
    total: RoundedAmount


def calculate(
    version: Version, currency: str, usage: Sequence[UsageEntry], period: Span, only: Sequence[str] | None = None
) -> Calculation:
    """The lines of a version for a whole period with this usage. A charge that no entry names has a quantity of 0;
    with `only`, the other charges are left out.

    The agents are those that the usage names, or one without a name. Usage without an agent, of a charge that is
    priced by agent, is priced as if all of it were one agent's, but fees per agent are due as often as there are
    agents.

    Raises `ValidationError` naming the entry, the place in `only`, or the period.
    """
    _refuse_unknown(version, usage, only)
    _refuse_beyond(period)
    named = sorted({entry.agent for entry in usage if entry.agent is not None})
    wanted = [charge for charge in version.charges if only is None or charge.key in only]
    steps = sum(charge.expected_steps for charge in wanted)
    if steps * len(named) > MAXIMUM_PRICED:
        raise ValidationError.at(
            "/usage", f"{steps} meters and steps times {len(named)} agents are more than {MAXIMUM_PRICED}: name fewer"
        )
    lines = [
        line
        for charge in wanted
        for line in _lines_of(charge, version, currency, _usage_of(charge, usage, named), period)
    ]
    return Calculation(
        currency=currency,
        lines=tuple(sorted(lines, key=lambda line: line.key)),
        exact_total=total(line.exact_amount for line in lines),
        total=round_half_up(total(line.amount for line in lines), currency),
    )


@dataclass(frozen=True, slots=True)
class _Usage:
    """The usage of one charge by agent, and how many agents each of them stands for."""

    by_agent: Mapping[str, Sequence[Estimate]]
    agents: Mapping[str, Fraction]


class _EstimatedReadings:
    """Readings that come to what is stated."""

    def __init__(self, charge: Charge, estimate: Iterable[Estimate], span: Span) -> None:
        found: dict[str, list[Reading]] = {}
        for each in estimate:
            for name, reading in charge.estimated_readings(each, span).items():
                found.setdefault(name, []).append(reading)
        self._readings = {name: together(readings) for name, readings in found.items()}

    def meters(self) -> list[str]:
        return list(self._readings)

    def reading(self, name: str) -> Reading | None:
        return self._readings.get(name)


def _lines_of(charge: Charge, version: Version, currency: str, usage: _Usage, span: Span) -> list[Line]:
    estimate = [each for own in usage.by_agent.values() for each in own]
    charge = charge.with_estimate(estimate, sum(usage.agents.values(), Fraction(0)))
    alone = version.model_copy(update={"charges": (charge,)})
    period = Period(start=span.start, end=span.end, timezone="UTC")
    found = [Segment(agent, alone, span.start, span.end, number) for agent, number in usage.agents.items()]
    cycle = Cycle(period, found, closes=span.end)
    return rate(
        Facts(
            period=period,
            currency=currency,
            segments=found,
            totals={(agent, alone.id): _EstimatedReadings(charge, own, span) for agent, own in usage.by_agent.items()},
            first_starts=first_starts(found),
            cycles={"quarter": cycle, "year": cycle},
        )
    )


def _usage_of(charge: Charge, usage: Sequence[UsageEntry], named: Sequence[str]) -> _Usage:
    entries = [(entry.agent, entry.estimated(index)) for index, entry in enumerate(usage) if entry.charge == charge.key]
    number = _number_of_agents(charge, entries)
    own = list(dict.fromkeys(agent for agent, _ in entries if agent is not None))
    if charge.scope == "agent" and own:
        _refuse_unattributed(entries)
    elif charge.scope == "agent" and (not named or (entries and (len(named) > 1 or number is not None))):
        agents = {POOLED: Fraction(max(1, len(named))) if number is None else number}
        return _Usage({POOLED: [estimate for _, estimate in entries]}, agents)
    if number is None:
        agents = dict.fromkeys(named or [POOLED], Fraction(1))
    else:
        agents = dict.fromkeys(own, Fraction(1))
        if number > len(own) or not own:
            agents[POOLED] = number - len(own)
    nameless = next(iter(agents))
    by_agent: dict[str, list[Estimate]] = {}
    for agent, estimate in entries:
        by_agent.setdefault(nameless if agent is None else agent, []).append(estimate)
    return _Usage(by_agent, agents)


def _number_of_agents(charge: Charge, entries: Sequence[tuple[str | None, Estimate]]) -> Fraction | None:
    """How many agents the entries of a charge say there are. Raises `ValidationError` where it is not a number of
    agents.
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
    own = {agent for agent, _ in entries if agent is not None}
    if number < len(own):
        raise estimate.refused(_number_field(estimate), f"is less than the {len(own)} agents that the usage names")
    return number


def _number_field(estimate: Estimate) -> str:
    return "quantity" if estimate.agents is None else "agents"


def _refuse_unknown(version: Version, usage: Sequence[UsageEntry], only: Sequence[str] | None) -> None:
    keys = {charge.key for charge in version.charges}
    named = [(f"/usage/{index}/charge", entry.charge) for index, entry in enumerate(usage)]
    named += [(f"/only/{index}", key) for index, key in enumerate(only or ())]
    errors = tuple(FieldError(place, f"the model has no charge {key}") for place, key in named if key not in keys)
    if errors:
        raise ValidationError(errors[0].detail, errors=errors)


def _refuse_beyond(period: Span) -> None:
    if period.start < EARLIEST:
        raise ValidationError.at("/period/start", f"is before {EARLIEST.year}")
    if period.end > LATEST:
        raise ValidationError.at("/period/end", f"is after {LATEST.year - 1}")
    if period.end - period.start > MAXIMUM_LENGTH:
        raise ValidationError.at("/period/end", f"is more than {MAXIMUM_LENGTH.days} days after the start")


def _refuse_unattributed(entries: Iterable[tuple[str | None, Estimate]]) -> None:
    for agent, estimate in entries:
        if estimate.agents is not None:
            raise estimate.refused("agents", "is for usage that names no agent: this charge is priced by agent")
        if agent is None:
            raise estimate.refused("agent", "is needed, because other usage of this charge names its agent")
