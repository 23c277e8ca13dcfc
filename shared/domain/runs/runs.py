"""Runs: single executions of an agent, which group its events by the run's key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, Self

from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value

RunStatus = Literal["pending", "running", "completed", "failed"]

NEXT_STATES: Mapping[RunStatus, frozenset[RunStatus]] = {
    "pending": frozenset({"running", "failed"}),
    "running": frozenset({"completed", "failed"}),
    "completed": frozenset(),
    "failed": frozenset(),
}
"""The states that can follow a state."""

ENDED: frozenset[RunStatus] = frozenset({"completed", "failed"})


class RunBudget(Value):
    """What a run may spend in all."""

    id: str
    """Of the budget, which refusals name."""
    limit: NonNegativeAmount
    unit: Literal["credits", "money"] = "credits"


class Run(Entity):
    """One execution of an agent."""

    kind: ClassVar[str] = "run"
    audit: ClassVar[Audit] = OWN_TRAIL

    organization_id: str
    key: str
    """Names the run in events; unique in its organization."""
    thread_id: str | None = None
    agent_id: str | None = None
    project_id: str | None = None
    """The agent's, else the thread's, at the time when the run was created."""
    status: RunStatus = "pending"
    started_at: Instant | None = None
    completed_at: Instant | None = None
    """When it completed or failed."""
    error: str | None = None
    result: str = "null"
    metadata: str = "{}"
    """JSON as text, as `result`, because numbers in Cosmos documents become doubles."""
    budget: RunBudget | None = None
    """As it was set before the run was created; its counter has it."""
    created_at: Instant

    def with_changes(self, changes: Mapping[str, Any], now: datetime) -> Self:
        """The run with changed fields; it starts or ends now, unless they give another time.

        Raises `ConflictError` for a state that cannot follow, `ValidationError` for times and an error that do not go
        with the state.
        """
        status: RunStatus = changes.get("status", self.status)
        if status != self.status and status not in NEXT_STATES[self.status]:
            raise ConflictError(f"The run is {self.status} and cannot become {status}")
        return self._consistent(self.changed(**changes), now)

    @classmethod
    def beginning(cls, now: datetime, **fields: Any) -> Self:  # noqa: ANN401  the run's fields, validated here
        """A new run, in any state. Raises `ValidationError`."""
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
    """The id of the item that makes a run's key unique in its organization."""
    return named_id("runkey", key)
