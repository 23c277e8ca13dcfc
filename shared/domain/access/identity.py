"""Permissions of roles and API keys.

Entrypoints name a permission, never a role. The scopes of API keys are the same permissions.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from shared.domain.access.reporting import Reporting
from shared.domain.access.second_factors import RECENT, Method


class Permission(StrEnum):
    ORGANIZATIONS_READ = "organizations:read"
    ORGANIZATIONS_WRITE = "organizations:write"
    ORGANIZATIONS_CREATE = "organizations:create"
    API_KEYS_READ = "api_keys:read"
    API_KEYS_WRITE = "api_keys:write"
    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    PROJECTS_READ = "projects:read"
    PROJECTS_WRITE = "projects:write"
    EVENTS_WRITE = "events:write"
    EVENTS_READ = "events:read"
    PARKED_EVENTS_WRITE = "parked_events:write"
    OUTCOMES_READ = "outcomes:read"
    OUTCOMES_VERIFY = "outcomes:verify"
    USAGE_READ = "usage:read"
    BILLING_MODELS_READ = "billing_models:read"
    BILLING_MODELS_WRITE = "billing_models:write"
    PRICES_READ = "prices:read"
    PRICES_WRITE = "prices:write"
    PLANS_WRITE = "plans:write"
    INVOICES_READ = "invoices:read"
    INVOICES_WRITE = "invoices:write"
    SUBSCRIPTIONS_READ = "subscriptions:read"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    OWNERS_WRITE = "owners:write"
    USERS_WRITE = "users:write"
    STAFF_WRITE = "staff:write"
    IDENTITY_PROVIDERS_WRITE = "identity_providers:write"
    ORGANIZATIONS_EXPORT = "organizations:export"
    SERVICE_ACCOUNTS_WRITE = "service_accounts:write"
    AUDIT_READ = "audit:read"
    CREDITS_READ = "credits:read"
    CREDITS_USE = "credits:use"
    CREDITS_USE_AMOUNT = "credits:use_amount"
    CREDITS_WRITE = "credits:write"
    BUDGETS_WRITE = "budgets:write"
    BILLING_READ = "billing:read"
    BILLING_WRITE = "billing:write"
    TAX_WRITE = "tax:write"


Role = Literal["owner", "admin", "billing", "developer", "viewer"]
ProjectRole = Literal["admin", "developer", "viewer"]
"""What a member limited to projects is in one of them."""
OperatorRole = Literal["system", "billing", "support"]
DeletionStage = Literal["none", "readable", "closed"]

_VIEWER = frozenset(
    {
        Permission.ORGANIZATIONS_READ,
        Permission.AGENTS_READ,
        Permission.PROJECTS_READ,
        Permission.EVENTS_READ,
        Permission.OUTCOMES_READ,
        Permission.USAGE_READ,
        Permission.BILLING_MODELS_READ,
        Permission.PRICES_READ,
        Permission.SUBSCRIPTIONS_READ,
        Permission.MEMBERS_READ,
        Permission.CREDITS_READ,
    }
)
_DEVELOPER = _VIEWER | {
    Permission.AGENTS_WRITE,
    Permission.EVENTS_WRITE,
    Permission.API_KEYS_READ,
    Permission.CREDITS_USE,
}
_BILLING = _VIEWER | {
    Permission.BILLING_MODELS_WRITE,
    Permission.SUBSCRIPTIONS_WRITE,
    Permission.INVOICES_READ,
    Permission.BUDGETS_WRITE,
    Permission.BILLING_READ,
    Permission.BILLING_WRITE,
}
_ADMIN = (
    _DEVELOPER
    | _BILLING
    | {
        Permission.ORGANIZATIONS_WRITE,
        Permission.PROJECTS_WRITE,
        Permission.API_KEYS_WRITE,
        Permission.OUTCOMES_VERIFY,
        Permission.MEMBERS_WRITE,
        Permission.SERVICE_ACCOUNTS_WRITE,
        Permission.AUDIT_READ,
        Permission.CREDITS_USE_AMOUNT,
    }
)

_OWNER_ONLY = {
    Permission.OWNERS_WRITE,
    Permission.IDENTITY_PROVIDERS_WRITE,
    Permission.ORGANIZATIONS_EXPORT,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    "owner": _ADMIN | _OWNER_ONLY,
    "admin": _ADMIN,
    "billing": _BILLING,
    "developer": _DEVELOPER,
    "viewer": _VIEWER,
}
"""What members may do in their organization.

Two of them need more. Only organizations with self-managed pricing write billing models. Outcomes are verified by the
organization only where their charge says so.
"""

OPERATOR_PERMISSIONS: dict[OperatorRole, frozenset[Permission]] = {
    "system": frozenset(Permission),
    "billing": _BILLING
    | {
        Permission.OUTCOMES_VERIFY,
        Permission.PRICES_WRITE,
        Permission.PLANS_WRITE,
        Permission.INVOICES_WRITE,
        Permission.PARKED_EVENTS_WRITE,
        Permission.CREDITS_WRITE,
        Permission.TAX_WRITE,
    },
    "support": _VIEWER
    | {Permission.INVOICES_READ, Permission.BILLING_READ, Permission.API_KEYS_READ, Permission.USERS_WRITE},
}
"""What the operator's staff may do in every organization."""

