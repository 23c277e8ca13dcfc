"""Usage that is merely stated, to see what it would cost."""

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
    """What a usage entry says, apart from whose it is. `index` is its place among the entries."""

    index: int
    charge: str
    quantity: Decimal | None = None
    value: Decimal | None = None
    values: tuple[Decimal, ...] | None = None
    workflows: Mapping[str, Decimal] | None = None
    agents: Fraction | None = None

    def only(self, *fields: str) -> None:
        """Raises `ValidationError` at any other field that says something."""
        for name in ("quantity", "value", "values", "workflows"):
            if name not in fields and getattr(self, name) is not None:
                raise self.refused(name, f"has no meaning for the charge {self.charge}")

    @property
    def only_quantity(self) -> bool:
        return self.value is None and self.values is None

    def events(self, *, each_needed: bool, value_needed: bool) -> EstimatedEvents:
        """The events with their values: each of them, or their sum with how many there are. Raises `ValidationError`,
        also where the value of each is needed and not known, or what they are worth at all.
        """
        place = f"{self.index:06d}"
        if self.values is not None:
            for name in ("quantity", "value"):
                if getattr(self, name) is not None:
                    raise self.refused(name, "cannot stand beside values, which say it")
            values = tuple(Fraction(value) for value in self.values)
            return EstimatedEvents(Fraction(len(values)), sum(values, Fraction(0)), values, place)
        count = self._count()
        total = Fraction(self.value or 0)
        if each_needed and count > 1:
            raise self.refused("values", "is needed, because the price depends on the value of each event")
        if value_needed and count and self.value is None:
            raise self.refused("value", "is needed, or values in its place, because the price depends on it")
        return EstimatedEvents(count, total, (total,) if count == 1 else (), place)

    def _count(self) -> Fraction:
        if self.quantity is None:
            return Fraction(int(self.value is not None))
        if self.quantity != int(self.quantity):
            raise self.refused("quantity", "is how many events there are, so it has to be a whole number")
        return Fraction(self.quantity)

    def headcount(self, name: str, number: Fraction, least: int = 0) -> Fraction:
        """The number, where it is one of agents. Raises `ValidationError`."""
        if number != int(number) or not least <= number <= MAXIMUM_AGENTS:
            raise self.refused(name, f"has to be a whole number from {least} to {MAXIMUM_AGENTS}")
        return number

    def refused(self, name: str, detail: str, *below: str) -> ValidationError:
        """At a field, or at what is below it."""
        return ValidationError.at(pointer(("usage", self.index, name, *below)), detail)
