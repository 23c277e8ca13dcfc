"""Parked events where they are stored, apart from the usage of their organization."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from shared.domain.usage.parked_events import ParkedEvent, ParkedStatus


class StoredParkedEvent(NamedTuple):
    parked: ParkedEvent
    etag: str
    """Names this version in a guarded change."""


class ParkedEventPage(NamedTuple):
    parked: Sequence[ParkedEvent]
    cursor: str | None
    """Where the next page starts; None at the end."""


class ParkedEventStore(Protocol):
    """All methods raise `UnavailableError` for faults that may pass; repeating is always safe."""

    async def park(self, organization_id: str, parked_id: str, reason: str, subject: Mapping[str, Any]) -> None:
        """Store what could not be metered. Where it is parked already, only the reason is replaced."""
        ...

    async def page(self, organization_id: str, status: ParkedStatus, limit: int, cursor: str | None) -> ParkedEventPage:
        """Newest first."""
        ...

    async def get_many(self, organization_id: str, parked_ids: Collection[str]) -> dict[str, StoredParkedEvent]:
        """Those that exist, by id, whatever their status."""
        ...

    async def change(self, organization_id: str, parked: ParkedEvent, etag: str) -> None:
        """Raises `StaleEtagError` when it was changed since it was read."""
        ...

    async def close(self, organization_id: str, parked_ids: Collection[str]) -> None:
        """Give the status `rated` to those that exist: their events were found recorded."""
        ...
