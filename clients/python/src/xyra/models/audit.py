"""Models of `audit`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict


class ActorAnswer(TypedDict):
    type: Literal["user", "api_key", "service_account", "operator", "system"]
    """`system` for timers and queues, and for strangers who have shown no credential."""
    id: str
    """Of the user or the key."""
    root_id: str | None
    """Of a key: the first key of the line that it descends from."""
    session_id: str | None
    """Of a person: the session."""


class AuditEntryAnswer(TypedDict):
    id: str
    """Its id."""
    at: str
    """When it was changed."""
    actor: ActorAnswer
    """Who changed it."""
    action: str
    """What was done: `{area}.{verb}`."""
    target: TargetAnswer
    """What was changed."""
    before: Mapping[str, Any] | None
    """The fields that changed, as they were; null for what was made then. Never a secret."""
    after: Mapping[str, Any] | None
    """The fields that changed, as they became; null for what was deleted. Never a secret."""
    ip: str | None
    """The network that the change came from."""
    correlation_id: str | None
    """Of the request: its `X-Correlation-Id`."""
    number: int
    """The place of the entry in its trail, from 1 on without a gap."""
    hash: str
    """Over the entry and all entries before it, by a key that only the operator has."""


class AuditEntryList(TypedDict):
    data: Sequence[AuditEntryAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class TargetAnswer(TypedDict):
    type: str
    """The kind of thing, such as `department`."""
    id: str
    """Its id; of a person the user's."""
