"""The list of all users, in slices of the directory, and what users say about mails that they want."""

from typing import ClassVar

from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.value import Value

SLICES = 16


class ListedUser(Entity):
    """By which the users are enumerated."""

    kind: ClassVar[str] = "listed_user"
    audit: ClassVar[Audit] = BOOKKEEPING


class NotificationPreferences(Value):
    """Which mails a user wants, besides those about the account itself."""

    billing: bool = True
    """Invoices and payments of organizations in which the user may see them."""
    usage: bool = True
    """Limits that are near, and usage that cannot be metered."""
    product: bool = False
    """News."""


def user_slice(user_id: str) -> str:
    """The directory partition that lists this user."""
    return f"users:{int(fingerprint(user_id)[:8], 16) % SLICES}"


def user_slices() -> list[str]:
    """All directory partitions that list users."""
    return [f"users:{number}" for number in range(SLICES)]
