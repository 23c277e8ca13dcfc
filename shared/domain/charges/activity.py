"""What agents do, metered and priced, with a base fee, included units, a minimum and a maximum."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from shared.domain.charges.charge import Charge, LineSegment, RatedCharge, Scope
from shared.domain.charges.fees import Fee, fee_parts
from shared.domain.lines import Part, sum_of
from shared.domain.meters import Meter, Reading
from shared.domain.money import ZERO, NonNegativeAmount, NonNegativeQuantity
from shared.domain.pricing import Pricing
from shared.domain.pricing.quantity_pricing import Portion
from shared.domain.validation import refusal


class BaseFee(BaseModel):
    """A fee for the period: once per line, or for each agent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: NonNegativeAmount
    per: Literal["agent", "charge"] = "charge"


class Activity(Charge):
    FIXED: ClassVar[tuple[str, ...]] = ("type", "meter", "scope")

    type: Literal["activity"]
    meter: Meter
    pricing: Pricing
    base_fee: BaseFee | None = None
    scope: Scope = "agent"
    included_units: NonNegativeQuantity = ZERO
    minimum: NonNegativeAmount | None = None
    minimum_when_unused: bool = True
    maximum: NonNegativeAmount | None = None

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise refusal((("minimum",), "is more than the maximum"))
        return self

    @cached_property
    def meters(self) -> Mapping[str, Meter]:
        return {self.key: self.meter}

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        portions = _portions(segments)
        used = [
            segment.charge.pricing.parts(portion, segment.version)
            for segment, portion in zip(segments, portions, strict=True)
        ]
        fees = [_fee(segment) for segment in segments]
        parts = _base_fee_parts(segments, fees) + [part for own in used for part in own]
        due = [sum_of(own) + fee.due for own, fee in zip(used, fees, strict=True)]
        quantity = _quantity(segments)
        parts += _maximum_part(segments, due)
        parts += _minimum_part(segments, sum_of(parts), unused=quantity == 0)
        one_version = len({segment.version for segment in segments}) == 1
        charge = segments[0].charge
        return RatedCharge(
            quantity=quantity,
            unit=charge.meter.unit_name,
            unit_amount=charge.pricing.single_price if one_version else None,
            parts=parts,
        )


def _readings(segments: Sequence[LineSegment[Activity]]) -> list[Reading]:
    return [segment.readings[segment.charge.key] for segment in segments]


def _quantity(segments: Sequence[LineSegment[Activity]]) -> Fraction:
    return segments[0].charge.meter.quantity(sum(_readings(segments), Reading()))


def _portions(segments: Sequence[LineSegment[Activity]]) -> list[Portion]:
    """The quantities that count, after the included units of the whole line. What a segment adds is what it adds to
    the meter merged over the segments before it, so that a rounding conversion rounds the whole.
    """
    included = sum((Fraction(segment.charge.included_units) * segment.share for segment in segments), Fraction(0))
    ends = []
    so_far = Reading()
    for segment, reading in zip(segments, _readings(segments), strict=True):
        so_far += reading
        ends.append(max(Fraction(0), segment.charge.meter.quantity(so_far) - included))
    starts = [Fraction(0), *ends[:-1]]
    return [
        Portion(start, end, ends[-1], first=index == 0)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def _fee(segment: LineSegment[Activity]) -> Fee:
    base_fee = segment.charge.base_fee
    if base_fee is None:
        return Fee(segment.version, ZERO, Fraction(0))
    return Fee(segment.version, base_fee.amount, segment.agent_share if base_fee.per == "agent" else segment.share)


def _base_fee_parts(segments: Sequence[LineSegment[Activity]], fees: Sequence[Fee]) -> list[Part]:
    by_agent = {
        segment.version
        for segment in segments
        if segment.charge.base_fee is not None and segment.charge.base_fee.per == "agent"
    }
    per_charge = [fee for fee in fees if fee.version not in by_agent]
    per_agent = [fee for fee in fees if fee.version in by_agent]
    return fee_parts(per_charge, each_whole=False) + fee_parts(per_agent, each_whole=True)


def _maximum_part(segments: Sequence[LineSegment[Activity]], due: Sequence[Fraction]) -> list[Part]:
    """Segments with a maximum are capped together; the others add their own part."""
    capped = Fraction(0)
    maximum = Fraction(0)
    for segment, own in zip(segments, due, strict=True):
        if segment.charge.maximum is not None:
            capped += own
            maximum += Fraction(segment.charge.maximum) * segment.share
    return [Part("maximum", amount=maximum - capped)] if capped > maximum else []


def _minimum_part(segments: Sequence[LineSegment[Activity]], due: Fraction, *, unused: bool) -> list[Part]:
    """The line is lifted to the sum of its minima; an unused line only by those that hold when unused."""
    minimum = sum(
        (
            Fraction(segment.charge.minimum) * segment.share
            for segment in segments
            if segment.charge.minimum is not None and (segment.charge.minimum_when_unused or not unused)
        ),
        Fraction(0),
    )
    return [Part("minimum", amount=minimum - due)] if due < minimum else []
