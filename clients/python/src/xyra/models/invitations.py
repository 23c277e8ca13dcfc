"""Models of `invitations`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import ProjectGrant


class AcceptRequest(TypedDict):
    token: str
    """From the link in the mail."""
    password: NotRequired[str | None]
    """A new one for an address without an account; with one, its password. Left out by who is signed in."""
    full_name: NotRequired[str | None]
    """Goes with the password."""


class AcceptedAnswer(TypedDict):
    member_id: str
    """The new membership."""
    user_id: str
    """Who accepted it."""
    organization_id: str
    """Sign in to it, or switch to it."""
    role: Literal["owner", "admin", "billing", "developer", "viewer"]
    """What the new member is, unless the invitation was limited to projects."""


class InvitationAnswer(TypedDict):
    id: str
    """Its id."""
    email: str
    """The address that it is bound to."""
    role: Literal["owner", "admin", "billing", "developer", "viewer"]
    """What the member will be."""
    projects: Sequence[ProjectGrant] | None
    """The projects that the member will be limited to; null without a limit."""
    invited_by: str
    """The id of the user or API key that made it."""
    is_expired: bool
    """Whether it can no longer be accepted."""
    created_at: str
    """When it was created."""
    expires_at: str
    """Seven days after it was made."""


class InvitationList(TypedDict):
    data: Sequence[InvitationAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class InvitationRequest(TypedDict):
    email: str
    """Where the invitation is sent; only who has this address can accept it."""
    role: Literal["owner", "admin", "billing", "developer", "viewer"]
    """At most one's own."""
    projects: NotRequired[Sequence[ProjectGrant] | None]
    """The projects that the member will be limited to, with the role in each."""
