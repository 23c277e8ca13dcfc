"""Members of an organization: their public ids, how many there were, and how many own it."""

from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus
from typing import ClassVar

from shared.domain.access.accounts import Membership
from shared.domain.kernel.audit import BOOKKEEPING, FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.times import BEGINNING, Instant

_MEMBER = "mem_"
_USER = "usr_"


class LastOwnerError(ConflictError):
    """An organization that is not deleted keeps an owner who can sign in."""

    status = HTTPStatus.CONFLICT
    code = "last_owner"
    title = "The organization would have no owner"

    def __init__(self, detail: str = "This is the last owner; make another member an owner first") -> None:
        super().__init__(detail)


class FormerMember(Entity):
    """That somebody was a member, for the seats of that time. It says nothing of who it was."""

    kind: ClassVar[str] = "former_member"
    audit: ClassVar[Audit] = FOLLOWS
    joined_at: Instant
    left_at: Instant


class OwnerCount(Entity):
    """How many owners an organization has: whatever adds or takes one away replaces this item in the same batch."""

    kind: ClassVar[str] = "owner_count"
    audit: ClassVar[Audit] = BOOKKEEPING
    id: str = "owners"
    number: int


def member_id(user_id: str) -> str:
    """The public id of a user's membership: the same in each of the user's organizations."""
    return _MEMBER + user_id.removeprefix(_USER)


def user_id_of(member_id: str) -> str:
    """The id of the user whose membership this is."""
    return _USER + member_id.removeprefix(_MEMBER)


def member_counts(memberships: Iterable[Membership], former: Iterable[FormerMember]) -> History[int]:
    """The number of members over time. Who left counts from joining until leaving."""
    changes: Counter[Instant] = Counter()
    for member in memberships:
        changes[member.joined_at] += 1
    for former_member in former:
        changes[former_member.joined_at] += 1
        changes[former_member.left_at] -= 1
    entries = [Entry(effective_from=BEGINNING, value=0)]
    for at in sorted(changes):
        entries.append(Entry(effective_from=at, value=entries[-1].value + changes[at]))
    return History[int](entries=tuple(entries))
