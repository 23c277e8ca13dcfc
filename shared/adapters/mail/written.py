"""Mails as Internet messages (RFC 5322)."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime

from shared.ports.mail import MailMessage

_LONGEST_LINE = 998
"""Without its end (RFC 5322, 2.1.1)."""


def written(message: MailMessage, sender: str) -> EmailMessage:
    """The message with a text and an HTML part. `sender` may have a name: `Xyra <no-reply@example.com>`.

    Raises `ValueError` for an address that no header can hold.
    """
    mail = EmailMessage(policy=SMTPUTF8)
    mail["Message-ID"] = f"<{message.id}>"
    mail["Date"] = format_datetime(message.written_at)
    mail["From"] = sender
    mail["To"] = Address(addr_spec=message.to)
    mail["Subject"] = message.subject
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nothing answers it by itself
    mail.set_content(message.text, cte=_encoding(message.text))
    mail.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
    for attachment in message.attachments:
        main, _, sub = attachment.media_type.partition("/")
        mail.add_attachment(attachment.content, maintype=main, subtype=sub, filename=attachment.name)
    return mail


def _encoding(text: str) -> str | None:
    """As it is where that can be sent, so that people can read the links in a file; None lets the library choose."""
    is_plain = text.isascii() and all(len(line) <= _LONGEST_LINE for line in text.splitlines())
    return "7bit" if is_plain else None
