"""Workflow validation: what workflows would cost one agent, before any of them runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.money import ZERO, ExactDecimal, RoundedAmount, plain, round_half_up, total
from shared.domain.kernel.times import to_text
from shared.domain.kernel.value import Value
from shared.domain.metering.gauges import UnmeterableError
from shared.domain.periods.periods import Period, Span
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.workflow import EVENT_TYPE
from shared.domain.pricing.lines import Line, Step
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.rating.calculation import MAXIMUM_STEPS, STEPS_OF_LINE
from shared.domain.rating.facts import Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import isolated_facts
from shared.domain.usage.totals import Contribution, Totals

WarningCode = Literal[
    "no_billing_model",
    "no_price",
    "unmeterable",
    "nothing_billed",
    "commitment_exceeded",
    "minimum_applies",
    "maximum_applies",
]

_NO_MODEL = "No billing model prices the agent now, so nothing is billed; its events are counted by type"


class WorkflowWarning(Value):
    """Something about the cost of workflows that may surprise."""

    code: WarningCode
    """What the warning is."""
    workflow: str | None = None
    """The type that it is about; null for all types."""
    detail: str
    """The warning in words."""


class WorkflowCost(Value):
    """What the workflows of one type add, before modifiers over all types."""

    workflow: str
    """The type."""
    quantity: ExactDecimal
    """The number of workflows."""
    charges: tuple[str, ...]
    """The keys of the charges that price it."""
    exact_amount: ExactDecimal
    """Not rounded, in the currency of the validation."""


class WorkflowValidation(Value):
    """What workflows would cost an agent in a whole period."""

    currency: str
    workflows: tuple[WorkflowCost, ...]
    platform_fee: ExactDecimal
    """The base fees of all lines; included in the lines and totals."""
    lines: tuple[Line, ...]
    exact_total: ExactDecimal
    """The sum of the lines' exact amounts."""
    total: RoundedAmount
    """The sum of the lines' rounded amounts."""
    warnings: tuple[WorkflowWarning, ...]


def validated_workflows(
    version: Version | None, currency: str, agent_id: str, workflows: Mapping[str, Decimal], period: Period
) -> WorkflowValidation:
    """What a whole period would cost in which the agent ran just these workflows.

    `workflows` are numbers by type. Charges that none of them concerns are left out. Amounts are in `currency`.
    Raises `ValidationError` for more work than a calculation may be.
    """
    metered = [_MeteredWorkflows.of(name, quantity, version, period.span) for name, quantity in workflows.items()]
    lines = _lines(version, currency, agent_id, metered, period)
    costs = [
        WorkflowCost(workflow=name, quantity=workflows.get(name, ZERO), charges=charges, exact_amount=amount)
        for name, (charges, amount) in _costs_by_type(metered, lines).items()
    ]
    return WorkflowValidation(
        currency=currency,
        workflows=tuple(costs),
        platform_fee=total(step.amount for line in lines for step in line.steps if step.kind == "base_fee"),
        lines=tuple(lines),
        exact_total=total(line.exact_amount for line in lines),
        total=round_half_up(total(line.amount for line in lines), currency),
        warnings=tuple(_all_warnings(version, metered, costs, lines)),
    )


@dataclass(frozen=True, slots=True)
class _MeteredWorkflows:
    """The workflows of one type, with their contribution and the charges that price them."""

    workflow: str
    quantity: Decimal
    contribution: Contribution
    charges: tuple[str, ...]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, workflow: str, quantity: Decimal, version: Version | None, span: Span) -> "_MeteredWorkflows":
        # All workflows of a type are metered as one event, as a sender may report them in bulk.
        event = CostedEvent(f"{EVENT_TYPE}{workflow}", {"quantity": quantity}, to_text(span.start), workflow)
        measures, charges, problems = [], [], []
        for charge in version.charges if version is not None else ():
            try:
                readings = [(name, gauge.measure(event)) for name, gauge in charge.gauges.items()]
            except UnmeterableError as error:
                problems.append(f"The charge {charge.key} cannot meter it: {error.detail}")
                continue
            concerning = [(name, reading) for name, reading in readings if reading is not None]
            if concerning:
                measures += concerning
                charges.append(charge.key)
        contribution = Contribution(event.type, event.time, tuple(measures))
        return cls(workflow, quantity, contribution, tuple(charges), tuple(problems))

    def warnings(self) -> Iterator[WorkflowWarning]:
        for problem in self.problems:
            yield WorkflowWarning(code="unmeterable", workflow=self.workflow, detail=problem)
        if not self.charges and not self.problems:
            detail = "No charge of the billing model has a price for it, so it is not billed"
            yield WorkflowWarning(code="no_price", workflow=self.workflow, detail=detail)


