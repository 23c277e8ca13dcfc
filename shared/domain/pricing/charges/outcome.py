"""What agents achieve, priced by what it is worth or by how often."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.kernel.times import from_text, read_time
from shared.domain.kernel.validation import Place, refusal
from shared.domain.metering.meters import Event, Gauge, Measure, Meter, UnmeterableError, at_path
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, only_version
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE, VALUE_PATH, ValueGauge, value_of
from shared.domain.pricing.charges.fees import Fee
from shared.domain.pricing.charges.metered_usage import (
    MeteredSegment,
    estimated_pricing_readings,
    gauges_with_pricing,
    metered_amount_paths,
    money_fields,
    pricing_refusals,
    usage_steps,
    weights_of_metered,
)
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules import Pricing
from shared.domain.pricing.rules.rule import percent_of

INTERACTION_PATH = "data.interaction_time"

Verifier = Literal["operator", "organization"]
"""Who may verify outcomes; the operator always may."""


class SuccessBonus(BaseModel):
    """Percent of all values of the period, once they come to `from_value`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_value: NonNegativeAmount = ZERO
    percent: NonNegativeAmount


class AutoVerify(BaseModel):
    """Outcomes of such values need nobody to verify them. The bounds belong to it; one that is not given is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum_value: NonNegativeAmount | None = None
    maximum_value: NonNegativeAmount | None = None

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        least, most = self.minimum_value, self.maximum_value
        if least is None and most is None:
            raise refusal(((), "needs minimum_value or maximum_value"))
        if least is not None and most is not None and least > most:
            raise refusal((("minimum_value",), "is more than maximum_value"))
        return self

    def covers(self, value: Fraction) -> bool:
        least, most = self.minimum_value, self.maximum_value
        return (least is None or value >= least) and (most is None or value <= most)


class OutcomeCharge(ModifiedCharge):
    """The part for outcomes is their price and the risk premium on it, plus the bonus; the maximum leaves the base fee
    whole. Values below `minimum_value` do not count.
    """

    FIXED: ClassVar[tuple[str, ...]] = ("type", "meter", "scope")

    type: Literal["outcome"]
    meter: Meter
    pricing: Pricing
    scope: Scope = "organization"
    verification: Literal["required", "none"] = "required"
    auto_verify: AutoVerify | None = None
    """Which outcomes are verified as they arrive, where verification is required."""
    verified_by: Verifier = "operator"
    attribution_window_days: Annotated[int, Field(ge=0, le=3660, strict=True)] = 30
    minimum_value: NonNegativeAmount | None = None
    risk_premium_percent: NonNegativeAmount = ZERO
    success_bonus: SuccessBonus | None = None

    @model_validator(mode="after")
    def _suits(self) -> Self:
        wrong = list(pricing_refusals(self.pricing, self.meter, ZERO, None))
        if not self.meter.event_type.startswith(OUTCOME_TYPE):
            wrong.append((("meter", "event_type"), f"has to be the type of an outcome: {OUTCOME_TYPE}<name>"))
        if self.meter.aggregation not in ("count", "sum"):
            wrong.append((("meter", "aggregation"), "has to be count or sum"))
        if self.verification == "none" and self.auto_verify is not None:
            wrong.append((("auto_verify",), "is for outcomes whose verification is required"))
        if wrong:
            raise refusal(*wrong)
        return self

    @property
    def purpose(self) -> str:
        name = self.meter.event_type.removeprefix(OUTCOME_TYPE)
        return f"by the value of {name} outcomes" if self.pricing.BY_VALUE else f"per {name} outcome"

    def counts_on_arrival(self, event: Event) -> bool:
        return self.meter.matches(event) and self.attributes(event) and self.verifies(event)

    def awaits(self, event: Event) -> bool:
        return self.meter.matches(event) and self.attributes(event) and not self.verifies(event)

    def attributes(self, event: Event) -> bool:
        """Whether an outcome that matches happened soon enough after the interaction that it is said to come from.
        Raises `UnmeterableError`.
        """
        interaction = _interaction_of(event)
        window = timedelta(days=self.attribution_window_days)
        return interaction is None or from_text(event.time) - interaction <= window

    def verifies(self, event: Event) -> bool:
        """Whether an outcome that matches needs nobody to verify it. Raises `UnmeterableError`."""
        if self.verification == "none":
            return True
        return self.auto_verify is not None and self.auto_verify.covers(
            Fraction(value_of(event, self.value_path)) * self.value_factor
        )

    @property
    def prices_values(self) -> bool:
        """Whether it matters what the outcomes are worth, not only how many or how much they are."""
        return self._has_terms or not self.pricing.COUNTS_UNITS or self.meter.value == VALUE_PATH

    @property
    def _has_terms(self) -> bool:
        return bool(self.minimum_value) or self.success_bonus is not None

    def amount_paths(self, event: Event) -> frozenset[str]:
        return self._amount_paths if self.meter.matches(event) and self.attributes(event) else frozenset()

    @cached_property
    def _amount_paths(self) -> frozenset[str]:
        of_use = metered_amount_paths(self.meter, self.pricing)
        reads_value = self.pricing.BY_VALUE or self._has_terms or self.auto_verify is not None
        return of_use | {self.value_path} if reads_value else of_use

    def money_fields(self) -> Iterator[Place]:
        yield from money_fields(self.meter, self.pricing)
        if self.meter.value not in (None, VALUE_PATH):
            terms = ("minimum_value", "success_bonus", "auto_verify")
            yield from ((name,) for name in terms if getattr(self, name))

    @property
    def expected_steps(self) -> int:
        return len(self.gauges) + self.pricing.expected_steps

    @cached_property
    def meters(self) -> Mapping[str, Measure]:
        return {self.key: self.meter}

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        worth = ValueGauge(self.meter, self.value_path, self.value_factor, Fraction(self.minimum_value or 0))
        return gauges_with_pricing(self.key, worth, self.pricing, self.value_factor)

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
        used = usage_steps([_metered(segment) for segment in segments], span)
        worth = [_worth(segment) for segment in segments]
        total = sum(worth, Fraction(0))
        steps = [
            [*own, *_premium(segment, own), *_bonus(segment, value, total)]
            for segment, own, value in zip(segments, used, worth, strict=True)
        ]
        quantity = charge.meter.quantities([segment.readings[charge.key] for segment in segments], span)[-1]
        return RatedCharge(
            quantity=quantity,
            unit=charge.meter.unit_name,
            unit_amount=charge.pricing.single_price if only_version(segments) else None,
            steps=cls.modified(segments, steps, quantity),
        )

    @classmethod
    def weights(cls, segments: Sequence[LineSegment[Self]]) -> Mapping[str, Fraction]:
        agent_ids = [segment.agent_id for segment in segments]
        return weights_of_metered(agent_ids, [_metered(segment) for segment in segments], segments[0].span)

    @classmethod
    def maximum_steps(
        cls, segments: Sequence[LineSegment[Self]], fees: Sequence[Fee], due: Sequence[Fraction]
    ) -> list[ExactStep]:
        """Fee + min(part for outcomes, max(0, maximum - fee)), over the segments with a maximum."""
        capped = [
            (fee.due, own, Fraction(segment.charge.maximum) * segment.share)
            for segment, fee, own in zip(segments, fees, due, strict=True)
            if segment.charge.maximum is not None
        ]
        fee = sum((each for each, _, _ in capped), Fraction(0))
        outcomes = sum((own for _, own, _ in capped), Fraction(0)) - fee
        room = max(Fraction(0), sum((maximum for _, _, maximum in capped), Fraction(0)) - fee)
        return [ExactStep("maximum", amount=room - outcomes)] if capped and outcomes > room else []

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        """The quantity is what the meter counts or adds up; beside values it is how many outcomes they are of."""
        estimate.only("quantity", "value", "values")
        least = Fraction(self.minimum_value or 0)
        if self.meter.value is not None and self.pricing.COUNTS_UNITS and not least and estimate.only_quantity:
            return {self.key: self.meter.reading_of(Fraction(estimate.quantity or 0), span)}
        events = estimate.events(
            each_needed=self.pricing.needs_values or bool(least), value_needed=self.prices_values
        ).of_at_least(least)
        own = CountAndSum(events.count, events.sum / self.value_factor)
        return {self.key: own} | estimated_pricing_readings(self.key, self.pricing, events, self.value_factor)

    def refusals_when_saved(self) -> Iterator[tuple[Place, str]]:
        return self.pricing.refusals_when_saved()


def _interaction_of(event: Event) -> datetime | None:
    """None where nothing is said of it; that is checked when events are accepted."""
    estimate = at_path(event.data, INTERACTION_PATH)
    if estimate is None:
        return None
    try:
        return read_time(estimate)
    except ValueError as error:
        raise UnmeterableError(f"{INTERACTION_PATH} {error}") from error


def _metered(segment: LineSegment[OutcomeCharge]) -> MeteredSegment:
    """Percentages are of the values, other prices of the meter's quantity."""
    charge = segment.charge
    meter = charge.meter
    if charge.pricing.BY_VALUE and meter.aggregation == "count":
        meter = meter.model_copy(update={"aggregation": "sum", "value": charge.value_path, "unit": None})
    return MeteredSegment(
        version=segment.version,
        name=charge.key,
        meter=meter,
        pricing=charge.pricing,
        readings=segment.readings,
    )


def _worth(segment: LineSegment[OutcomeCharge]) -> Fraction:
    reading = segment.readings[segment.charge.key]
    if not isinstance(reading, CountAndSum):
        raise UnmeterableError("outcomes are counted and added up")
    return Fraction(reading.sum) * segment.charge.value_factor


def _premium(segment: LineSegment[OutcomeCharge], used: Sequence[ExactStep]) -> list[ExactStep]:
    percent = segment.charge.risk_premium_percent
    premium = percent_of(exact_sum(used), percent)
    return [ExactStep("premium", amount=premium, version=segment.version, rate=percent)] if premium else []


def _bonus(segment: LineSegment[OutcomeCharge], value: Fraction, total: Fraction) -> list[ExactStep]:
    bonus = segment.charge.success_bonus
    if bonus is None or total < bonus.from_value or not value:
        return []
    amount = percent_of(value, bonus.percent)
    return [ExactStep("bonus", amount=amount, version=segment.version, quantity=value, rate=bonus.percent)]
