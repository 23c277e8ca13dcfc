"""Models of `identity_providers`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict


class DomainAnswer(TypedDict):
    domain: str
    """A domain of e-mail addresses."""
    record: str
    """The name at which a TXT record is looked for."""
    token: str
    """What the record has to say."""
    verified_at: str | None
    """When the record was found; null until then."""


class IdentityProviderAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    name: str
    """Its name, for people."""
    issuer: str
    """As the provider calls itself."""
    client_id: str
    """As what Xyra is registered there."""
    redirect_uri: str
    """To be registered at the provider."""
    domains: Sequence[DomainAnswer]
    """Domains that it speaks for, as far as they are verified."""
    default_role: str
    """Of members who come from it for the first time."""
    password_allowed: bool
    """Whether members may sign in to the organization otherwise, too."""
    created_at: str
    """When it was created."""


class IdentityProviderList(TypedDict):
    data: Sequence[IdentityProviderAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class IdentityProviderPatch(TypedDict):
    name: NotRequired[str]
    """Its name, for people."""
    client_id: NotRequired[str]
    """As what Xyra is registered there."""
    client_secret: NotRequired[str]
    """Of that registration."""
    domains: NotRequired[Sequence[str]]
    """All of them: those that are left out are given up."""
    default_role: NotRequired[Literal["owner", "admin", "billing", "developer", "viewer"]]
    """Of members who come from it for the first time; never owner."""
    password_allowed: NotRequired[bool]
    """Whether members may sign in to the organization otherwise, too."""


class IdentityProviderRequest(TypedDict):
    name: str
    """Its name, for people."""
    issuer: str
    """As the provider calls itself: `https://login.microsoftonline.com/{tenant}/v2.0`, `https://accounts.google.com`.
    Its description is at `/.well-known/openid-configuration` below it."""
    client_id: str
    """As what Xyra is registered there."""
    client_secret: str
    """Of that registration. It is stored sealed, and never shown."""
    domains: NotRequired[Sequence[str]]
    """Domains of e-mail addresses that it speaks for, once each is verified."""
    default_role: NotRequired[Literal["owner", "admin", "billing", "developer", "viewer"]]
    """Of members who come from it for the first time; never owner."""
    password_allowed: NotRequired[bool]
    """Whether members may sign in to the organization otherwise, too. False once a domain was verified."""
    organization_id: NotRequired[str | None]
    """Whose it is; only operators need it."""
