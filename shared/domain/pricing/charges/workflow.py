"""What agents carry through, each type of workflow at its own price."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.kernel.validation import Place, refusal
from shared.domain.metering.meters import QUANTITY_PATH, Event, Gauge, Meter
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope
from shared.domain.pricing.charges.commitment import Commitment
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.event_values import VALUE_PATH, ValueGauge
from shared.domain.pricing.charges.metered_usage import (
    PRICING_MARK,
    MeteredSegment,
    gauges_with_pricing,
    pricing_refusals,
    split_by_weight,
    usage_steps,
    weights_of_metered,
)
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules import Pricing

MAXIMUM_WORKFLOWS = 100
EVENT_TYPE = "workflow."
_NAMED = 5

WorkflowName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:/-]{1,190}$")]


class WorkflowType(BaseModel):
    """The price of one type. Its minimum and maximum are of the type's own sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pricing: Pricing
    included_units: NonNegativeQuantity = ZERO
    minimum: NonNegativeAmount | None = None
    minimum_when_unused: bool = False
    maximum: NonNegativeAmount | None = None
    commitment: Commitment | None = None

    @model_validator(mode="after")
    def _suits(self) -> Self:
        wrong = list(pricing_refusals(self.pricing, meter_of("any"), self.included_units, self.commitment))
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            wrong.append((("minimum",), "is more than the maximum"))
        if wrong:
            raise refusal(*wrong)
        return self


