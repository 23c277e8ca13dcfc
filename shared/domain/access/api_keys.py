"""API keys: who descends from whom, and how long each works."""

import secrets
import string
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from shared.domain.access.accounts import Account, Membership
from shared.domain.access.identity import (
    OPERATOR_PERMISSIONS,
    CallingKey,
    KeyReference,
    Permission,
    Principal,
    permissions_by,
)
from shared.domain.access.project_access import PROJECT_PERMISSIONS, all_permissions, with_scopes
from shared.domain.access.reporting import Reporting
from shared.domain.kernel.audit import FOLLOWS, Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ForbiddenError, ValidationError
from shared.domain.kernel.times import BEGINNING, Instant, to_text

KEY_PREFIX = "xyra_"
MAXIMUM_GENERATIONS = 10
"""All of them are read at each call of the youngest."""

_KEY_ALPHABET = string.ascii_letters + string.digits
_KEY_LENGTH = 32
_SHOWN = len(KEY_PREFIX) + 6


class ApiKey(Entity):
    """An API key without its secret, of which only a fingerprint is stored."""

    kind: ClassVar[str] = "api_key"
    audit: ClassVar[Audit] = Audited(
        area="api_keys",
        secret=frozenset({"fingerprint", "ancestors"}),
        ignored=frozenset({"revision"}),
    )
    organization_id: str | None
    """None for a key of the operator."""
    name: str
    scopes: tuple[Permission, ...]
    key_prefix: str
    fingerprint: str
    created_at: Instant
    expires_at: Instant | None = None
    ancestors: tuple[KeyReference, ...] = ()
    """The keys that it descends from, the root first. Empty for a root, as are all keys from before there was this."""
    reporting: Reporting = Reporting()
    projects: tuple[str, ...] | None = None
    """The ids of the projects that it is limited to; None is no limit."""
    created_by: str | None = None
    """The id of the user who made it, or the first key of its line. None for a key from before this was noted."""
    maker: str | None = None
    """The id of the member, or of one of the operator's staff, with whom it stops: its creator, or who adopted it.

    None for a key that depends on nobody, as those that the operator makes for an organization.
    """
    service_account: str | None = None
    """The name of the service account whose token it is; None for an API key."""
    is_active: bool = True
    """Whether nobody has deactivated it."""
    revision: int = 0
    """Grows with every change, so that a copy never replaces a newer one."""

    @property
    def root_id(self) -> str:
        """The id of the first key of its line: its own where no key made it."""
        return self.ancestors[0].id if self.ancestors else self.id

    @property
    def parent_id(self) -> str | None:
        """The id of the key that made it."""
        return self.ancestors[-1].id if self.ancestors else None

    def valid_at(self, now: datetime) -> bool:
        return self.is_active and (self.expires_at is None or now < self.expires_at)

    def is_equal_to(self, other: "ApiKey") -> bool:
        """Whether the two differ only in their ids, tokens and times of creation: same maker, same request."""
        return _asked_for(self) == _asked_for(other)

    def principal(self) -> Principal:
        """Who calls with it."""
        lineage = (*self.ancestors, KeyReference(self.id, self.fingerprint))
        key = CallingKey(lineage, self.expires_at, self.reporting, self.created_by, self.maker, self.service_account)
        projects = None if self.projects is None else with_scopes(self.projects, self.scopes)
        permissions = permissions_by(self.scopes) if projects is None else all_permissions(projects)
        return Principal(self.id, self.organization_id, permissions, key, projects=projects)

    def is_covered_by(self, maker: Membership | Account) -> bool:
        """Whether its maker may still do all that it does, where it does it."""
        scopes = frozenset(self.scopes)
        if isinstance(maker, Account):
            role = maker.operator_role
            return maker.status != "disabled" and role is not None and scopes <= OPERATOR_PERMISSIONS[role]
        allowed = maker.project_permissions()
        if maker.suspended or allowed is None:
            return scopes <= maker.permissions()
        return self.projects is not None and all(
            scopes <= allowed.get(project, frozenset()) for project in self.projects
        )


def _asked_for(key: ApiKey) -> ApiKey:
    """The key without what each has of its own, with lists in one order."""
    return key.changed(
        id="",
        key_prefix="",
        fingerprint="",
        created_at=BEGINNING,
        revision=0,
        scopes=tuple(sorted(key.scopes)),
        projects=None if key.projects is None else tuple(sorted(key.projects)),
    )


class WorkingKey(Entity):
    """What makes a key work: found by the fingerprint of its token."""

    kind: ClassVar[str] = "key"
    audit: ClassVar[Audit] = FOLLOWS
    key: ApiKey

    def document(self) -> dict[str, Any]:
        return {**super().document(), "key": self.key.document()}


