"""Outcome charge: results that agents report, priced by their number or their value."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.kernel.times import from_text, read_time
from shared.domain.kernel.validation import FieldPath, refusal
from shared.domain.kernel.value import Value
from shared.domain.metering.gauges import Event, Gauge, UnmeterableError
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.metering.values import at_path
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import LineSegment, RatedCharge, Scope, is_one_version
from shared.domain.pricing.charges.estimate import Estimate
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE, VALUE_PATH, ValueGauge, value_of
from shared.domain.pricing.charges.fees import Fee
from shared.domain.pricing.charges.metered_charge import MeteredCharge
from shared.domain.pricing.charges.metered_gauges import (
    estimated_pricing_readings,
    metered_amount_paths,
    refused_combinations,
    with_pricing_gauges,
)
from shared.domain.pricing.charges.metered_usage import MeteredSegment, usage_steps
from shared.domain.pricing.lines import ExactStep, exact_sum
from shared.domain.pricing.rules.rule import percent_of

INTERACTION_PATH = "data.interaction_time"

Verifier = Literal["operator", "organization"]
"""Who may verify outcomes; the operator always may."""


class SuccessBonus(Value):
    """A percentage of all values, once their sum reaches a threshold."""

    from_value: NonNegativeAmount = ZERO
    """The sum of the line's values from which on the bonus is due."""
    percent: NonNegativeAmount
    """In percent of all values, not only of those beyond the threshold."""


class AutoVerify(Value):
    """Bounds of the values that are verified on arrival; at least one bound is given."""

    minimum_value: NonNegativeAmount | None = None
    """Inclusive."""
    maximum_value: NonNegativeAmount | None = None
    """Inclusive."""

    @model_validator(mode="after")
    def _minimum_below_maximum(self) -> Self:
        minimum, maximum = self.minimum_value, self.maximum_value
        if minimum is None and maximum is None:
            raise refusal(((), "needs minimum_value or maximum_value"))
        if minimum is not None and maximum is not None and minimum > maximum:
            raise refusal((("minimum_value",), "is more than maximum_value"))
        return self

    def covers(self, value: Fraction) -> bool:
        minimum, maximum = self.minimum_value, self.maximum_value
        return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


