"""What all pricings of a quantity have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from shared.domain.lines import Part, sum_of


@dataclass(frozen=True, slots=True)
class Portion:
    """The part (start, end] of a line's quantity, which in all is `total`. The first portion of a line carries what a
    zero quantity pays.
    """

    start: Fraction
    end: Fraction
    total: Fraction
    first: bool

    @classmethod
    def whole(cls, quantity: Fraction) -> "Portion":
        return cls(Fraction(0), quantity, quantity, first=True)

    @property
    def quantity(self) -> Fraction:
        return self.end - self.start


class QuantityPricing(BaseModel, ABC):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def single_price(self) -> Decimal | None:
        """The price of a unit, where all units have the same."""
        return None

    @abstractmethod
    def parts(self, portion: Portion, version: int) -> Sequence[Part]:
        """What the portion costs. Portions that follow each other cost together what the whole costs."""

    def price(self, quantity: Fraction) -> Fraction:
        return sum_of(self.parts(Portion.whole(quantity), version=1))
