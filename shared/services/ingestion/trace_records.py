"""What is stored of traces: their memory, and the calls in it that are still to be sent to metering."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Self

import msgspec
from pydantic import BaseModel, ConfigDict, field_validator

from shared import json
from shared.domain.ingestion.calls import LlmCall
from shared.domain.ingestion.memory import Waits
from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import to_text

KEPT = timedelta(hours=24)
"""How long a trace is remembered after its last span."""

_SLOTS = 16
"""Of an organization: the traces of one are stored in one partition, so that a request writes many in one batch."""
_SWEPT_AFTER = timedelta(seconds=15)
"""By then a message has released what waits, unless it was lost."""


class TraceCredential(BaseModel):
    """What of the credential that sent a trace decides about its calls."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The user, or the root of the API key's line."""
    by_operator: bool
    make_with: str | None = None
    """The billing model of agents that are made on sight; None where none may be made."""
    projects: tuple[str, ...] | None = None
    """The projects whose agents it may report for; None stands for all agents."""

    @property
    def project_set(self) -> frozenset[str] | None:
        return None if self.projects is None else frozenset(self.projects)


class TraceRecord(Entity):
    """The memory of a trace of an organization."""

    kind: ClassVar[str] = "trace"
    audit: ClassVar[Audit] = OWN_TRAIL
    organization_id: str
    credential: TraceCredential
    """Of the last request with new spans of the trace: the one that its waiting calls are sent by."""
    memory: str
    """A `TraceMemory` in JSON. As a text, it is read and written in one piece."""
    due_at: str | None = None
    """When the sweep releases what waits, if nothing else did."""

    def document(self) -> dict[str, Any]:
        document = {
            "id": self.id,
            "kind": self.kind,
            "ttl": int(KEPT.total_seconds()),
            "organization_id": self.organization_id,
            "credential": self.credential.model_dump(),
            "memory": self.memory,
        }
        return document if self.due_at is None else document | {"due_at": self.due_at}

    @classmethod
    def of(cls, organization_id: str, waits: Waits, encoded: str, credential: TraceCredential) -> Self:
        """`encoded` is the memory in JSON."""
        return cls(
            id=waits.trace,
            organization_id=organization_id,
            credential=credential,
            memory=encoded,
            due_at=None if waits.wake is None else to_text(waits.wake + _SWEPT_AFTER),
        )

    @field_validator("memory", mode="before")
    @classmethod
    def _text_of_document(cls, memory: object) -> object:
        """As it was stored at first: as a part of the document."""
        return json.encode(memory).decode() if isinstance(memory, Mapping) else memory


def slot_of(trace: str) -> int:
    """By the end of the trace's id: some senders begin ids with the time, and all of a second would be in one slot."""
    return int(trace[-2:], 16) % _SLOTS


def partition_of(organization_id: str, slot: int) -> str:
    return f"{organization_id}:traces:{slot}"


def earlier_partition_of(organization_id: str, trace: str) -> str:
    """Where a trace was stored until those of a slot shared a partition."""
    return f"{organization_id}:trace:{trace}"


def encode_calls(calls: Iterable[LlmCall]) -> str:
    return msgspec.json.encode(list(calls)).decode()


def decode_calls(text: str) -> tuple[LlmCall, ...]:
    """Read what `encode_calls` wrote."""
    return msgspec.json.decode(text, type=tuple[LlmCall, ...])
