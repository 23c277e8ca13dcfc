"""Runs: single executions of an agent. The events of a run name it by its key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import Instant

RunStatus = Literal["pending", "running", "completed", "failed"]

NEXT: Mapping[RunStatus, frozenset[RunStatus]] = {
    "pending": frozenset({"running", "failed"}),
    "running": frozenset({"completed", "failed"}),
    "completed": frozenset(),
    "failed": frozenset(),
}
"""What a run can become."""

ENDED: frozenset[RunStatus] = frozenset({"completed", "failed"})


class Run(Entity):
    kind: ClassVar[str] = "run"

    organization_id: str
    key: str
    """By which events name it."""
    thread_id: str | None = None
    agent_id: str | None = None
    project_id: str | None = None
    """The agent's, else the thread's, when the run was made."""
    status: RunStatus = "pending"
    started_at: Instant | None = None
    completed_at: Instant | None = None
    """When it ended, well or not."""
    error: str | None = None
    result: str = "null"
    metadata: str = "{}"
    """Both JSON as text: numbers in documents would become doubles."""
    created_at: Instant

    def with_changes(self, changes: Mapping[str, Any], now: datetime) -> Self:
        """With these fields changed. It starts and ends now, where no other time is given.

        Raises `ConflictError` for a state that does not follow, `ValidationError` for times and errors that do not go
        with its state.
        """
        status: RunStatus = changes.get("status", self.status)
        if status != self.status and status not in NEXT[self.status]:
            raise ConflictError(f"The run is {self.status} and cannot become {status}")
        return self._consistent(self.changed(**changes), now)

    @classmethod
    def beginning(cls, now: datetime, **fields: Any) -> Self:  # noqa: ANN401  the run's fields, validated here
        """A new one, in any state. Raises `ValidationError`."""
        return cls._consistent(cls(created_at=now, **fields), now)

    @classmethod
    def _consistent(cls, run: Self, now: datetime) -> Self:
        if run.status == "pending" and run.started_at is not None:
            raise ValidationError.at("/started_at", "goes with a run that has started")
        if run.status not in ENDED and run.completed_at is not None:
            raise ValidationError.at("/completed_at", "goes with a run that has ended")
        if run.status != "failed" and run.error is not None:
            raise ValidationError.at("/error", "goes with a run that has failed")
        started = run.started_at
        if run.status in ("running", "completed"):
            started = started or run.completed_at or now
        ended = (run.completed_at or now) if run.status in ENDED else None
        if started is not None and ended is not None and ended < started:
            raise ValidationError.at("/completed_at", "is before the run has started")
        return run.changed(started_at=started, completed_at=ended)


def key_claim_id(key: str) -> str:
    """The item that makes a key unique in its organization."""
    return named_id("runkey", key)
