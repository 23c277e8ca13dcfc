"""Mails as files of one machine, shown to whoever runs it."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from email.errors import MessageError
from pathlib import Path

from shared.adapters.mail.written import written
from shared.domain.kernel.errors import UnavailableError
from shared.ports.mail import MailMessage, MailRefusedError


class FolderMail:
    """Writes each mail to a file `.eml` that its owner alone can read. A repeat writes the same file."""

    def __init__(self, folder: Path, sender: str, show: Callable[[str], None]) -> None:
        """`show` is given lines for the person at the terminal: the file, and the link in the mail."""
        self._folder = folder
        self._sender = sender
        self._show = show

    async def send(self, message: MailMessage) -> None:
        try:
            content = written(message, self._sender).as_bytes()
        except (ValueError, MessageError) as error:
            raise MailRefusedError("The address cannot stand in a mail") from error
        path = self._folder / f"{message.id.partition('@')[0]}.eml"
        try:
            await asyncio.to_thread(_write, path, content)
        except OSError as error:
            raise UnavailableError("The folder of mails cannot be written") from error
        self._show(f"Mail to {message.to}, {message.subject}: {path}")
        if message.link is not None:
            self._show(f"  {message.link}")


def _write(path: Path, content: bytes) -> None:
    """Write a new file and rename it: a reader finds a whole mail or none."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
