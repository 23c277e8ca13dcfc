"""Departments: what costs are allocated to, besides projects."""

from typing import ClassVar

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant


class Department(Entity):
    """A department of an organization."""

    kind: ClassVar[str] = "department"
    audit: ClassVar[Audit] = Audited(area="departments")

    organization_id: str
    name: str
    description: str | None = None
    metadata: str = "{}"
    """JSON as text, because numbers in Cosmos documents become doubles."""
    created_at: Instant