def parent_of(organization_id: str | None, creator: Principal) -> CallingKey | None:
    """The key that a new key of this owner descends from; None where the new one is a root.

    Lineage is among keys of one owner: what a person makes, or the operator for an organization, is a root. Raises
    `ForbiddenError` for a key whose line is as long as it may be.
    """
    parent = creator.key
    if parent is None or creator.organization_id != organization_id:
        return None
    if len(parent.lineage) >= MAXIMUM_GENERATIONS:
        raise ForbiddenError(
            f"A key descends from at most {MAXIMUM_GENERATIONS - 1} others; make this key by one of those, or sign in"
        )
    return parent


def maker_of(organization_id: str | None, creator: Principal) -> str | None:
    """The user with whom a new key of this owner stops.

    None where the operator makes it for an organization, or a key without a maker makes it.
    """
    if creator.organization_id != organization_id:
        return None
    return creator.user_id if creator.key is None else creator.key.maker


def projects_within(
    wanted: Sequence[str] | None, scopes: Iterable[Permission], creator: Principal
) -> tuple[str, ...] | None:
    """The projects of a new key: as wanted, else those that its creator is limited to.

    Raises `ForbiddenError` for projects and scopes that the creator does not have there, `ValidationError` for scopes
    that are about the whole organization.
    """
    own = creator.projects
    projects = tuple(wanted) if wanted is not None else None if own is None else tuple(sorted(own))
    if projects is None:
        return None
    for index, scope in enumerate(scopes):
        if scope not in PROJECT_PERMISSIONS:
            raise ValidationError.at(f"/scopes/{index}", "is about the whole organization, and the key has projects")
        if own is not None and (lacking := [id_ for id_ in projects if scope not in own.get(id_, ())]):
            raise ForbiddenError(f"You cannot give {scope.value} in {lacking[0]}; name your projects in which you can")
    return projects


def expiry_within(parent: CallingKey | None, wanted: datetime | None) -> datetime | None:
    """When a new key expires: as wanted, else with its parent. Raises `ValidationError` for later than that."""
    limit = None if parent is None else parent.expires_at
    if limit is None or wanted is None:
        return wanted if limit is None else limit
    if wanted > limit:
        raise ValidationError.at("/expires_at", f"is after {to_text(limit)}, when the key that makes it expires")
    return wanted


def check_reporting(key: ApiKey) -> None:
    """Raises `ValidationError` for what the key's owner cannot have, or what does not fit together."""
    reporting = key.reporting
    if key.organization_id is None and reporting.default_agent is not None:
        raise ValidationError.at("/default_agent", "is for keys of an organization; the operator's key has no agents")
    if key.organization_id is not None and reporting.subject_is == "organization":
        raise ValidationError.at("/subject_is", "organization is for the operator's own keys")
    if reporting.subject_is == "default_agent" and reporting.default_agent is None:
        raise ValidationError.at("/subject_is", "default_agent goes with a default_agent")
    if key.projects is not None and reporting.make_agents is not None:
        raise ValidationError.at("/make_agents", "makes agents in no project, and the key has projects")
    _check_mapping(key)


def _check_mapping(key: ApiKey) -> None:
    """Raises `ValidationError` for an entry that goes nowhere, or twice the same name."""
    known: set[tuple[str | None, str | None]] = set()
    for index, destination in enumerate(key.reporting.litellm_mapping):
        pointer = f"/litellm_mapping/{index}"
        name = destination.team, destination.key
        if (destination.team is None) == (destination.key is None):
            raise ValidationError.at(pointer, "names either a team or a key of LiteLLM")
        if name in known:
            raise ValidationError.at(pointer, "names a team or key that an entry before it names")
        if key.organization_id is None and destination.organization_id is None:
            raise ValidationError.at(f"{pointer}/organization_id", "is needed for the operator's key, which has none")
        if key.organization_id is not None and destination.organization_id is not None:
            raise ValidationError.at(f"{pointer}/organization_id", "is for the operator's own keys")
        if key.organization_id is not None and destination.project_id is None:
            raise ValidationError.at(f"{pointer}/project_id", "is needed: the calls stay in the key's organization")
        if key.projects is not None and destination.project_id not in key.projects:
            raise ValidationError.at(f"{pointer}/project_id", "is none of the key's projects")
        known.add(name)


def new_token() -> str:
    """A new API key as its holder sees it, once: `xyra_` and 32 random characters, about 190 bits."""
    return KEY_PREFIX + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LENGTH))


def shown_prefix(token: str) -> str:
    """The start of an API key, by which people recognize it."""
    return token[:_SHOWN]


def key_partition(token_fingerprint: str) -> str:
    """The directory partition of an API key."""
    return f"key:{token_fingerprint}"
