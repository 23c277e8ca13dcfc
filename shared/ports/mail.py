"""Mail to one person: what is sent, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that a mail brings along."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class MailMessage:
    """One mail. A repeat of it has the same fields."""

    id: str
    """The `Message-ID`, without its brackets. Its first part is one of our ids, and so a legal name of a file."""
    to: str
    """An e-mail address alone, without a name."""
    subject: str
    text: str
    html: str
    written_at: datetime
    link: str | None = None
    """The link that the mail is about, for adapters that show mails to whoever runs the machine."""
    attachments: tuple[Attachment, ...] = ()


class MailRefusedError(Exception):
    """The mail is refused for good: sending it again would end the same way. The text names no address."""


class Mail(Protocol):
    """Sends mails at least once each."""

    async def send(self, message: MailMessage) -> None:
        """Return once it is accepted for delivery.

        Raises `MailRefusedError`, and `UnavailableError` where it may have been accepted or not: send it again.
        """
        ...
