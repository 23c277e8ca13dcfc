"""Projects: what an organization's work, and so its costs, are allocated to."""

from datetime import timedelta
from typing import Any, ClassVar, Literal

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant

GRACE = timedelta(days=30)
"""From the deletion of a project until it is gone."""

ProjectStatus = Literal["active", "archived", "deleted"]


class Project(Entity):
    """Archived, it can only be read; deleted, it can be taken back until `gone_at`. Either way, what its agents do is
    still metered, and counts as its own; their runs can be made, those of its threads cannot.
    """

    kind: ClassVar[str] = "project"

    organization_id: str
    name: str
    description: str | None = None
    metadata: str = "{}"
    """JSON as text: numbers in documents would become doubles."""
    status: ProjectStatus = "active"
    created_at: Instant
    archived_at: Instant | None = None
    gone_at: Instant | None = None

    def document(self) -> dict[str, Any]:
        kept = {**super().document(), "listed": "no" if self.status == "deleted" else "yes"}
        return kept | {"ttl": int(GRACE.total_seconds())} if self.status == "deleted" else kept
