"""API keys: who descends from whom, and how long each works."""

import secrets
import string
from datetime import datetime
from typing import Any, ClassVar

from shared.domain.access.identity import CallingKey, KeyReference, Permission, Principal
from shared.domain.access.reporting import Reporting
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ForbiddenError, ValidationError
from shared.domain.kernel.times import Instant, to_text

KEY_PREFIX = "xyra_"
MAXIMUM_GENERATIONS = 10
"""All of them are read at each call of the youngest."""

_KEY_ALPHABET = string.ascii_letters + string.digits
_KEY_LENGTH = 32
_SHOWN = len(KEY_PREFIX) + 6


class ApiKey(Entity):
    """An API key without its secret, of which only a fingerprint is stored."""

    kind: ClassVar[str] = "api_key"
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
        return self.expires_at is None or now < self.expires_at

    def principal(self) -> Principal:
        """Who calls with it."""
        lineage = (*self.ancestors, KeyReference(self.id, self.fingerprint))
        key = CallingKey(lineage, self.expires_at, self.reporting)
        return Principal(self.id, self.organization_id, frozenset(self.scopes), key)


class WorkingKey(Entity):
    """What makes a key work: found by the fingerprint of its token."""

    kind: ClassVar[str] = "key"
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
