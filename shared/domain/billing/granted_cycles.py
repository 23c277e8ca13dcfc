"""Granted cycles: the credits that a place brought in a cycle, as decided and as given.

What is due grows and falls with changes of the plan. More is another grant; less is taken back from the newest first.
So a cycle leaves no more credits than are due, however often it goes up and down.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.money import ZERO, ExactDecimal
from shared.domain.kernel.times import Instant, to_text
from shared.domain.kernel.value import Value
from shared.domain.periods.periods import Period
from shared.domain.pricing.plan_grants import DueGrant, GrantName, PlanGrant
from shared.domain.pricing.plan_intervals import PlanInterval


class GivenGrant(Value):
    """One grant of credits. Its amount never changes."""

    amount: ExactDecimal
    promotional: bool
    expires_at: Instant | None
    rollover: ExactDecimal
    """How many of its credits at most go on for one more cycle."""


class GrantedLine(Value):
    """All credits of one key and kind in a cycle."""

    key: str
    kind: str
    grants: tuple[GivenGrant, ...] = ()
    """Oldest first."""
    due: ExactDecimal = ZERO
    has_fallen: bool = False
    """Whether some was ever taken back, so that it may have to be taken back or returned again."""

    @property
    def given(self) -> Decimal:
        return sum((grant.amount for grant in self.grants), ZERO)

    @property
    def taken_back(self) -> tuple[Decimal, ...]:
        """How much of each grant is to be taken back: of the newest first."""
        excess = self.given - self.due
        amounts: list[Decimal] = []
        for grant in reversed(self.grants):
            amounts.append(min(grant.amount, excess))
            excess -= amounts[-1]
        return tuple(reversed(amounts))

    def converged(
        self, due: Decimal, terms: PlanGrant | None, ends_at: datetime, *, is_paid: bool = True
    ) -> "GrantedLine":
        """On another amount. `terms` are those of what is more; None where nothing is due any more.

        What comes with the payment of a cycle that is not paid does not rise.
        """
        if terms is not None and terms.on == "paid" and not is_paid:
            due = min(due, self.due)
        more = due - self.given
        if more <= 0 or terms is None:
            return self.model_copy(update={"due": due, "has_fallen": self.has_fallen or more < 0})
        rolling = sum((grant.rollover for grant in self.grants), ZERO)
        grant = GivenGrant(
            amount=more,
            promotional=terms.promotional,
            expires_at=ends_at if terms.expires == "cycle" else None,
            rollover=max(ZERO, terms.rollover - rolling),
        )
        return self.model_copy(update={"due": due, "grants": (*self.grants, grant)})


class GrantedCycle(Entity):
    """What was decided about a place's credits in a cycle. Its ETag is the guard of all hosts that decide."""

    kind: ClassVar[str] = "granted_cycle"
    audit: ClassVar[Audit] = FOLLOWS

    place: str
    interval: PlanInterval = "month"
    start: Instant
    end: Instant
    """Earlier than it was where another cycle cuts it."""
    revision: int = 0
    """That of the places which the last decision rests on."""
    begun: int = 0
    """How many entries of the place's history had begun then."""
    is_paid: bool = False
    """Whether nothing of the cycle's fees in advance was owed then; asked where credits come with their payment."""
    version: int = 0
    """Counts the decisions that moved something."""
    applied: int = 0
    """The last of them whose credits are in the wallet."""
    lines: tuple[GrantedLine, ...] = ()

    @classmethod
    def of(cls, place: str, interval: PlanInterval, cycle: Period) -> "GrantedCycle":
        id_ = granted_cycle_id(place, interval, cycle)
        return cls(id=id_, place=place, interval=interval, start=cycle.start, end=cycle.end)

    def grant_key(self, line: GrantedLine, index: int) -> str:
        """Of the wallet's command that gives a grant: its place in the cycle names it."""
        return f"plan_grant:{self.id.removeprefix(f'{self.kind}:')}:{line.kind}:{line.key}:{index}"

    def is_older_than(self, revision: int, begun: int, *, is_paid: bool) -> bool:
        """Whether a decision that rests on these comes after the last one."""
        return (self.revision, self.begun, self.is_paid) < (revision, begun, is_paid)

    def decided(
        self, due: Mapping[GrantName, DueGrant], revision: int, begun: int, ends_at: datetime, *, is_paid: bool
    ) -> "GrantedCycle":
        """With what is due by later terms. What is no longer due is taken back."""
        lines = {GrantName(line.key, line.kind): line for line in self.lines}
        names: Sequence[GrantName] = [*lines, *(name for name in due if name not in lines)]
        converged = []
        for name in names:
            line = lines.get(name) or GrantedLine(key=name.key, kind=name.kind)
            wanted = due.get(name)
            amount, terms = (ZERO, None) if wanted is None else (wanted.amount, wanted.terms)
            converged.append(line.converged(amount, terms, ends_at, is_paid=is_paid))
        version = self.version + (tuple(converged) != self.lines)
        basis = {"revision": revision, "begun": begun, "is_paid": is_paid}
        return self.changed(lines=tuple(converged), end=ends_at, version=version, **basis)


def granted_cycle_id(place: str, interval: PlanInterval, cycle: Period) -> str:
    """A month and a year of a place may begin together."""
    of_interval = "" if interval == "month" else f"{interval}:"
    return f"{GrantedCycle.kind}:{place}:{of_interval}{to_text(cycle.start)}"
