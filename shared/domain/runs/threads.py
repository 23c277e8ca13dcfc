"""Threads: conversations that group runs."""

from typing import ClassVar

from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant


class Thread(Entity):
    """A conversation of an organization's agents."""

    kind: ClassVar[str] = "thread"
    audit: ClassVar[Audit] = OWN_TRAIL

    organization_id: str
    project_id: str | None = None
    title: str | None = None
    metadata: str = "{}"
    """JSON as text, because numbers in Cosmos documents become doubles."""
    created_at: Instant
