"""Models of `threads`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict


class ThreadAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    project_id: str | None
    """The project that it is allocated to."""
    title: str | None
    """What it is about."""
    metadata: Mapping[str, Any]
    """Data of the caller's own."""
    created_at: str
    """When it was created."""


class ThreadList(TypedDict):
    data: Sequence[ThreadAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ThreadPatch(TypedDict):
    """JSON Merge Patch."""

    project_id: NotRequired[str | None]
    """The project that it is allocated to."""
    title: NotRequired[str | None]
    """What it is about."""
    metadata: NotRequired[Mapping[str, Any] | None]
    """Merged into what is there."""


class ThreadRequest(TypedDict):
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    project_id: NotRequired[str | None]
    """The project that it is allocated to."""
    title: NotRequired[str | None]
    """What it is about."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""
