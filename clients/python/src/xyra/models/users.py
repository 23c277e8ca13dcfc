"""Models of `users`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict


class NotificationPreferences(TypedDict):
    """Which mails a user wants, besides those about the account itself."""

    billing: NotRequired[bool]
    """Invoices and payments of organizations in which the user may see them."""
    usage: NotRequired[bool]
    """Limits that are near, and usage that cannot be metered."""
    product: NotRequired[bool]
    """News."""


class PreferencesPatch(TypedDict):
    """What is not sent stays as it is."""

    billing: NotRequired[bool]
    """Invoices and payments of organizations in which the user may see them."""
    usage: NotRequired[bool]
    """Limits that are near, and usage that cannot be metered."""
    product: NotRequired[bool]
    """News."""


class StaffRequest(TypedDict):
    email: str
    """What the person signs in with, after choosing a password by `auth/password/forgot`."""
    name: str
    """The person's."""
    operator_role: Literal["system", "billing", "support"]
    """What the person may do in all organizations."""


class UserDetailsAnswer(TypedDict):
    id: str
    """Its id."""
    email: str
    """What the user signs in with."""
    full_name: str
    """The user's."""
    status: Literal["pending", "active", "disabled"]
    """It is pending until all that a sign-up promised is there."""
    operator_role: Literal["system", "billing", "support"] | None
    """Of the operator's staff; null for everybody else."""
    notification_preferences: NotificationPreferences
    """Which mails the user wants, besides those about the account itself."""
    last_login_at: str | None
    """When the user signed in last."""
    created_at: str
    """When it was created."""


class UserDetailsList(TypedDict):
    data: Sequence[UserDetailsAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class UserPatch(TypedDict):
    """JSON Merge Patch. Roles and organizations are no fields of a user: `PATCH /members/{id}` changes a role."""

    full_name: NotRequired[str]
    """The user's."""
    notification_preferences: NotRequired[PreferencesPatch]
    """Which mails the user wants, besides those about the account itself."""
