"""Links in mails: what each is for, where it leads, and how long it works."""

from datetime import timedelta
from typing import ClassVar, Literal

from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant

Purpose = Literal["verification", "password_reset", "invitation", "account_link", "invoice"]

LIFETIMES: dict[Purpose, timedelta] = {
    "verification": timedelta(minutes=60),
    "password_reset": timedelta(minutes=30),
    "invitation": timedelta(days=7),
    "account_link": timedelta(minutes=60),
    "invoice": timedelta(days=90),
}
"""How long a link works, counted from when it was asked for."""

PAGES: dict[Purpose, str] = {
    "verification": "account/verify",
    "password_reset": "account/reset",
    "invitation": "account/accept",
    "account_link": "account/link",
    "invoice": "pay",
}
"""The page that a link leads to, below the public address."""


def path_of(purpose: Purpose, token: str) -> str:
    """Where a link leads, below the public address."""
    return f"{PAGES[purpose]}/{token}" if purpose == "invoice" else f"{PAGES[purpose]}?token={token}"


class MailedLink(Entity):
    """What a link stands for, found by the hash of its token. The token itself is in the mail alone.

    It decides nothing: whether the link was used is decided by a guarded write of the thing that it is about.
    """

    kind: ClassVar[str] = "mailed_link"
    audit: ClassVar[Audit] = FOLLOWS
    purpose: Purpose
    request_id: str
    """Of the request that the mail answers."""
    holder_id: str
    """The user or the organization that the request belongs to."""
    address_fingerprint: str
    """Of the address that the mail goes to, as `address_fingerprint` makes it: who has the token has that mailbox."""
    expires_at: Instant