class WorkflowCharge(ModifiedCharge):
    """A commitment of the charge is of the number of workflows of all types: once it is exceeded, the price of all of
    them is multiplied, but not the base fee.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope")

    type: Literal["workflow"]
    workflows: Annotated[dict[WorkflowName, WorkflowType], Field(min_length=1, max_length=MAXIMUM_WORKFLOWS)]
    commitment: Commitment | None = None
    scope: Scope = "organization"
    minimum_when_unused: bool = False

    @property
    def purpose(self) -> str:
        names = list(self.workflows)
        return f"workflows {', '.join(names)}" if len(names) <= _NAMED else f"workflows of {len(names)} types"

    @property
    def expected_steps(self) -> int:
        return len(self.gauges) + sum(priced_type.pricing.expected_steps for priced_type in self.workflows.values())

    @cached_property
    def meters(self) -> Mapping[str, Meter]:
        return {self.name_of(workflow): meter_of(workflow) for workflow in self.workflows}

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        found: dict[str, Gauge] = dict(self.meters)
        for workflow, priced_type in self.workflows.items():
            name, gauge = self.priced_by(workflow)
            found |= gauges_with_pricing(name, gauge, priced_type.pricing, Fraction(1))
        return found

    def name_of(self, workflow: str) -> str:
        return f"{self.key}/{workflow}"

    def priced_by(self, workflow: str) -> tuple[str, Gauge]:
        """The gauge that a type is priced by, with its name: how many there were, or what they were worth."""
        name = self.name_of(workflow)
        if self.workflows[workflow].pricing.BY_VALUE:
            return f"{name}{PRICING_MARK}value", ValueGauge(self.meters[name])
        return name, self.meters[name]

    def amount_paths(self, event: Event) -> frozenset[str]:
        if not event.type.startswith(EVENT_TYPE):
            return frozenset()
        priced_type = self.workflows.get(event.type.removeprefix(EVENT_TYPE))
        if priced_type is None:
            return frozenset()
        amount_paths = frozenset(priced_type.pricing.amount_paths)
        return amount_paths | {VALUE_PATH} if priced_type.pricing.BY_VALUE else amount_paths

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        workflows = _types_of(segments)
        used: list[list[ExactStep]] = [[] for _ in segments]
        quantity = Fraction(0)
        for workflow in workflows:
            count, steps = _rated_workflow(workflow, segments)
            quantity += count
            used = [[*before, *own] for before, own in zip(used, steps, strict=True)]
        used = [[*own, *_overage(segment, own, quantity)] for segment, own in zip(segments, used, strict=True)]
        return RatedCharge(
            quantity=quantity, unit="workflow", unit_amount=None, steps=cls.modified(segments, used, quantity)
        )

    @classmethod
    def weights(cls, segments: Sequence[LineSegment[Self]]) -> Mapping[str, Fraction]:
        """What each type comes to, parted by what it is priced by."""
        weights = dict.fromkeys((segment.agent_id for segment in segments), Fraction(0))
        for workflow in _types_of(segments):
            having = [segment for segment in segments if workflow in segment.charge.workflows]
            _, steps = _rated_workflow(workflow, having)
            amount = sum((exact_sum(own) for own in steps), Fraction(0))
            metered = [_metered(workflow, segment) for segment in having]
            measured = weights_of_metered([segment.agent_id for segment in having], metered, having[0].span)
            for agent_id, part in split_by_weight(amount, measured).items():
                weights[agent_id] += part
        return weights

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        estimate.only("workflows")
        counts = estimate.workflows or {}
        for workflow in counts:
            if workflow not in self.workflows:
                raise estimate.refused("workflows", f"the charge {self.key} has no price for it", workflow)
            pricing = self.workflows[workflow].pricing
            if counts[workflow] and not pricing.COUNTS_UNITS:
                detail = f"is priced by {pricing.type}, for which it is not enough how many there are"
                raise estimate.refused("workflows", detail, workflow)
        return {
            self.name_of(workflow): meter_of(workflow).reading_of(Fraction(count), span)
            for workflow, count in counts.items()
        }

    def refusals_when_saved(self) -> Iterator[tuple[Place, str]]:
        for workflow, priced_type in self.workflows.items():
            for place, detail in priced_type.pricing.refusals_when_saved():
                yield ("workflows", workflow, *place), detail


def meter_of(workflow: str) -> Meter:
    return Meter(event_type=f"{EVENT_TYPE}{workflow}", aggregation="sum", value=QUANTITY_PATH)


_VALUES = Meter(event_type="any", aggregation="sum", value=VALUE_PATH)
"""Of what a pricing by value adds up, whatever the type of workflow."""


def _types_of(segments: Sequence[LineSegment[WorkflowCharge]]) -> list[str]:
    return list(dict.fromkeys(workflow for segment in segments for workflow in segment.charge.workflows))


def _rated_workflow(
    workflow: str, segments: Sequence[LineSegment[WorkflowCharge]]
) -> tuple[Fraction, list[list[ExactStep]]]:
    """How many there were of a type, and what they cost, by segment. What they were worth is known only of segments
    that are priced by it: it is nothing in the others.
    """
    having = [index for index, segment in enumerate(segments) if workflow in segment.charge.workflows]
    metered = [_metered(workflow, segments[index]) for index in having]
    span = segments[0].span
    quantity = _number(workflow, [segments[index] for index in having])
    steps: list[list[ExactStep]] = [[] for _ in segments]
    for index, own in zip(having, usage_steps(metered, span), strict=True):
        steps[index] = [replace(step, workflow=workflow) for step in own]
    bounds = _bounds(workflow, [segments[index] for index in having], [steps[index] for index in having], quantity)
    steps[having[0]] += bounds
    return quantity, steps


def _number(workflow: str, segments: Sequence[LineSegment[WorkflowCharge]]) -> Fraction:
    charge = segments[0].charge
    name = charge.name_of(workflow)
    return charge.meters[name].quantities([each.readings[name] for each in segments], segments[0].span)[-1]


def _metered(workflow: str, segment: LineSegment[WorkflowCharge]) -> MeteredSegment:
    charge = segment.charge
    priced_type = charge.workflows[workflow]
    name, _ = charge.priced_by(workflow)
    return MeteredSegment(
        version=segment.version,
        name=name,
        meter=_VALUES if priced_type.pricing.BY_VALUE else charge.meters[name],
        pricing=priced_type.pricing,
        readings=segment.readings,
        included=Fraction(priced_type.included_units) * segment.share,
        commitment=priced_type.commitment,
    )


def _bounds(
    workflow: str,
    segments: Sequence[LineSegment[WorkflowCharge]],
    used: Sequence[Sequence[ExactStep]],
    quantity: Fraction,
) -> Iterator[ExactStep]:
    """A type's sum, cut to its maximum and lifted to its minimum."""
    capped = maximum = minimum = Fraction(0)
    due = sum((exact_sum(own) for own in used), Fraction(0))
    for segment, own in zip(segments, used, strict=True):
        priced_type = segment.charge.workflows[workflow]
        if priced_type.maximum is not None:
            capped += exact_sum(own)
            maximum += Fraction(priced_type.maximum) * segment.share
        if priced_type.minimum is not None and (quantity or priced_type.minimum_when_unused):
            minimum += Fraction(priced_type.minimum) * segment.share
    if capped > maximum:
        yield ExactStep("maximum", amount=maximum - capped, workflow=workflow)
        due -= capped - maximum
    if due < minimum:
        yield ExactStep("minimum", amount=minimum - due, workflow=workflow)


def _overage(segment: LineSegment[WorkflowCharge], used: Sequence[ExactStep], quantity: Fraction) -> list[ExactStep]:
    commitment = segment.charge.commitment
    if commitment is None or quantity <= commitment.quantity:
        return []
    return commitment.overage(exact_sum(used), segment.version)
