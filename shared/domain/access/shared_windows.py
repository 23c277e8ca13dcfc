"""A rate limit that the instances of the app share: each spends a part of it from its own memory.

What an instance holds counts as spent for all others. So no window of time has more requests than are allowed, however
many instances there are, and few requests cost a write.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value

WINDOW = timedelta(minutes=1)
SLOT = WINDOW / 10
"""Spent requests are counted by slots of time, and leave the window with their slot."""
_LARGEST_PART = 6
_SMALLEST_PART = 32
"""Of what is allowed: the first lease of an instance. As many instances find something left to take."""


def slot_of(instant: datetime) -> int:
    return int(instant.timestamp() // SLOT.total_seconds())


def _end_of(slot: int) -> datetime:
    return datetime.fromtimestamp((slot + 1) * SLOT.total_seconds(), UTC)


def next_lease(allowed: int, last: int | None) -> int:
    """How many requests an instance takes after a lease that it has used up; None for its first."""
    smallest, largest = -(-allowed // _SMALLEST_PART), -(-allowed // _LARGEST_PART)
    return smallest if last is None else min(2 * last, largest)


class Lease(Value):
    """Requests that one instance may let through until the lease lapses."""

    amount: int
    lapses_at: Instant


class SharedWindow(Entity):
    """What was spent of a limit lately, and what instances hold of it."""

    kind: ClassVar[str] = "shared_window"
    audit: ClassVar[Audit] = BOOKKEEPING
    spent: dict[int, int] = {}
    """Slot -> requests."""
    leases: dict[str, Lease] = {}
    """Instance -> its lease. One that has lapsed unreported counts as spent in its last slot."""

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": int(4 * WINDOW.total_seconds())}

    def reported(self, instance: str, spent: Mapping[int, int], now: datetime) -> "SharedWindow":
        """The window at this time, with what the instance has spent of its lease in place of the lease."""
        leases = dict(self.leases)
        counted = Counter(self.spent)
        if leases.pop(instance, None) is not None:
            counted.update(spent)
        for name, lease in self.leases.items():
            if name in leases and lease.lapses_at <= now:
                counted[slot_of(lease.lapses_at)] += leases.pop(name).amount
        within = {slot: number for slot, number in sorted(counted.items()) if _end_of(slot) > now - WINDOW}
        return self.changed(spent=within, leases=leases)

    def with_lease(self, instance: str, amount: int, now: datetime) -> "SharedWindow":
        return self.changed(leases={**self.leases, instance: Lease(amount=amount, lapses_at=now + WINDOW)})

    def free(self, allowed: int) -> int:
        """What is neither spent nor held."""
        return max(0, allowed - sum(self.spent.values()) - sum(lease.amount for lease in self.leases.values()))

    def frees_at(self, now: datetime) -> datetime:
        """When something of it may become free again."""
        ends = [_end_of(slot) + WINDOW for slot in self.spent]
        ends += [lease.lapses_at for lease in self.leases.values()]
        return min(ends, default=now + WINDOW)
