"""The mail of a process that sends none."""

from shared.domain.kernel.errors import UnavailableError
from shared.ports.mail import MailMessage


class NoMail:
    """Sends nothing, so that mails wait in the outbox for a process that does."""

    async def send(self, message: MailMessage) -> None:
        raise UnavailableError(f"This process sends no mail; {message.id} waits")
