"""Models of `projects`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from xyra.models.shared import CategoryCost, ChargeShareAnswer, CountAnswer, LimitWarning, SpanAnswer, UnpricedAnswer


class CreatedProjectAnswer(TypedDict):
    warnings: Sequence[LimitWarning]
    """Soft limits of the plan that were passed; empty where none was."""
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
    status: str
    """The state that it is in."""
    created_at: str
    """When it was created."""
    archived_at: str | None
    """Since when it is read-only."""
    gone_at: str | None
    """When a deleted project is erased. Until then it can be restored."""


class ProjectAnswer(TypedDict):
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
    status: str
    """The state that it is in."""
    created_at: str
    """When it was created."""
    archived_at: str | None
    """Since when it is read-only."""
    gone_at: str | None
    """When a deleted project is erased. Until then it can be restored."""


class ProjectList(TypedDict):
    data: Sequence[ProjectAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ProjectPatch(TypedDict):
    """JSON Merge Patch."""

    name: NotRequired[str]
    """Its name, for people."""
    description: NotRequired[str | None]
    """What it is, for people."""
    metadata: NotRequired[Mapping[str, Any] | None]
    """Merged into what is there."""


class ProjectRequest(TypedDict):
    name: str
    """Unique in the organization, regardless of case."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    description: NotRequired[str | None]
    """What it is, for people."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""


ProjectSummaryAnswer = TypedDict(
    "ProjectSummaryAnswer",
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
        "project_id": "str",
    },
)