def _lines(
    version: Version | None, currency: str, agent_id: str, metered: Sequence[_MeteredWorkflows], period: Period
) -> list[Line]:
    keys = {key for workflows in metered for key in workflows.charges}
    if version is None or not keys:
        return []
    charges = tuple(charge for charge in version.charges if charge.key in keys)
    _refuse_too_much_work(charges, metered)
    concerned = version.model_copy(update={"charges": charges})
    totals = Totals()
    for workflows in metered:
        totals.add(workflows.contribution)
    segments = [Segment(agent_id, concerned, period.start, period.end)]
    return rate(isolated_facts(period, currency, segments, {(agent_id, concerned.id): totals}))


def _refuse_too_much_work(charges: Sequence[Charge], metered: Sequence[_MeteredWorkflows]) -> None:
    asked = {workflows.workflow for workflows in metered}
    steps = sum(STEPS_OF_LINE + charge.expected_steps_for(asked) for charge in charges)
    if steps > MAXIMUM_STEPS:
        raise ValidationError.at(
            "/workflows",
            f"would take {steps} steps, at most {MAXIMUM_STEPS} are calculated at once: ask for fewer types, or"
            " calculate the charges in parts with POST /billing-models/{model_id}/calculate",
        )


def _costs_by_type(
    metered: Sequence[_MeteredWorkflows], lines: Sequence[Line]
) -> dict[str, tuple[tuple[str, ...], Decimal]]:
    """By type: the charges that price it, and their steps' amount without base fees.

    A line whose steps name no type is about one type only, because its meter reads one event type. Types that cost
    something without being asked about come last.
    """
    amounts: dict[str, list[Decimal]] = {workflows.workflow: [] for workflows in metered}
    charges = {workflows.workflow: list(workflows.charges) for workflows in metered}
    for line in lines:
        key = line.charge or ""
        only_type = next((workflows.workflow for workflows in metered if key in workflows.charges), None)
        by_type = any(step.workflow is not None for step in line.steps)
        for step in line.steps:
            workflow = step.workflow if by_type else only_type
            if workflow is None or step.kind == "base_fee" or not step.amount:
                continue
            amounts.setdefault(workflow, []).append(step.amount)
            if key not in charges.setdefault(workflow, []):
                charges[workflow].append(key)
    return {workflow: (tuple(charges[workflow]), total(of_type)) for workflow, of_type in amounts.items()}


def _all_warnings(
    version: Version | None,
    metered: Sequence[_MeteredWorkflows],
    costs: Sequence[WorkflowCost],
    lines: Sequence[Line],
) -> Iterator[WorkflowWarning]:
    if version is None:
        yield WorkflowWarning(code="no_billing_model", detail=_NO_MODEL)
    else:
        for workflows in metered:
            yield from workflows.warnings()
    yield from _cost_warnings(costs, metered)
    for line in lines:
        yield from _line_warnings(line)


def _cost_warnings(costs: Sequence[WorkflowCost], metered: Sequence[_MeteredWorkflows]) -> Iterator[WorkflowWarning]:
    priced = {workflows.workflow for workflows in metered if workflows.charges and workflows.quantity}
    for cost in costs:
        if cost.workflow in priced and not cost.exact_amount:
            detail = (
                f"{plain(cost.quantity)} of them cost nothing: they are included, free, capped, or priced by a value"
                " that only their events will tell"
            )
            yield WorkflowWarning(code="nothing_billed", workflow=cost.workflow, detail=detail)


def _line_warnings(line: Line) -> Iterator[WorkflowWarning]:
    for step in line.steps:
        match step.kind:
            case "overage":
                yield _step_warning("commitment_exceeded", line, step, "is exceeded, which adds")
            case "minimum":
                yield _step_warning("minimum_applies", line, step, "is not reached, which adds")
            case "maximum":
                yield _step_warning("maximum_applies", line, step, "is passed, which takes off")
            case _:
                pass


def _step_warning(code: WarningCode, line: Line, step: Step, effect: str) -> WorkflowWarning:
    bound, _, _ = code.partition("_")
    of = f"the charge {line.charge}" if step.workflow is None else f"{step.workflow} in the charge {line.charge}"
    detail = f"The {bound} of {of} {effect} {plain(abs(step.amount))}"
    return WorkflowWarning(code=code, workflow=step.workflow, detail=detail)
