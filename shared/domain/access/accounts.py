"""Users, memberships and sign-ups."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from shared.domain.access.identity import OperatorRole, Role
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import BEGINNING, Instant

FAILURES_BEFORE_LOCK = 5
LOCK_MINUTES = 60


class Membership(Entity):
    """A user's role in an organization; the id is the user's."""

    kind: ClassVar[str] = "member"
    role: Role
    joined_at: Instant


def member_counts(memberships: Iterable[Membership]) -> History[int]:
    """The number of members over time."""
    joined = Counter(membership.joined_at for membership in memberships)
    entries = [Entry(effective_from=BEGINNING, value=0)]
    for at in sorted(joined):
        entries.append(Entry(effective_from=at, value=entries[-1].value + joined[at]))
    return History[int](entries=tuple(entries))


class Account(Entity):
    """A user's account, found by e-mail address.

    Creating it decides a sign-up: while it is `pending`, the organization and the membership are still to be created.
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
    """A sign-in; its refresh token is stored as a fingerprint."""

    kind: ClassVar[str] = "session"
    user_id: str
    organization_id: str | None
    refresh_fingerprint: str
    expires_at: Instant


class FailedSignIns(Entity):
    """The recent failed sign-ins of an e-mail address, which lock it after five."""

    kind: ClassVar[str] = "failed_sign_ins"
    at: tuple[Instant, ...] = ()

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": LOCK_MINUTES * 60}


def comparable_address(email: str) -> str:
    """An e-mail address in the form in which two are compared: lower case, NFC.

    Nothing is folded: `straße@` and `strasse@` are two mailboxes. Mail goes to the address as it is stored, never to
    one that somebody typed to be compared with it.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email).lower())


def address_partition(email: str) -> str:
    """The directory partition of an e-mail address, whatever its case."""
    return f"address:{fingerprint(comparable_address(email))}"


def earlier_address_partition(email: str) -> str:
    """Where an account was stored when addresses were folded. Accounts of other addresses may be there."""
    return f"email:{fingerprint(email.casefold())}"
