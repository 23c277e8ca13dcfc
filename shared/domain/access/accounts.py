"""Users, memberships, sign-ups and API keys."""

import secrets
import string
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Literal

from shared.domain.access.identity import OperatorRole, Permission, Role
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import BEGINNING, Instant

KEY_PREFIX = "xyra_"
_KEY_ALPHABET = string.ascii_letters + string.digits
_KEY_LENGTH = 32
_SHOWN = len(KEY_PREFIX) + 6

FAILURES_BEFORE_LOCK = 5
LOCK_MINUTES = 60


class Membership(Entity):
    """A user's role in an organization; its id is the user's."""

    kind: ClassVar[str] = "member"
    role: Role
    joined_at: Instant


def member_counts(memberships: Iterable[Membership]) -> History[int]:
    """How many members an organization had from when on."""
    joined = Counter(membership.joined_at for membership in memberships)
    entries = [Entry(effective_from=BEGINNING, value=0)]
    for at in sorted(joined):
        entries.append(Entry(effective_from=at, value=entries[-1].value + joined[at]))
    return History[int](entries=tuple(entries))


class Account(Entity):
    """What an e-mail address signs in to. Its creation decides a sign-up; while `pending`, the rest is still to be
    created.
    """

    kind: ClassVar[str] = "account"
    user_id: str
    email: str
    full_name: str
    password_hash: str
    status: Literal["pending", "active", "disabled"]
    organization_ids: tuple[str, ...] = ()
    operator_role: OperatorRole | None = None
    created_at: Instant
    organization_name: str = ""
    currency: str = ""
    timezone: str = ""


class Session(Entity):
    kind: ClassVar[str] = "session"
    user_id: str
    organization_id: str | None
    refresh_fingerprint: str
    expires_at: Instant


class FailedSignIns(Entity):
    """When signing in to an account failed lately. Expires with the lock that it may mean."""

    kind: ClassVar[str] = "failed_sign_ins"
    at: tuple[Instant, ...] = ()

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": LOCK_MINUTES * 60}


class ApiKey(Entity):
    """A key as its organization sees it. `organization_id` is None for the operator's own keys."""

    kind: ClassVar[str] = "api_key"
    organization_id: str | None
    name: str
    scopes: tuple[Permission, ...]
    key_prefix: str
    fingerprint: str
    created_at: Instant
    expires_at: Instant | None = None

    def valid_at(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


class WorkingKey(Entity):
    """What makes a key work: found by the fingerprint of its token."""

    kind: ClassVar[str] = "key"
    key: ApiKey

    def document(self) -> dict[str, Any]:
        return {**super().document(), "key": self.key.document()}


def new_token() -> str:
    """An API key as its holder sees it, once: `xyra_` and 32 characters, about 190 bits."""
    return KEY_PREFIX + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LENGTH))


def shown_prefix(token: str) -> str:
    return token[:_SHOWN]


def email_partition(email: str) -> str:
    return f"email:{fingerprint(email.casefold())}"


def key_partition(token_fingerprint: str) -> str:
    return f"key:{token_fingerprint}"
