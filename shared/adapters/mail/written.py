"""Mails as Internet messages (RFC 5322)."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime

from shared.ports.mail import MailMessage


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
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail
