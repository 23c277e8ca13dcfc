"""Departments: whose costs they are."""

from typing import ClassVar

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant


class Department(Entity):
    kind: ClassVar[str] = "department"

    organization_id: str
    name: str
    description: str | None = None
    metadata: str = "{}"
    """JSON as text: numbers in documents would become doubles."""
    created_at: Instant
