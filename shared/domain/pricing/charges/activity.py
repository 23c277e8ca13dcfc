"""What agents do, metered and priced."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from shared.domain.kernel.money import ZERO, NonNegativeQuantity
from shared.domain.kernel.validation import Place, refusal
from shared.domain.metering.meters import Event, Gauge, Measure, Meter
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, only_version
from shared.domain.pricing.charges.commitment import Commitment
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.metered_usage import (
    MeteredSegment,
    estimated_readings,
    gauges_with_pricing,
    metered_amount_paths,
    metered_quantity,
    money_fields,
    pricing_refusals,
    usage_steps,
    weights_of_metered,
)
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.rules import Pricing


class ActivityCharge(ModifiedCharge):
    FIXED: ClassVar[tuple[str, ...]] = ("type", "meter", "scope")

    type: Literal["activity"]
    meter: Meter
    pricing: Pricing
    scope: Scope = "agent"
    included_units: NonNegativeQuantity = ZERO
    commitment: Commitment | None = None

    @model_validator(mode="after")
    def _pricing_suits(self) -> Self:
        wrong = list(pricing_refusals(self.pricing, self.meter, self.included_units, self.commitment))
        if self.pricing.BY_VALUE and self.meter.aggregation == "count":
            wrong.append((("meter", "aggregation"), f"has to be sum: {self.pricing.type} prices the values of events"))
        if wrong:
            raise refusal(*wrong)
        return self

    @property
    def purpose(self) -> str:
        if self.pricing.BY_VALUE:
            return f"by the value of {self.meter.event_type} events"
        return f"per {self.meter.described}"

    @property
    def expected_steps(self) -> int:
        return len(self.gauges) + self.pricing.expected_steps

    @cached_property
    def meters(self) -> Mapping[str, Measure]:
        return {self.key: self.meter}

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        return gauges_with_pricing(self.key, self.meter, self.pricing, self.meter.factor)

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        charge, span = segments[0].charge, segments[0].span
        metered = [_metered(segment) for segment in segments]
        quantity = metered_quantity(metered, span)
        return RatedCharge(
            quantity=quantity,
            unit=charge.meter.unit_name,
            unit_amount=charge.pricing.single_price if only_version(segments) else None,
            steps=cls.modified(segments, usage_steps(metered, span), quantity),
        )

    @classmethod
    def weights(cls, segments: Sequence[LineSegment[Self]]) -> Mapping[str, Fraction]:
        agent_ids = [segment.agent_id for segment in segments]
        return weights_of_metered(agent_ids, [_metered(segment) for segment in segments], segments[0].span)

    def amount_paths(self, event: Event) -> frozenset[str]:
        return self._amount_paths if self.meter.matches(event) else frozenset()

    @cached_property
    def _amount_paths(self) -> frozenset[str]:
        return metered_amount_paths(self.meter, self.pricing)

    def money_fields(self) -> Iterator[Place]:
        return money_fields(self.meter, self.pricing)

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        return estimated_readings(self.key, self.meter, self.pricing, estimate, span)

    def refusals_when_saved(self) -> Iterator[tuple[Place, str]]:
        return self.pricing.refusals_when_saved()


def _metered(segment: LineSegment[ActivityCharge]) -> MeteredSegment:
    charge = segment.charge
    return MeteredSegment(
        version=segment.version,
        name=charge.key,
        meter=charge.meter,
        pricing=charge.pricing,
        readings=segment.readings,
        included=Fraction(charge.included_units) * segment.share,
        commitment=charge.commitment,
    )
