"""Projects: what an organization's work and its costs are allocated to."""

from datetime import timedelta
from typing import Any, ClassVar, Literal

from shared.domain.kernel.audit import Audit, Audited, verb_by_status
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant

GRACE = timedelta(days=30)
"""How long a deleted project can be restored."""

ProjectStatus = Literal["active", "archived", "deleted"]


class Project(Entity):
    """A project of an organization.

    An archived project is read-only; a deleted one can be restored until `gone_at`. The usage of its agents is still
    metered and counted as the project's. Their runs can be created, runs of its threads cannot.
    """

    kind: ClassVar[str] = "project"
    audit: ClassVar[Audit] = Audited(
        area="projects", verb=verb_by_status(archived="archive", deleted="delete", active="restore")
    )

    organization_id: str
    name: str
    description: str | None = None
    metadata: str = "{}"
    """JSON as text, because numbers in Cosmos documents become doubles."""
    status: ProjectStatus = "active"
    created_at: Instant
    archived_at: Instant | None = None
    gone_at: Instant | None = None

    def document(self) -> dict[str, Any]:
        kept = {**super().document(), "listed": "no" if self.status == "deleted" else "yes"}
        return kept | {"ttl": int(GRACE.total_seconds())} if self.status == "deleted" else kept
