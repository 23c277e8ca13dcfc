"""The far end of all mail: it keeps what it gets, after having failed as it was told."""

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from shared.ports.mail import MailMessage

if TYPE_CHECKING:
    from collections.abc import Callable


class PostBox:
    def __init__(self) -> None:
        self.sent: list[MailMessage] = []
        self.tries = 0
        self.fail: Callable[[], None] = lambda: None
        """Raises what sending ends with."""

    async def send(self, message: MailMessage) -> None:
        self.tries += 1
        self.fail()
        self.sent.append(message)

    def copy(self) -> "PostBox":
        made = PostBox()
        made.sent = list(self.sent)
        return made

    def failing(self, error: Exception) -> None:
        def fail() -> None:
            raise error

        self.fail = fail


def token_of(message: MailMessage) -> str:
    """The token in the link of a mail."""
    assert message.link is not None
    (token,) = parse_qs(urlsplit(message.link).query)["token"]
    return token
