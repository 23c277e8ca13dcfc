"""Models of `departments`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from xyra.models.shared import CategoryCost, ChargeShareAnswer, CountAnswer, SpanAnswer, UnpricedAnswer


class DepartmentAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    name: str
    """Its name, for people."""
    description: str | None
    """What it is, for people."""
    metadata: Mapping[str, Any]
    """Data of the caller's own."""
    created_at: str
    """When it was created."""


class DepartmentList(TypedDict):
    data: Sequence[DepartmentAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class DepartmentPatch(TypedDict):
    """JSON Merge Patch."""

    name: NotRequired[str]
    """Its name, for people."""
    description: NotRequired[str | None]
    """What it is, for people."""
    metadata: NotRequired[Mapping[str, Any] | None]
    """Merged into what is there."""


class DepartmentRequest(TypedDict):
    name: str
    """Unique in the organization, regardless of case."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    description: NotRequired[str | None]
    """What it is, for people."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""


DepartmentSummaryAnswer = TypedDict(
    "DepartmentSummaryAnswer",
    {
        "provider_cost": "str",
        "billed_amount": "str",
        "outcome_value": "str",
        "margin": "str",
        "return": "str",
        "currency": "str",
        "period": "SpanAnswer",
        "costs": "Sequence[CategoryCost]",
        "stated_cost": "str",
        "unpriced": "UnpricedAnswer",
        "events": "Sequence[CountAnswer]",
        "agents": "int",
        "active_agents": "int",
        "charges": "Sequence[ChargeShareAnswer]",
        "department_id": "str",
    },
)
