"""Models of `usage`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from xyra.models.shared import SpanAnswer


class UsageAnswer(TypedDict):
    data: Sequence[UsageRow]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
    period: SpanAnswer
    """The billing period that the usage is of."""
    as_of: str
    """When the totals were read."""
    pending: int
    """How many accepted events are not metered yet."""


class UsageRow(TypedDict):
    """What one meter of one agent counted."""

    agent_id: str
    """The agent that it is about."""
    charge: str | None
    """The charge's key; null for usage that no charge meters."""
    event_type: str
    """Of the events that it counts."""
    aggregation: str
    """How they become one number."""
    quantity: str
    """What they come to."""
