"""Workflow charge: workflows that agents complete, each type at its own price."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import StringConstraints, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import FieldPath, Length, refusal
from shared.domain.kernel.validation_messages import Expected
from shared.domain.kernel.value import Value
from shared.domain.metering.gauges import Event, Gauge
from shared.domain.metering.meters import Meter
from shared.domain.metering.readings import Reading
from shared.domain.metering.values import QUANTITY_PATH
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope
from shared.domain.pricing.charges.commitment import Commitment
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.event_values import VALUE_PATH, ValueGauge
from shared.domain.pricing.charges.metered_gauges import SEPARATOR, refused_combinations, with_pricing_gauges
from shared.domain.pricing.charges.metered_usage import MeteredSegment, usage_steps
from shared.domain.pricing.charges.metered_weights import metered_weights, split_exactly
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules import Pricing

MAXIMUM_WORKFLOWS = 100
EVENT_TYPE = "workflow."
_NAMED = 5
"""How many types the description of a line names."""

WorkflowName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,190}$"), Expected("1 to 190 letters, digits and _ . : / -")
]


class WorkflowType(Value):
    """The price of one type of workflow. Its amounts are for a whole period and prorated by day."""

    pricing: Pricing
    """The price of the number of workflows, or of their values."""
    included_units: NonNegativeQuantity = ZERO
    """Workflows of this type that are free."""
    minimum: NonNegativeAmount | None = None
    """What all workflows of this type cost at least."""
    minimum_when_unused: bool = False
    """Whether the minimum is due without any workflow of this type."""
    maximum: NonNegativeAmount | None = None
    """What all workflows of this type cost at most."""
    commitment: Commitment | None = None
    """On the number of workflows of this type."""

    @model_validator(mode="after")
    def _fields_go_together(self) -> Self:
        refused = list(refused_combinations(self.pricing, meter_of("any"), self.included_units, self.commitment))
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            refused.append((("minimum",), "is more than the maximum"))
        if refused:
            raise refusal(*refused)
        return self


class WorkflowCharge(ModifiedCharge):
    """Workflows that agents complete, each type at its own price."""

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope", "settles")

    type: Literal["workflow"]
    workflows: Annotated[dict[WorkflowName, WorkflowType], Length(1, MAXIMUM_WORKFLOWS)]
    """The price of each type, by the type's name."""
    commitment: Commitment | None = None
    """On the number of workflows of all types. Exceeding it multiplies their price, not the base fee."""
    scope: Scope = "organization"
    minimum_when_unused: bool = False
    """Whether the minimum is due without any workflow."""

    @property
    def purpose(self) -> str:
        names = list(self.workflows)
        return f"workflows {', '.join(names)}" if len(names) <= _NAMED else f"workflows of {len(names)} types"

    @property
    def expected_steps(self) -> int:
        return self.expected_steps_for(self.workflows.keys())

    def expected_steps_for(self, workflows: Collection[str]) -> int:
        asked = (priced_type for workflow, priced_type in self.workflows.items() if workflow in workflows)
        return len(self.gauges) + sum(priced_type.pricing.expected_steps for priced_type in asked)

    @cached_property
    def meters(self) -> Mapping[str, Meter]:
        return {self.name_of(workflow): meter_of(workflow) for workflow in self.workflows}

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        gauges: dict[str, Gauge] = dict(self.meters)
        for workflow, priced_type in self.workflows.items():
            name, gauge = self.priced_gauge(workflow)
            gauges |= with_pricing_gauges(name, gauge, priced_type.pricing, Fraction(1))
        return gauges

    def name_of(self, workflow: str) -> str:
        """The name of the reading that counts this type."""
        return f"{self.key}/{workflow}"

    def priced_gauge(self, workflow: str) -> tuple[str, Gauge]:
        """The gauge that a type is priced by, with its name.

        It reads the number of workflows, or the sum of their values.
        """
        name = self.name_of(workflow)
        if self.workflows[workflow].pricing.BASIS == "values":
            return f"{name}{SEPARATOR}value", ValueGauge(self.meters[name])
        return name, self.meters[name]

    def number_paths(self, event_type: str) -> frozenset[str]:
        priced_type = self.workflows.get(event_type.removeprefix(EVENT_TYPE)) if self.takes(event_type) else None
        return frozenset() if priced_type is None else frozenset(priced_type.pricing.amount_paths)

    def amount_paths(self, event: Event) -> frozenset[str]:
        if not event.type.startswith(EVENT_TYPE):
            return frozenset()
        priced_type = self.workflows.get(event.type.removeprefix(EVENT_TYPE))
        if priced_type is None:
            return frozenset()
        paths = frozenset(priced_type.pricing.amount_paths)
        return paths | {VALUE_PATH} if priced_type.pricing.BASIS == "values" else paths

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        usage: list[list[ExactStep]] = [[] for _ in segments]
        quantity = Fraction(0)
        for workflow in _types_of(segments):
            count, steps_of_type = _rated_workflow(workflow, segments)
            quantity += count
            usage = [[*before, *steps] for before, steps in zip(usage, steps_of_type, strict=True)]
        usage = [
            [*steps, *_overage_steps(segment, steps, quantity)] for segment, steps in zip(segments, usage, strict=True)
        ]
        return RatedCharge(
            quantity=quantity,
            unit="workflow",
            unit_amount=None,
            steps=cls.modified_steps(segments, usage, quantity),
        )

    @classmethod
    def weights(cls, segments: Sequence[LineSegment[Self]]) -> Mapping[str, Fraction]:
        """Each type's amount, split by what the type is priced by, summed per agent."""
        weights = {segment.agent_id: Fraction(0) for segment in segments}
        for workflow in _types_of(segments):
            priced = [segment for segment in segments if workflow in segment.charge.workflows]
            _, steps_of_type = _rated_workflow(workflow, priced)
            amount = sum((exact_sum(steps) for steps in steps_of_type), Fraction(0))
            by_agent = metered_weights([_metered(workflow, segment) for segment in priced], priced[0].span)
            for agent_id, share in split_exactly(amount, by_agent).items():
                weights[agent_id] += share
        return weights

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        estimate.allow_only("workflows")
        counts = estimate.workflows or {}
        for workflow in counts:
            if workflow not in self.workflows:
                raise estimate.refused("workflows", f"the charge {self.key} has no price for it", workflow)
            pricing = self.workflows[workflow].pricing
            if counts[workflow] and pricing.BASIS != "units":
                detail = f"is priced by {pricing.type}, which needs more than the number of workflows"
                raise estimate.refused("workflows", detail, workflow)
        return {
            self.name_of(workflow): meter_of(workflow).reading_of(Fraction(count), span)
            for workflow, count in counts.items()
        }

    def refusals_when_saved(self) -> Iterator[tuple[FieldPath, str]]:
        for workflow, priced_type in self.workflows.items():
            for field, detail in priced_type.pricing.refusals_when_saved():
                yield ("workflows", workflow, *field), detail


