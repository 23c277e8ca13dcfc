"""What agents achieve, priced by what it is worth or by how often."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.domain.charges.charge import LineSegment, RatedCharge, Scope, only_version
from shared.domain.charges.fees import Fee
from shared.domain.charges.modifiers import ModifiedCharge
from shared.domain.charges.stated import Stated
from shared.domain.charges.usage import Use, beside, gauges_of, priced, refusals_of_use, stated_beside
from shared.domain.lines import Part, sum_of
from shared.domain.meters import Event, Gauge, Measure, Meter, UnmeterableError, at_path, number_at
from shared.domain.money import ZERO, NonNegativeAmount
from shared.domain.periods import Span
from shared.domain.pricing import Pricing
from shared.domain.pricing.rule import percent_of
from shared.domain.readings import Reading, Tally
from shared.domain.validation import Place, refusal

VALUE_PATH = "data.value"
OUTCOME_TYPE = "outcome."


class SuccessBonus(BaseModel):
    """Percent of all values of the period, once they come to `from_value`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_value: NonNegativeAmount = ZERO
    percent: NonNegativeAmount


class Outcome(ModifiedCharge):
    """The part for outcomes is their price and the risk premium on it, plus the bonus; the maximum leaves the base fee
    whole. Values below `minimum_value` do not count.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("type", "meter", "scope")

    type: Literal["outcome"]
    meter: Meter
    pricing: Pricing
    scope: Scope = "organization"
    verification: Literal["required", "none"] = "required"
    attribution_window_days: Annotated[int, Field(ge=0, le=3660, strict=True)] = 30
    minimum_value: NonNegativeAmount | None = None
    risk_premium_percent: NonNegativeAmount = ZERO
    success_bonus: SuccessBonus | None = None

    @model_validator(mode="after")
    def _suits(self) -> Self:
        wrong = list(refusals_of_use(self.pricing, self.meter, ZERO, None))
        if not self.meter.event_type.startswith(OUTCOME_TYPE):
            wrong.append((("meter", "event_type"), f"has to be the type of an outcome: {OUTCOME_TYPE}<name>"))
        if self.meter.aggregation not in ("count", "sum"):
            wrong.append((("meter", "aggregation"), "has to be count or sum"))
        if wrong:
            raise refusal(*wrong)
        return self

    @property
    def purpose(self) -> str:
        name = self.meter.event_type.removeprefix(OUTCOME_TYPE)
        return f"by the value of {name} outcomes" if self.pricing.BY_VALUE else f"per {name} outcome"

    @property
    def measured_on_arrival(self) -> bool:
        return self.verification == "none"

    @property
    def of_money(self) -> bool:
        return True

    @cached_property
    def meters(self) -> Mapping[str, Measure]:
        return {self.key: self.meter}

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        worth = _Worth(self.meter, self.value_path, self.value_factor, Fraction(self.minimum_value or 0))
        return gauges_of(self.key, worth, self.pricing, self.value_factor)

    @property
    def value_path(self) -> str:
        return self.meter.value or VALUE_PATH

    @property
    def value_factor(self) -> Fraction:
        """A unit conversion is of what the meter adds up; counted outcomes are worth what they say."""
        return Fraction(1) if self.meter.value is None else self.meter.factor

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        charge, span = segments[0].charge, segments[0].span
        used = priced([_use(segment) for segment in segments], span)
        worth = [_worth(segment) for segment in segments]
        total = sum(worth, Fraction(0))
        parts = [
            [*own, *_premium(segment, own), *_bonus(segment, value, total)]
            for segment, own, value in zip(segments, used, worth, strict=True)
        ]
        quantity = charge.meter.quantities([segment.readings[charge.key] for segment in segments], span)[-1]
        return RatedCharge(
            quantity=quantity,
            unit=charge.meter.unit_name,
            unit_amount=charge.pricing.single_price if only_version(segments) else None,
            parts=cls.modified(segments, parts, quantity),
        )

    @classmethod
    def maximum_parts(
        cls, segments: Sequence[LineSegment[Self]], fees: Sequence[Fee], due: Sequence[Fraction]
    ) -> list[Part]:
        """Fee + min(part for outcomes, max(0, maximum - fee)), over the segments with a maximum."""
        capped = [
            (fee.due, own, Fraction(segment.charge.maximum) * segment.share)
            for segment, fee, own in zip(segments, fees, due, strict=True)
            if segment.charge.maximum is not None
        ]
        fee = sum((each for each, _, _ in capped), Fraction(0))
        outcomes = sum((own for _, own, _ in capped), Fraction(0)) - fee
        room = max(Fraction(0), sum((maximum for _, _, maximum in capped), Fraction(0)) - fee)
        return [Part("maximum", amount=room - outcomes)] if capped and outcomes > room else []

    def readings_of(self, stated: Stated, span: Span) -> dict[str, Reading]:
        del span
        stated.only("quantity", "value", "values")
        least = Fraction(self.minimum_value or 0)
        events = stated.events(each_needed=self.pricing.needs_values or bool(least)).of_at_least(least)
        own = Tally(events.count, events.sum / self.value_factor)
        return {self.key: own} | stated_beside(self.key, self.pricing, events, self.value_factor)

    def refusals_in_model(self) -> Iterator[tuple[Place, str]]:
        return self.pricing.refusals_in_model()


@dataclass(frozen=True, slots=True)
class _Worth:
    """How many outcomes that count, and what they are worth; one that says nothing of its value is worth nothing."""

    meter: Meter
    path: str
    factor: Fraction
    least: Fraction

    @property
    def nothing(self) -> Tally:
        return Tally()

    def measure(self, event: Event) -> Tally | None:
        if not self.meter.matches(event):
            return None
        value = ZERO if at_path(event.data, self.path) is None else number_at(event.data, self.path, event.type)
        return None if Fraction(value) * self.factor < self.least else Tally(1, value)


def _use(segment: LineSegment[Outcome]) -> Use:
    """Percentages are of the values, other prices of the meter's quantity."""
    charge = segment.charge
    meter = charge.meter
    if charge.pricing.BY_VALUE and meter.aggregation == "count":
        meter = meter.model_copy(update={"aggregation": "sum", "value": charge.value_path, "unit": None})
    return Use(
        version=segment.version,
        meter=meter,
        pricing=charge.pricing,
        reading=segment.readings[charge.key],
        beside=beside(charge.key, segment.readings),
    )


def _worth(segment: LineSegment[Outcome]) -> Fraction:
    reading = segment.readings[segment.charge.key]
    if not isinstance(reading, Tally):
        raise UnmeterableError("outcomes are counted and added up")
    return Fraction(reading.sum) * segment.charge.value_factor


def _premium(segment: LineSegment[Outcome], used: Sequence[Part]) -> list[Part]:
    percent = segment.charge.risk_premium_percent
    premium = percent_of(sum_of(used), percent)
    return [Part("premium", amount=premium, version=segment.version, rate=percent)] if premium else []


def _bonus(segment: LineSegment[Outcome], value: Fraction, total: Fraction) -> list[Part]:
    bonus = segment.charge.success_bonus
    if bonus is None or total < bonus.from_value or not value:
        return []
    amount = percent_of(value, bonus.percent)
    return [Part("bonus", amount=amount, version=segment.version, quantity=value, rate=bonus.percent)]
