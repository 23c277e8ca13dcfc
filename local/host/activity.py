"""What a host is doing: its status, and that of several processes together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Activity:
    queues: Mapping[str, Mapping[str, int]]
    """By queue: messages that are `active`, `locked` and `dead_letter`."""
    dead_letters: Mapping[str, int]
    """By queue, whether or not a function takes them."""
    invocations: Mapping[str, int]
    """Running ones by function, HTTP aside."""
    timers: Mapping[str, Mapping[str, Any]]
    changes: int
    """Grows whenever a message or an invocation moves on."""

    @property
    def queued(self) -> int:
        return sum(counts["active"] + counts["locked"] for counts in self.queues.values())

    @property
    def overdue(self) -> int:
        return sum(1 for timer in self.timers.values() if timer["overdue"])

    @property
    def idle(self) -> bool:
        return not (self.queued or self.invocations or self.overdue)

    @classmethod
    def of_all(cls, activities: Sequence[Self]) -> Self:
        """Of processes that each have functions of their own."""
        return cls(
            queues={queue: counts for each in activities for queue, counts in each.queues.items()},
            dead_letters={queue: count for each in activities for queue, count in each.dead_letters.items()},
            invocations={name: count for each in activities for name, count in each.invocations.items()},
            timers={name: timer for each in activities for name, timer in each.timers.items()},
            changes=sum(each.changes for each in activities),
        )

    @classmethod
    def read(cls, status: Mapping[str, Any]) -> Self:
        return cls(**{name: status[name] for name in cls.__dataclass_fields__})

    def status(self) -> dict[str, Any]:
        """What `/admin/host/status` answers."""
        return {
            "state": "Running",
            "version": f"local, azure-functions {version('azure-functions')}",
            "queued": self.queued,
            "running": sum(self.invocations.values()),
            "overdue": self.overdue,
            "dead_letter": sum(self.dead_letters.values()),
            **asdict(self),
        }
