"""What is written to people about their accounts.

Whoever decides on a mail stores an entry of the effect `ACCESS_MAIL` beside the decision. The entry names the template
and the request, and no token. When its time comes, the composer of that template reads what holds by then and makes the
letter, or None where it is not to be sent any longer.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from shared.ports.mail import Attachment
from shared.services.access.mailed_links import IssuedLink

ACCESS_MAIL = "access.mail"
"""The effect of a decision that somebody gets a mail."""

Template = Literal["verification", "password_reset", "password_reset_by_support", "invitation", "account_link"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is written: to whom, and what its template needs."""

    to: str
    """The address as it is stored with the account or the invitation, never one that somebody typed."""
    written_at: datetime
    """When it was decided, so that a repeat has the same date."""
    link: IssuedLink | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Names of people and organizations, by how the template calls them. They are written as plain text."""
    figures: Mapping[str, str] = field(default_factory=dict)
    """Numbers, dates and amounts of ours, written as they are."""
    attachments: tuple[Attachment, ...] = ()


Composer = Callable[..., Awaitable[Letter | None]]
"""Takes `request_id` and what else the entry says as arguments, all of them texts. Has to be safe to repeat."""
