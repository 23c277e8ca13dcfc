"""Files of one machine: the folder of mails, and the log beside the database."""

import asyncio
import sqlite3
from contextlib import closing
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path

from shared.domain.kernel.errors import UnavailableError

_BUSY_SECONDS = 10.0


class LocalRemnants:
    """Rows that are deleted or replaced are overwritten in the database itself (`secure_delete`). The log that SQLite
    writes first has them still: it is brought into the database, and cut.
    """

    def __init__(self, database: Path, mails: Path) -> None:
        self._database = database
        self._mails = mails

    async def remove_mails(self, address: str) -> None:
        await asyncio.to_thread(self._remove_mails, address)

    async def overwrite_deleted(self) -> None:
        await asyncio.to_thread(self._truncate_log)

    def _remove_mails(self, address: str) -> None:
        wanted = address.lower()
        for path in self._mails.glob("*.eml"):
            try:
                mail = message_from_bytes(path.read_bytes(), policy=policy.SMTPUTF8)
            except FileNotFoundError:
                continue  # another host was faster
            addresses = {each.lower() for _, each in getaddresses([str(value) for value in mail.get_all("To", [])])}
            if wanted in addresses:
                path.unlink(missing_ok=True)

    def _truncate_log(self) -> None:
        try:
            with closing(sqlite3.connect(self._database, timeout=_BUSY_SECONDS)) as connection:
                (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise UnavailableError("The log of the database cannot be cut now") from error
        if is_busy:
            raise UnavailableError("The log of the database is being read, and cannot be cut now")
