"""Models of `entitlements`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class EntitlementAnswer(TypedDict):
    feature: str
    """Its key."""
    allowed: bool
    """Whether it may be used; of what is counted, whether there may be one more."""
    mode: Literal["hard", "soft"] | None
    """`hard`: what is more is refused. `soft`: it is accepted with a warning. Null for a flag."""
    limit: str | None
    """How much there may be; null for a flag, and for any number."""
    used: str | None
    """How much there is; null for a flag, and for what Xyra does not count."""
    remaining: str | None
    """How much more there may be; null where `limit` or `used` is."""
    as_of: str
    """When `used` was counted: of events up to 30 s ago, of all else now."""


class EntitlementList(TypedDict):
    data: Sequence[EntitlementAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
