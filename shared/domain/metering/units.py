"""Unit conversion: from the units that events count to the units that are priced."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal, Self

from pydantic import model_validator

from shared.domain.kernel.money import NonNegativeQuantity, plain
from shared.domain.kernel.validation import refusal
from shared.domain.kernel.value import Value


class UnitConversion(Value):
    """Divides, multiplies or rounds a period's quantity: tokens to millions of tokens, for example."""

    multiply_by: NonNegativeQuantity | None = None
    """The factor; null where it divides or leaves the quantity as it is."""
    divide_by: NonNegativeQuantity | None = None
    """The divisor; null where it multiplies or leaves the quantity as it is."""
    rounding: Literal["up", "down", "half_up"] | None = None
    """To an integer, once for the whole period."""

    @model_validator(mode="after")
    def _one_factor(self) -> Self:
        if self.multiply_by is not None and self.divide_by is not None:
            raise refusal((("divide_by",), "cannot be combined with multiply_by"))
        if self.multiply_by is None and self.divide_by is None and self.rounding is None:
            raise refusal(((), "needs multiply_by, divide_by or rounding"))
        for name in ("multiply_by", "divide_by"):
            if getattr(self, name) == 0:
                raise refusal(((name,), "has to be more than 0"))
        return self

    @property
    def factor(self) -> Fraction:
        if self.divide_by is not None:
            return 1 / Fraction(self.divide_by)
        return Fraction(1 if self.multiply_by is None else self.multiply_by)

    def convert(self, value: Fraction) -> Fraction:
        converted = value * self.factor
        match self.rounding:
            case "up":
                return Fraction(-(-converted // 1))
            case "down":
                return Fraction(converted // 1)
            case "half_up":
                return Fraction((converted + Fraction(1, 2)) // 1)
            case None:
                return converted

    def name_of(self, unit: str) -> str:
        """What one of the converted units is called: `1000000 input_tokens`."""
        if self.factor == 1:
            return unit
        if self.divide_by is not None:
            return f"{plain(self.divide_by)} {unit}"
        return f"1/{plain(self.multiply_by or Decimal(1))} {unit}"