OPERATOR_ONLY = frozenset(
    {
        Permission.ORGANIZATIONS_CREATE,
        Permission.PRICES_WRITE,
        Permission.PLANS_WRITE,
        Permission.INVOICES_WRITE,
        Permission.PARKED_EVENTS_WRITE,
        Permission.USERS_WRITE,
        Permission.STAFF_WRITE,
        Permission.CREDITS_WRITE,
        Permission.TAX_WRITE,
    }
)
"""Permissions that no member and no organization's API key can have.

Discarding accepted usage is among them: it is not for those who are billed for it.
"""

FOR_PEOPLE = frozenset({Permission.USERS_WRITE, Permission.STAFF_WRITE})
"""Permissions that no API key can have: who acts on accounts of others is signed in."""

MEANS_TOO = {Permission.PRICES_WRITE: Permission.PLANS_WRITE}
"""Scopes of API keys that were given before what they allowed had a permission of its own."""

READING = frozenset(permission for permission in Permission if permission.value.endswith(":read"))
"""Permissions that change nothing."""

AFTER_STEP_UP = frozenset(
    {
        Permission.ORGANIZATIONS_WRITE,
        Permission.ORGANIZATIONS_CREATE,
        Permission.API_KEYS_WRITE,
        Permission.BILLING_MODELS_WRITE,
        Permission.PRICES_WRITE,
        Permission.PLANS_WRITE,
        Permission.INVOICES_WRITE,
        Permission.MEMBERS_WRITE,
        Permission.OWNERS_WRITE,
        Permission.IDENTITY_PROVIDERS_WRITE,
        Permission.USERS_WRITE,
        Permission.STAFF_WRITE,
        Permission.SERVICE_ACCOUNTS_WRITE,
        Permission.CREDITS_USE_AMOUNT,
        Permission.CREDITS_WRITE,
        Permission.BUDGETS_WRITE,
        Permission.SUBSCRIPTIONS_WRITE,
        Permission.ORGANIZATIONS_EXPORT,
        Permission.OUTCOMES_VERIFY,
        Permission.PARKED_EVENTS_WRITE,
        Permission.BILLING_WRITE,
        Permission.TAX_WRITE,
    }
)
"""Money and access: where an organization's `step_up_required` is on, its users show anew who they are for these."""

AFTER_DELETION = READING
"""What a deleted organization's own credentials may still do for a while: read, and pay what is owed."""


def permissions_by(scopes: Iterable[Permission]) -> frozenset[Permission]:
    """What an API key with these scopes may do."""
    given = frozenset(scopes)
    return given | {meant for scope, meant in MEANS_TOO.items() if scope in given}


def may_give(giver: frozenset[Permission], role: Role) -> bool:
    """Whether who has these permissions may make somebody a member with a role: at most what they may do themselves."""
    return ROLE_PERMISSIONS[role] <= giver


def deletion_stage(deleted_at: datetime | None, now: datetime, readable: timedelta) -> DeletionStage:
    """How far the deletion of an organization has come. Its data can be read by its own for the time `readable`."""
    if deleted_at is None:
        return "none"
    return "readable" if now < deleted_at + readable else "closed"


@dataclass(frozen=True, slots=True)
class KeyReference:
    """Names an API key, and by the fingerprint of its token what makes it work."""

    id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CallingKey:
    """The API key that a principal calls with."""

    lineage: tuple[KeyReference, ...]
    """The keys that it descends from, the root first, and itself last."""
    expires_at: datetime | None
    reporting: Reporting
    created_by: str | None = None
    maker: str | None = None
    service_account: str | None = None
    """As `ApiKey` has them."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: a signed-in user or an API key.

    It belongs to an organization, or to the operator where `organization_id` is None.
    """

    id: str
    organization_id: str | None
    permissions: frozenset[Permission]
    key: CallingKey | None = None
    """None for a user."""
    organization_deleted: bool = False
    """Whether it is a credential of a deleted organization, which may do no more than `AFTER_DELETION`."""
    restricted: bool = False
    """Whether its organization has an invoice that has been overdue for too long."""
    unverified: bool = False
    """Whether it is a user who has still to show that the e-mail address is theirs: until then they may only read."""
    user_id: str | None = None
    """Of a signed-in user; None for a key. The two fields below go with it."""
    session_id: str | None = None
    role: Role | OperatorRole | None = None
    methods: tuple[Method, ...] = ()
    """By what the user has shown who they are."""
    shown_at: datetime | None = None
    """When the user did so last."""
    step_up_required: bool = False
    """Whether that has to be a short time ago for what is in `AFTER_STEP_UP`."""
    for_enrolment: bool = False
    """Whether the user may do nothing yet but enrol the second factor that the organization asks for."""
    projects: Mapping[str, frozenset[Permission]] | None = field(default=None, hash=False)
    """By project what it may do there, of who is limited to projects; None for everybody else."""

    @property
    def root_id(self) -> str:
        """The user, or the first key of the line: keys of one line are one credential where it may not act twice."""
        return self.id if self.key is None else self.key.lineage[0].id

    @property
    def is_operator(self) -> bool:
        return self.organization_id is None

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def by_provider(self) -> bool:
        """Whether an organization's identity provider has vouched for the user."""
        return "provider" in self.methods

    def is_recent(self, now: datetime) -> bool:
        """Whether the user has shown a short time ago who they are."""
        return self.shown_at is not None and now < self.shown_at + RECENT

    def projects_with(self, permission: Permission) -> frozenset[str] | None:
        """The projects in which it may do this; None stands for the whole organization."""
        if self.projects is None:
            return None
        return frozenset(project for project, allowed in self.projects.items() if permission in allowed)
