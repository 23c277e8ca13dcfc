"""The base of charges whose usage is one meter at one pricing: activities and outcomes."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import ClassVar, Self

from shared.domain.kernel.validation import FieldPath
from shared.domain.metering.gauges import Measure
from shared.domain.metering.meters import Meter
from shared.domain.pricing.charges.charge import LineSegment
from shared.domain.pricing.charges.metered_gauges import metered_money_fields, metered_number_paths
from shared.domain.pricing.charges.metered_usage import MeteredSegment
from shared.domain.pricing.charges.metered_weights import metered_weights
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.rules import Pricing


class MeteredCharge(ModifiedCharge):
    """A charge for what one meter reads, at one pricing."""

    FIXED: ClassVar[tuple[str, ...]] = ("type", "meter", "scope", "settles")

    meter: Meter
    """How events become the quantity; the same in all versions."""
    pricing: Pricing
    """The price of the quantity, or of the events' values."""

    @cached_property
    def meters(self) -> Mapping[str, Measure]:
        return {self.key: self.meter}

    def number_paths(self, event_type: str) -> frozenset[str]:
        return metered_number_paths(self.meter, self.pricing) if self.takes(event_type) else frozenset()

    @property
    def expected_steps(self) -> int:
        return len(self.gauges) + self.pricing.expected_steps

    @abstractmethod
    def metered(self, segment: LineSegment[Self]) -> MeteredSegment:
        """What a segment used under this version of the charge, with its price."""

    @classmethod
    def metered_segments(cls, segments: Sequence[LineSegment[Self]]) -> list[MeteredSegment]:
        return [segment.charge.metered(segment) for segment in segments]

    @classmethod
    def weights(cls, segments: Sequence[LineSegment[Self]]) -> Mapping[str, Fraction]:
        return metered_weights(cls.metered_segments(segments), segments[0].span)

    def money_fields(self) -> Iterator[FieldPath]:
        return metered_money_fields(self.meter, self.pricing)

    def refusals_when_saved(self) -> Iterator[tuple[FieldPath, str]]:
        return self.pricing.refusals_when_saved()
