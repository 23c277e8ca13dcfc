"""Writes a letter: its subject, and its text and HTML parts from their templates."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.services.access.letters import Letter
from shared.templates.rendering import plain_name, template

SUBJECTS = {
    "verification": "Confirm your e-mail address",
    "password_reset": "Choose a new password",
    "password_reset_by_support": "Your password was reset: choose a new one",
    "invitation": "You are invited to {organization}",
    "invoice_due": "Invoice {number} is due on {due}",
    "invoice_overdue": "Invoice {number} is overdue",
    "invoice": "{subject}",
    "account_link": "Confirm that you sign in through {organization}",
}
"""By the name of the template. A name in braces is one of the letter's names or figures."""


@dataclass(frozen=True, slots=True)
class WrittenMail:
    subject: str
    text: str
    html: str


def write(name: str, letter: Letter) -> WrittenMail:
    """The mail of the template with this name. Names of people stand in it as plain text."""
    names = {key: plain_name(value) for key, value in letter.names.items()}
    link = None if letter.link is None else {"url": letter.link.url, "expires": _time(letter.link.expires_at)}
    subject = SUBJECTS[name].format(**names, **letter.figures)
    values = {**names, **letter.figures, "link": link, "subject": subject}
    return WrittenMail(
        subject, template(f"mails/{name}.txt").render(values), template(f"mails/{name}.html").render(values)
    )


def _time(at: datetime) -> str:
    """`2026-11-30 22:45 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
