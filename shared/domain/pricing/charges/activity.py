"""Activity charge: metered usage at a price."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Literal, Self

from pydantic import model_validator

from shared.domain.kernel.money import ZERO, NonNegativeQuantity
from shared.domain.kernel.validation import refusal
from shared.domain.metering.gauges import Event, Gauge
from shared.domain.metering.readings import Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, is_one_version
from shared.domain.pricing.charges.commitment import Commitment
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.metered_charge import MeteredCharge
from shared.domain.pricing.charges.metered_gauges import (
    estimated_metered_readings,
    metered_amount_paths,
    refused_combinations,
    with_pricing_gauges,
)
from shared.domain.pricing.charges.metered_usage import MeteredSegment, metered_quantity, usage_steps


class ActivityCharge(MeteredCharge):
    """What agents do, metered and priced."""

    type: Literal["activity"]
    scope: Scope = "agent"
    included_units: NonNegativeQuantity = ZERO
    """Units that are free in a whole period; prorated by day."""
    commitment: Commitment | None = None
    """On the quantity; units beyond it cost a multiple."""

    @model_validator(mode="after")
    def _fields_go_together(self) -> Self:
        refused = list(refused_combinations(self.pricing, self.meter, self.included_units, self.commitment))
        if self.pricing.BASIS == "values" and self.meter.aggregation == "count":
            detail = f"has to be sum: {self.pricing.type} prices the values of events"
            refused.append((("meter", "aggregation"), detail))
        if refused:
            raise refusal(*refused)
        return self

    @property
    def purpose(self) -> str:
        if self.pricing.BASIS == "values":
            return f"by the value of {self.meter.event_type} events"
        return f"per {self.meter.described}"

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        return with_pricing_gauges(self.key, self.meter, self.pricing, self.meter.factor)

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        charge, span = segments[0].charge, segments[0].span
        metered = cls.metered_segments(segments)
        quantity = metered_quantity(metered, span)
        return RatedCharge(
            quantity=quantity,
            unit=charge.meter.unit_name,
            unit_amount=charge.pricing.single_price if is_one_version(segments) else None,
            steps=cls.modified_steps(segments, usage_steps(metered, span), quantity),
        )

    def metered(self, segment: LineSegment[Self]) -> MeteredSegment:
        return MeteredSegment(
            version=segment.version,
            agent_id=segment.agent_id,
            name=self.key,
            meter=self.meter,
            pricing=self.pricing,
            readings=segment.readings,
            included_units=Fraction(self.included_units) * segment.share + segment.included_elsewhere,
            pays_flat_amounts=segment.has_days,
            commitment=self.commitment,
        )

    def amount_paths(self, event: Event) -> frozenset[str]:
        return self._amount_paths if self.meter.matches(event) else frozenset()

    @cached_property
    def _amount_paths(self) -> frozenset[str]:
        return metered_amount_paths(self.meter, self.pricing)

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        return estimated_metered_readings(self.key, self.meter, self.pricing, estimate, span)
