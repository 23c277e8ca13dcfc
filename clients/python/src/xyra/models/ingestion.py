"""Models of `ingestion`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict


class IngestionAnswer(TypedDict):
    window: Literal["hour", "day", "month"]
    """As asked for."""
    start: str
    """From when on it was counted: the window, and less than a twelfth of an hour, an hour or a day before it."""
    as_of: str
    """Until when. Other processes may have counted more in the last seconds."""
    data: Sequence[IngestionRow]
    """By key, source and type."""
    waiting: WaitingAnswer
    """What waits now, whatever the window."""
    warnings: Sequence[IngestionWarning]
    """What to look at before it is relied on."""


class IngestionRow(TypedDict):
    """What one credential sent of a source and a type."""

    key: str
    """The id of the root of the API key's line, or of the user."""
    source: str
    """`*` for all sources and types beyond the first 50 pairs of a key."""
    type: str
    """The type of the events; `*` as for the source, or where it could not be read."""
    accepted: int
    """How many events were accepted."""
    refused: Mapping[str, int]
    """How many events were not taken, by the field that was wrong: `agent`, `data`, `time`, ...; `size` for one that is
    too large, `malformed`, and `with_its_request` for a valid one that was sent beside those, without `partial`."""
    duplicates: int
    """How many were known already: in their request, or when they were metered."""
    parked: int
    """How many could not be metered: see `GET /events/parked`."""
    unpriced: int
    """How many LLM calls have no price."""
    priced_at_0: int
    """How many costs and LLM calls come to 0."""
    without_model: int
    """How many are of an agent without a billing model at their time."""
    last_seen: str
    """When the newest of them arrived, or was metered."""


class IngestionWarning(TypedDict):
    """What should be looked at, though the events were taken."""

    code: str
    """As in the answers to reported events. Of other protocols: `agent_made`, `agent_unknown`, `cache_not_told`, and
    `differing_repetition` where the first report of a call stands. Of a trace also: `sum_without_calls`,
    `sum_exceeds_calls`, `doubled`, `id_reused`, `no_count`, `estimate`, `attributes_dropped`, `agent_not_named`,
    `late_units`, `trace_too_large`."""
    count: int
    """How often."""
    library: str | None
    """What made the trace; null for reported events."""
    service: str | None
    """The `service.name` of the trace; null for reported events."""
    last: str
    """When it was last warned of."""


class WaitingAnswer(TypedDict):
    """LLM calls of traces that wait for the span that names their agent."""

    calls: int
    """How many."""
    oldest: str | None
    """When the first of them arrived."""
