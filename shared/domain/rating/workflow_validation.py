"""What workflows would cost one agent, before any of them has run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.money import ZERO, ExactDecimal, RoundedAmount, plain, round_half_up, total
from shared.domain.kernel.times import to_text
from shared.domain.metering.meters import UnmeterableError
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges.workflow import EVENT_TYPE
from shared.domain.pricing.lines import Line, Step
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.rating import Cycle, Facts, Segment, first_starts, rate
from shared.domain.usage.totals import Contribution, Totals

Code = Literal[
    "no_billing_model",
    "no_price",
    "unmeterable",
    "nothing_billed",
    "commitment_exceeded",
    "minimum_applies",
    "maximum_applies",
]


class Warned(BaseModel):
    """`workflow` is the type that it is about; None is all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    workflow: str | None = None
    detail: str


class WorkflowCost(BaseModel):
    """What one type adds, before what holds over all types: base fee, discount, a commitment of all, bounds of the
    line. `charges` are those that price it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workflow: str
    quantity: ExactDecimal
    charges: tuple[str, ...]
    exact_amount: ExactDecimal


class WorkflowValidation(BaseModel):
    """`platform_fee` is the base fee of all lines, each counted once; it is in them and in the totals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str
    workflows: tuple[WorkflowCost, ...]
    platform_fee: ExactDecimal
    lines: tuple[Line, ...]
    exact_total: ExactDecimal
    total: RoundedAmount
    warnings: tuple[Warned, ...]


def validated_workflows(
    version: Version | None, currency: str, agent_id: str, workflows: Mapping[str, Decimal], period: Period
) -> WorkflowValidation:
    """What a whole period would cost in which the agent ran these workflows, how many of each type, and nothing else
    happened. Charges that none of them touches are left out.
    """
    found = [_Metered.of(name, quantity, version, period.span) for name, quantity in workflows.items()]
    lines = _lines(version, currency, agent_id, found, period)
    amounts = _amounts(found, lines)
    named = [
        WorkflowCost(workflow=name, quantity=workflows.get(name, ZERO), charges=charges, exact_amount=amount)
        for name, (charges, amount) in amounts.items()
    ]
    warnings = [] if version is not None else [Warned(code="no_billing_model", detail=_NO_MODEL)]
    warnings += [warned for each in found if version is not None for warned in each.warnings()]
    warnings += _warnings_of_costs(named, found)
    warnings += [warned for line in lines for warned in _warnings_of_line(line)]
    return WorkflowValidation(
        currency=currency,
        workflows=tuple(named),
        platform_fee=total(step.amount for line in lines for step in line.steps if step.kind == "base_fee"),
        lines=tuple(lines),
        exact_total=total(line.exact_amount for line in lines),
        total=round_half_up(total(line.amount for line in lines), currency),
        warnings=tuple(warnings),
    )


_NO_MODEL = "No billing model prices the agent now, so nothing is billed; its events are counted by type"


@dataclass(frozen=True, slots=True)
class _Metered:
    """A type of workflow with what the gauges of each charge made of its event."""

    workflow: str
    quantity: Decimal
    contribution: Contribution
    charges: tuple[str, ...]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, workflow: str, quantity: Decimal, version: Version | None, span: Span) -> "_Metered":
        # All workflows of a type as one event, as they would be reported in bulk.
        event = CostedEvent(f"{EVENT_TYPE}{workflow}", {"quantity": quantity}, to_text(span.start), workflow)
        measures, charges, problems = [], [], []
        for charge in version.charges if version is not None else ():
            try:
                readings = [(name, gauge.measure(event)) for name, gauge in charge.gauges.items()]
            except UnmeterableError as error:
                problems.append(f"The charge {charge.key} cannot meter it: {error.detail}")
                continue
            known = [(name, reading) for name, reading in readings if reading is not None]
            if known:
                measures += known
                charges.append(charge.key)
        return cls(
            workflow, quantity, Contribution(event.type, event.time, tuple(measures)), tuple(charges), tuple(problems)
        )

    def warnings(self) -> Iterator[Warned]:
        for problem in self.problems:
            yield Warned(code="unmeterable", workflow=self.workflow, detail=problem)
        if not self.charges and not self.problems:
            detail = "No charge of the billing model has a price for it, so it is not billed"
            yield Warned(code="no_price", workflow=self.workflow, detail=detail)


def _lines(
    version: Version | None, currency: str, agent_id: str, found: Sequence[_Metered], period: Period
) -> list[Line]:
    keys = {key for each in found for key in each.charges}
    if version is None or not keys:
        return []
    touched = tuple(charge for charge in version.charges if charge.key in keys)
    alone = version.model_copy(update={"charges": touched})
    totals = Totals()
    for each in found:
        totals.add(each.contribution)
    segments = [Segment(agent_id, alone, period.start, period.end)]
    cycle = Cycle(period, segments, closes=period.end)
    return rate(
        Facts(
            period=period,
            currency=currency,
            segments=segments,
            totals={(agent_id, alone.id): totals},
            first_starts=first_starts(segments),
            cycles={"quarter": cycle, "year": cycle},
        )
    )


def _amounts(found: Sequence[_Metered], lines: Sequence[Line]) -> dict[str, tuple[tuple[str, ...], Decimal]]:
    """By type the charges that price it and what they make of it. A line whose steps name no type is of one type alone,
    because its meter has one event type. Types that cost something without being asked about come last.
    """
    amounts: dict[str, list[Decimal]] = {each.workflow: [] for each in found}
    charges = {each.workflow: list(each.charges) for each in found}
    for line in lines:
        key = line.charge or ""
        only = next((each.workflow for each in found if key in each.charges), None)
        by_type = any(step.workflow is not None for step in line.steps)
        for step in line.steps:
            workflow = step.workflow if by_type else only
            if workflow is None or step.kind == "base_fee" or not step.amount:
                continue
            amounts.setdefault(workflow, []).append(step.amount)
            if key not in charges.setdefault(workflow, []):
                charges[workflow].append(key)
    return {workflow: (tuple(charges[workflow]), total(own)) for workflow, own in amounts.items()}


def _warnings_of_costs(named: Sequence[WorkflowCost], found: Sequence[_Metered]) -> Iterator[Warned]:
    priced = {each.workflow for each in found if each.charges and each.quantity}
    for each in named:
        if each.workflow in priced and not each.exact_amount:
            detail = (
                f"{plain(each.quantity)} of them cost nothing: they are included, free, capped, or priced by a value"
                " that only their events will tell"
            )
            yield Warned(code="nothing_billed", workflow=each.workflow, detail=detail)


def _warnings_of_line(line: Line) -> Iterator[Warned]:
    for step in line.steps:
        match step.kind:
            case "overage":
                yield _warned("commitment_exceeded", line, step, "is exceeded, which adds")
            case "minimum":
                yield _warned("minimum_applies", line, step, "is not reached, which adds")
            case "maximum":
                yield _warned("maximum_applies", line, step, "is passed, which takes off")
            case _:
                pass


def _warned(code: Code, line: Line, step: Step, what: str) -> Warned:
    bound, _, _ = code.partition("_")
    of = f"the charge {line.charge}" if step.workflow is None else f"{step.workflow} in the charge {line.charge}"
    return Warned(code=code, workflow=step.workflow, detail=f"The {bound} of {of} {what} {plain(abs(step.amount))}")
