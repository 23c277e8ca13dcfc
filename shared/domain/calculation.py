"""What stated usage would cost: the same rating, over facts made from what the meters would have come to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import count, islice

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.billing_models import BillingModelDraft, Version
from shared.domain.charges.charge import Charge
from shared.domain.errors import FieldError, ValidationError
from shared.domain.lines import Line
from shared.domain.meters import Meter, Reading
from shared.domain.money import ExactDecimal, NonNegativeQuantity, RoundedAmount, round_half_up, total
from shared.domain.periods import Period, Span
from shared.domain.rating import POOLED, Facts, Segment, rate
from shared.domain.times import BEGINNING

MAXIMUM_AGENTS = 1_000
MAXIMUM_LENGTH = timedelta(days=367)
DRAFT = "draft"
"""Stands for the id of a model that is not saved."""


class UsageEntry(BaseModel):
    """What the meter of a charge would have come to, after its unit conversion; of one agent, or of `agents`
    together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    charge: str
    agent: str | None = Field(default=None, min_length=1, max_length=256)
    quantity: NonNegativeQuantity | None = None
    agents: NonNegativeQuantity | None = None


class ModelSketch(BillingModelDraft):
    """A billing model that is calculated with and never saved, so it needs no name."""

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
    priced by agent, is priced as if all of it were one agent's, with its base fee per agent as often as there are
    agents.

    Raises `ValidationError` naming the entry, the place in `only`, or the period.
    """
    _refuse_unknown(version, usage, only)
    _refuse_long(period)
    named = sorted({entry.agent for entry in usage if entry.agent is not None})
    lines = [
        line
        for charge in version.charges
        if only is None or charge.key in only
        for line in _lines_of(charge, version, currency, _stated(charge, usage, named), period)
    ]
    return Calculation(
        currency=currency,
        lines=tuple(sorted(lines, key=lambda line: line.key)),
        exact_total=total(line.exact_amount for line in lines),
        total=round_half_up(total(line.amount for line in lines), currency),
    )


@dataclass(slots=True)
class _Stated:
    """The usage of one charge: whose it is, and whether it is priced over all its agents together."""

    agents: Sequence[str]
    quantities: Mapping[str, Fraction]
    together: bool


@dataclass(frozen=True, slots=True)
class _StatedReadings:
    """Readings that come to the stated quantity."""

    quantity: Fraction
    by_meter: Mapping[str, Meter] = field(default_factory=dict)

    def meters(self) -> list[str]:
        return list(self.by_meter)

    def reading(self, meter: str) -> Reading:
        return self.by_meter[meter].reading_of(self.quantity)


def _lines_of(charge: Charge, version: Version, currency: str, stated: _Stated, period: Span) -> list[Line]:
    if stated.together:
        charge = charge.model_copy(update={"scope": "organization"})
    alone = version.model_copy(update={"charges": (charge,)})
    return rate(
        Facts(
            period=Period(start=period.start, end=period.end, timezone="UTC"),
            currency=currency,
            segments=[Segment(agent, alone, period.start, period.end) for agent in stated.agents],
            totals={
                (agent, alone.id): _StatedReadings(quantity, charge.meters)
                for agent, quantity in stated.quantities.items()
            },
        )
    )


def _stated(charge: Charge, usage: Sequence[UsageEntry], named: Sequence[str]) -> _Stated:
    entries = [(index, entry) for index, entry in enumerate(usage) if entry.charge == charge.key]
    _refuse_unmetered(charge, entries)
    agent_count = _agent_count(entries)
    by_agent = charge.scope == "agent"
    if by_agent and any(entry.agent is not None for _, entry in entries):
        _refuse_unattributed(entries)
    elif by_agent and (not named or (entries and (len(named) > 1 or agent_count is not None))):
        agents = _agents(named, agent_count or len(named) or 1)
        return _Stated(agents, _quantities(entries, agents[0]), together=True)
    agents = _agents(named, max(len(named), 1) if agent_count is None else agent_count)
    return _Stated(agents, _quantities(entries, agents[0]), together=False)


def _agents(named: Sequence[str], wanted: int) -> list[str]:
    """The named ones, and as many without a name as are wanted besides."""
    nameless = (
        name for name in (POOLED if number == 1 else f"{POOLED}{number}" for number in count(1)) if name not in named
    )
    return [*named, *islice(nameless, max(0, wanted - len(named)))]


def _quantities(entries: Iterable[tuple[int, UsageEntry]], otherwise: str) -> dict[str, Fraction]:
    quantities: dict[str, Fraction] = {}
    for _, entry in entries:
        agent = otherwise if entry.agent is None else entry.agent
        quantities[agent] = quantities.get(agent, Fraction(0)) + Fraction(entry.quantity or Decimal(0))
    return quantities


def _agent_count(entries: Sequence[tuple[int, UsageEntry]]) -> int | None:
    """How many agents the entries of a charge say there are. Raises `ValidationError` where it is not a number of
    agents.
    """
    stated = [(index, entry.agents) for index, entry in entries if entry.agents is not None]
    if not stated:
        return None
    for index, number in stated:
        if number != int(number) or not 1 <= number <= MAXIMUM_AGENTS:
            raise ValidationError.at(f"/usage/{index}/agents", f"has to be an integer from 1 to {MAXIMUM_AGENTS}")
        if number != stated[0][1]:
            raise ValidationError.at(f"/usage/{index}/agents", "is not what another entry of this charge says")
    index, number = stated[0]
    own = {entry.agent for _, entry in entries if entry.agent is not None}
    if number < len(own):
        raise ValidationError.at(f"/usage/{index}/agents", f"is less than the {len(own)} agents that the usage names")
    return int(number)


def _refuse_unknown(version: Version, usage: Sequence[UsageEntry], only: Sequence[str] | None) -> None:
    keys = {charge.key for charge in version.charges}
    named = [(f"/usage/{index}/charge", entry.charge) for index, entry in enumerate(usage)]
    named += [(f"/only/{index}", key) for index, key in enumerate(only or ())]
    errors = tuple(FieldError(place, f"the model has no charge {key}") for place, key in named if key not in keys)
    if errors:
        raise ValidationError(errors[0].detail, errors=errors)


def _refuse_long(period: Span) -> None:
    if period.end - period.start > MAXIMUM_LENGTH:
        raise ValidationError.at("/period/end", f"is more than {MAXIMUM_LENGTH.days} days after the start")


def _refuse_unmetered(charge: Charge, entries: Iterable[tuple[int, UsageEntry]]) -> None:
    for index, entry in entries:
        if entry.quantity is not None and not charge.meters:
            raise ValidationError.at(
                f"/usage/{index}/quantity", f"the charge {charge.key} is not metered, it has no quantity"
            )


def _refuse_unattributed(entries: Iterable[tuple[int, UsageEntry]]) -> None:
    for index, entry in entries:
        if entry.agents is not None:
            raise ValidationError.at(
                f"/usage/{index}/agents", "is for usage that names no agent: this charge is priced by agent"
            )
        if entry.agent is None:
            raise ValidationError.at(
                f"/usage/{index}/agent", "is needed, because other usage of this charge names its agent"
            )