class OutcomeCharge(MeteredCharge):
    """What agents achieve, priced by the number or the value of verified outcomes.

    A line is the price of the outcomes, a risk premium on it and a success bonus, beside the base fee. The maximum
    reduces the price of outcomes only, never the base fee.
    """

    type: Literal["outcome"]
    scope: Scope = "organization"
    verification: Literal["required", "none"] = "required"
    """Whether outcomes count once verified, or as soon as they are reported."""
    auto_verify: AutoVerify | None = None
    """Which outcomes are verified on arrival, where verification is required."""
    verified_by: Verifier = "operator"
    """Who may verify outcomes besides the operator."""
    attribution_window_days: Annotated[int, Field(ge=0, le=3660, strict=True)] = 30
    """The days within which an outcome has to follow its interaction."""
    minimum_value: NonNegativeAmount | None = None
    """Outcomes of less value do not count."""
    risk_premium_percent: NonNegativeAmount = ZERO
    """Added to the price of the outcomes, in percent of it."""
    success_bonus: SuccessBonus | None = None
    """Due besides, once the outcomes' total value is high enough."""

    @model_validator(mode="after")
    def _fields_go_together(self) -> Self:
        refused = list(refused_combinations(self.pricing, self.meter, ZERO, None))
        if not self.meter.event_type.startswith(OUTCOME_TYPE):
            refused.append((("meter", "event_type"), f"has to be the type of an outcome: {OUTCOME_TYPE}<name>"))
        if self.meter.aggregation not in ("count", "sum"):
            refused.append((("meter", "aggregation"), "has to be count or sum"))
        if self.verification == "none" and self.auto_verify is not None:
            refused.append((("auto_verify",), "is for outcomes whose verification is required"))
        if refused:
            raise refusal(*refused)
        return self

    @property
    def purpose(self) -> str:
        name = self.meter.event_type.removeprefix(OUTCOME_TYPE)
        return f"by the value of {name} outcomes" if self.pricing.BASIS == "values" else f"per {name} outcome"

    @cached_property
    def gauges(self) -> Mapping[str, Gauge]:
        values = ValueGauge(self.meter, self.value_path, self.value_factor, Fraction(self.minimum_value or 0))
        return with_pricing_gauges(self.key, values, self.pricing, self.value_factor)

    @property
    def value_path(self) -> str:
        """Where an outcome's value is: at the meter's path, else at `data.value`."""
        return self.meter.value or VALUE_PATH

    @property
    def value_factor(self) -> Fraction:
        """The unit conversion of values; a meter that counts outcomes does not convert their values."""
        return Fraction(1) if self.meter.value is None else self.meter.factor

    # Whether an outcome counts

    def counts_on_arrival(self, event: Event) -> bool:
        return self.meter.matches(event) and self.attributes(event) and self.verifies(event)

    def awaits(self, event: Event) -> bool:
        return self.meter.matches(event) and self.attributes(event) and not self.verifies(event)

    def attributes(self, event: Event) -> bool:
        """Whether a matching outcome lies within the attribution window of its interaction.

        An outcome without an interaction does. Raises `UnmeterableError`.
        """
        interaction = _interaction_time(event)
        window = timedelta(days=self.attribution_window_days)
        return interaction is None or from_text(event.time) - interaction <= window

    def verifies(self, event: Event) -> bool:
        """Whether a matching outcome is verified on arrival. Raises `UnmeterableError`."""
        if self.verification == "none":
            return True
        return self.auto_verify is not None and self.auto_verify.covers(
            Fraction(value_of(event, self.value_path)) * self.value_factor
        )

    # Which of its numbers are money

    def amount_paths(self, event: Event) -> frozenset[str]:
        return self._amount_paths if self.meter.matches(event) and self.attributes(event) else frozenset()

    @cached_property
    def _amount_paths(self) -> frozenset[str]:
        paths = metered_amount_paths(self.meter, self.pricing)
        reads_value = self.pricing.BASIS == "values" or self._has_value_terms or self.auto_verify is not None
        return paths | {self.value_path} if reads_value else paths

    @property
    def _has_value_terms(self) -> bool:
        return bool(self.minimum_value) or self.success_bonus is not None

    def money_fields(self) -> Iterator[FieldPath]:
        yield from super().money_fields()
        if self.meter.value not in (None, VALUE_PATH):
            terms = ("minimum_value", "success_bonus", "auto_verify")
            yield from ((name,) for name in terms if getattr(self, name))

    # What a line costs

    @classmethod
    def rated(cls, segments: Sequence[LineSegment[Self]]) -> RatedCharge:
        charge, span = segments[0].charge, segments[0].span
        price = usage_steps(cls.metered_segments(segments), span)
        values = [_value(segment) for segment in segments]
        total_value = sum(values, Fraction(0))
        usage = [
            [*steps, *_premium_steps(segment, steps), *_bonus_steps(segment, value, total_value)]
            for segment, steps, value in zip(segments, price, values, strict=True)
        ]
        quantity = charge.meter.quantities([segment.readings[charge.key] for segment in segments], span)[-1]
        return RatedCharge(
            quantity=quantity,
            unit=charge.meter.unit_name,
            unit_amount=charge.pricing.single_price if is_one_version(segments) else None,
            steps=cls.modified_steps(segments, usage, quantity),
        )

    def metered(self, segment: LineSegment[Self]) -> MeteredSegment:
        meter = self.meter
        if self.pricing.BASIS == "values" and meter.aggregation == "count":
            # It counts outcomes, but its pricing is of their values.
            meter = meter.model_copy(update={"aggregation": "sum", "value": self.value_path, "unit": None})
        return MeteredSegment(
            version=segment.version,
            agent_id=segment.agent_id,
            name=self.key,
            meter=meter,
            pricing=self.pricing,
            readings=segment.readings,
            pays_flat_amounts=segment.has_days,
        )

    @classmethod
    def maximum_steps(
        cls, segments: Sequence[LineSegment[Self]], fees: Sequence[Fee], due: Sequence[Fraction]
    ) -> list[ExactStep]:
        """What the maximum takes off the price of outcomes: fee + min(outcomes, max(0, maximum - fee))."""
        capped = [
            (fee.due, amount, Fraction(segment.charge.maximum) * segment.share)
            for segment, fee, amount in zip(segments, fees, due, strict=True)
            if segment.charge.maximum is not None
        ]
        base_fee = sum((fee for fee, _, _ in capped), Fraction(0))
        outcomes = sum((amount for _, amount, _ in capped), Fraction(0)) - base_fee
        limit = max(Fraction(0), sum((maximum for _, _, maximum in capped), Fraction(0)) - base_fee)
        return [ExactStep("maximum", amount=limit - outcomes)] if capped and outcomes > limit else []

    # What it would cost

    @property
    def prices_values(self) -> bool:
        """Whether the price depends on the outcomes' values, not only on their number."""
        return self._has_value_terms or self.pricing.BASIS != "units" or self.meter.value == VALUE_PATH

    def estimated_readings(self, estimate: Estimate, span: Span) -> dict[str, Reading]:
        """What its gauges would read: `quantity` is the metered quantity, or beside values the number of outcomes."""
        estimate.allow_only("quantity", "value", "values")
        minimum = Fraction(self.minimum_value or 0)
        is_quantity = self.meter.value is not None and self.pricing.BASIS == "units" and not minimum
        if is_quantity and not estimate.has_values:
            return {self.key: self.meter.reading_of(Fraction(estimate.quantity or 0), span)}
        events = estimate.events(
            each_needed=self.pricing.needs_each_value or bool(minimum), value_needed=self.prices_values
        ).of_at_least(minimum)
        reading = CountAndSum(events.count, events.sum / self.value_factor)
        return {self.key: reading} | estimated_pricing_readings(self.key, self.pricing, events, self.value_factor)


