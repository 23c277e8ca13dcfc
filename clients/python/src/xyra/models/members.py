"""Models of `members`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import ProjectGrant


class MemberAnswer(TypedDict):
    id: str
    """Its id."""
    user_id: str
    """The same in all organizations of the user."""
    email: str | None
    """Null for an account from before there were members, until its user signs in."""
    full_name: str | None
    """The user's; null as for the e-mail address."""
    role: Literal["owner", "admin", "billing", "developer", "viewer"]
    """What the member may do, unless the member is limited to projects."""
    projects: Sequence[ProjectGrant] | None
    """The projects that the member is limited to, with the role in each; null without a limit."""
    is_active: bool
    """Whether the member's account is not disabled."""
    joined_at: str
    """From then on a seat counts."""


class MemberList(TypedDict):
    data: Sequence[MemberAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class MemberPatch(TypedDict):
    """JSON Merge Patch."""

    role: NotRequired[Literal["owner", "admin", "billing", "developer", "viewer"]]
    """At most one's own. Another role ends the member's sessions in the organization."""
    projects: NotRequired[Sequence[ProjectGrant] | None]
    """The projects that the member is limited to, with the role in each; null lifts the limit."""
