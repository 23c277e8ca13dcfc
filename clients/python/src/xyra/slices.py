"""What a process may spend of a lease by itself: counted in memory, without asking for each amount."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from xyra.amounts import EXACT, SMALLEST_AMOUNT, credits_for


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of this machine, by two clocks: one may be set, the other stands still while the machine sleeps."""

    running: float
    by_the_wall: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.monotonic(), time.time())

    def after(self, seconds: float) -> Moment:
        return Moment(self.running + seconds, self.by_the_wall + seconds)

    def is_over(self) -> bool:
        """As soon as one of the clocks says so: too early costs a request, too late passes a cap."""
        return time.monotonic() >= self.running or time.time() >= self.by_the_wall


@dataclass(slots=True, eq=False)
class Slice:
    """One lease at Xyra, and what this process has spent of it. Whoever changes it holds its lease's lock."""

    id: str
    value: Decimal
    """What one of its credits counts in the unit of all amounts here."""
    worth: Decimal = Decimal(0)
    """All that may be spent of it."""
    until: Moment = field(default_factory=Moment.now)
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    """By calls that are under way."""
    reported: Decimal = Decimal(0)
    """In credits, as the spool has it."""
    reported_at: float = field(default_factory=time.monotonic)
    debt: Decimal = Decimal(0)
    """Credits that were spent while Xyra was out of reach and are not in the spool yet."""
    is_ending: bool = False
    is_ended: bool = False
    """Whether the spool has its last report."""
    is_of_parent: bool = False
    """Whether it was copied by a fork: who has made it accounts for it."""

    def give(self, credit: Decimal, until: Moment) -> None:
        """It is worth so many credits in all now, and may be spent until then, or longer as before."""
        self.worth = EXACT.multiply(credit, self.value).quantize(SMALLEST_AMOUNT, ROUND_DOWN, EXACT)
        self.until = Moment(max(until.running, self.until.running), max(until.by_the_wall, self.until.by_the_wall))

    @property
    def left(self) -> Decimal:
        return self.worth - self.spent - self.reserved

    def has(self, amount: Decimal) -> bool:
        return self.spent + self.reserved + amount <= self.worth and not (self.is_ending or self.until.is_over())

    def total(self) -> Decimal:
        """Everything that was spent of it, in credits: rounded up once, so it stays within what was given."""
        return credits_for(self.spent, self.value)