def meter_of(workflow: str) -> Meter:
    """The meter that counts workflows of a type."""
    return Meter(event_type=f"{EVENT_TYPE}{workflow}", aggregation="sum", value=QUANTITY_PATH)


_VALUE_METER = Meter(event_type="any", aggregation="sum", value=VALUE_PATH)
"""Measures the sum of values, whatever the type of workflow."""


def _types_of(segments: Sequence[LineSegment[WorkflowCharge]]) -> list[str]:
    """All types of workflow that any segment prices, in their order."""
    return list(dict.fromkeys(workflow for segment in segments for workflow in segment.charge.workflows))


def _rated_workflow(
    workflow: str, segments: Sequence[LineSegment[WorkflowCharge]]
) -> tuple[Fraction, list[list[ExactStep]]]:
    """The number of workflows of one type, and their price by segment.

    A segment that does not price the type has no steps. Values are known only in segments that are priced by value, so
    they are 0 in the others.
    """
    priced = [index for index, segment in enumerate(segments) if workflow in segment.charge.workflows]
    of_type = [segments[index] for index in priced]
    metered = [_metered(workflow, segment) for segment in of_type]
    quantity = _count(workflow, of_type)
    steps_by_segment: list[list[ExactStep]] = [[] for _ in segments]
    for index, steps in zip(priced, usage_steps(metered, segments[0].span), strict=True):
        steps_by_segment[index] = [replace(step, workflow=workflow) for step in steps]
    bounds = list(_bound_steps(workflow, of_type, [steps_by_segment[index] for index in priced], quantity))
    steps_by_segment[priced[0]] += bounds
    return quantity, steps_by_segment


def _count(workflow: str, segments: Sequence[LineSegment[WorkflowCharge]]) -> Fraction:
    charge = segments[0].charge
    name = charge.name_of(workflow)
    return charge.meters[name].quantities([segment.readings[name] for segment in segments], segments[0].span)[-1]


def _metered(workflow: str, segment: LineSegment[WorkflowCharge]) -> MeteredSegment:
    charge = segment.charge
    priced_type = charge.workflows[workflow]
    name, _ = charge.priced_gauge(workflow)
    return MeteredSegment(
        version=segment.version,
        agent_id=segment.agent_id,
        name=name,
        meter=_VALUE_METER if priced_type.pricing.BASIS == "values" else charge.meters[name],
        pricing=priced_type.pricing,
        readings=segment.readings,
        included_units=Fraction(priced_type.included_units) * segment.share,
        pays_flat_amounts=segment.has_days,
        commitment=priced_type.commitment,
    )


def _bound_steps(
    workflow: str,
    segments: Sequence[LineSegment[WorkflowCharge]],
    usage: Sequence[Sequence[ExactStep]],
    quantity: Fraction,
) -> Iterator[ExactStep]:
    """What the maximum and the minimum of one type change."""
    capped = maximum = minimum = Fraction(0)
    due = sum((exact_sum(steps) for steps in usage), Fraction(0))
    for segment, steps in zip(segments, usage, strict=True):
        priced_type = segment.charge.workflows[workflow]
        if priced_type.maximum is not None:
            capped += exact_sum(steps)
            maximum += Fraction(priced_type.maximum) * segment.share
        if priced_type.minimum is not None and (quantity or priced_type.minimum_when_unused):
            minimum += Fraction(priced_type.minimum) * segment.share
    if capped > maximum:
        yield ExactStep("maximum", amount=maximum - capped, workflow=workflow)
        due -= capped - maximum
    if due < minimum:
        yield ExactStep("minimum", amount=minimum - due, workflow=workflow)


def _overage_steps(
    segment: LineSegment[WorkflowCharge], usage: Sequence[ExactStep], quantity: Fraction
) -> list[ExactStep]:
    """What exceeding the commitment over all types adds to the segment's price."""
    commitment = segment.charge.commitment
    if commitment is None or quantity <= commitment.quantity:
        return []
    return commitment.overage(exact_sum(usage), segment.version)