def _interaction_time(event: Event) -> datetime | None:
    """When the interaction was that the outcome is attributed to; None where it names none."""
    reported = at_path(event.data, INTERACTION_PATH)
    if reported is None:
        return None
    try:
        return read_time(reported)
    except ValueError as error:
        raise UnmeterableError(f"{INTERACTION_PATH} {error}") from error


def _value(segment: LineSegment[OutcomeCharge]) -> Fraction:
    """The sum of the values of the segment's outcomes."""
    reading = segment.readings[segment.charge.key]
    if not isinstance(reading, CountAndSum):
        raise UnmeterableError("outcomes are counted and added up")
    return Fraction(reading.sum) * segment.charge.value_factor


def _premium_steps(segment: LineSegment[OutcomeCharge], steps: Sequence[ExactStep]) -> list[ExactStep]:
    percent = segment.charge.risk_premium_percent
    premium = percent_of(exact_sum(steps), percent)
    return [ExactStep("premium", amount=premium, version=segment.version, rate=percent)] if premium else []


def _bonus_steps(segment: LineSegment[OutcomeCharge], value: Fraction, total_value: Fraction) -> list[ExactStep]:
    """The bonus on the segment's values, due once the line's total value reaches the threshold."""
    bonus = segment.charge.success_bonus
    if bonus is None or total_value < bonus.from_value or not value:
        return []
    amount = percent_of(value, bonus.percent)
    return [ExactStep("bonus", amount=amount, version=segment.version, quantity=value, rate=bonus.percent)]
