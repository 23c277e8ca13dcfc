"""Threads: conversations that group runs."""

from typing import ClassVar

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant


class Thread(Entity):
    kind: ClassVar[str] = "thread"

    organization_id: str
    project_id: str | None = None
    title: str | None = None
    metadata: str = "{}"
    """JSON as text: numbers in documents would become doubles."""
    created_at: Instant
