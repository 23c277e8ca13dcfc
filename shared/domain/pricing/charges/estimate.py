"""Estimates: usage that is assumed, not metered, to calculate what it would cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.validation import pointer
from shared.domain.pricing.rules.rule import EstimatedEvents

MAXIMUM_AGENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """The assumed usage of one charge: the entry at `index` of the request's `usage`.

    Quantities are in units of the charge's meter after its conversion, values in the currency of the billing model.
    """

    index: int
    charge: str
    quantity: Decimal | None = None
    value: Decimal | None = None
    values: tuple[Decimal, ...] | None = None
    workflows: Mapping[str, Decimal] | None = None
    agents: Fraction | None = None

    def allow_only(self, *fields: str) -> None:
        """Raise `ValidationError` for any other field that is given."""
        for name in ("quantity", "value", "values", "workflows"):
            if name not in fields and getattr(self, name) is not None:
                raise self.refused(name, f"has no meaning for the charge {self.charge}")

    @property
    def has_values(self) -> bool:
        return self.value is not None or self.values is not None

    def events(self, *, each_needed: bool, value_needed: bool) -> EstimatedEvents:
        """The estimated events, with each value or with the sum of all.

        Raises `ValidationError` where each value is needed and only their sum is given, and where any value is needed
        and none is given.
        """
        order = f"{self.index:06d}"
        if self.values is not None:
            for name in ("quantity", "value"):
                if getattr(self, name) is not None:
                    raise self.refused(name, "cannot be combined with values, which say it")
            values = tuple(Fraction(value) for value in self.values)
            return EstimatedEvents(Fraction(len(values)), sum(values, Fraction(0)), values, order)
        count = self._event_count()
        total = Fraction(self.value or 0)
        if each_needed and count > 1:
            raise self.refused("values", "is needed, because the price depends on the value of each event")
        if value_needed and count and self.value is None:
            raise self.refused("value", "is needed, or values in its place, because the price depends on it")
        return EstimatedEvents(count, total, (total,) if count == 1 else (), order)

    def _event_count(self) -> Fraction:
        if self.quantity is None:
            return Fraction(int(self.value is not None))
        if self.quantity != int(self.quantity):
            raise self.refused("quantity", "is how many events there are, so it has to be a whole number")
        return Fraction(self.quantity)

    def whole_number(self, name: str, number: Fraction, minimum: int = 0) -> Fraction:
        """A number of agents or seats. Raises `ValidationError` where it cannot be one."""
        if number != int(number) or not minimum <= number <= MAXIMUM_AGENTS:
            raise self.refused(name, f"has to be a whole number from {minimum} to {MAXIMUM_AGENTS}")
        return number

    def refused(self, name: str, detail: str, *below: str) -> ValidationError:
        """The error for a field of this entry, or for what is below the field."""
        return ValidationError.at(pointer(("usage", self.index, name, *below)), detail)
