"""The mailboxes of people who write to a host that keeps its mails in a folder."""

from collections import Counter
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.doubles.clients.log_scan import KNOWN
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.clients.xyra_process import XyraProcess

UNTIL_SWEPT = timedelta(minutes=2)
_LINK = "/account/"


class Mailbox:
    """Mails go out when the timer of the outbox fires: so each look moves the clock of the host."""

    def __init__(self, process: XyraProcess, xyra: Xyra) -> None:
        self._process = process
        self._xyra = xyra
        self._now = process.now()
        self._seen: set[Path] = set()

    @property
    def now(self) -> datetime:
        """By the host's clock."""
        return self._now

    async def pass_time(self, time: timedelta) -> None:
        """Do what is due by then."""
        self._now += time
        self._process.set_clock(self._now)
        await self._xyra.idle()

    async def arrivals(self, address: str) -> list[EmailMessage]:
        """What has come for somebody since the last look."""
        await self.pass_time(UNTIL_SWEPT)
        found = set((self._process.data_dir / "mail").glob("*.eml")) - self._seen
        mails = {path: _read(path) for path in found}
        theirs = {path: mail for path, mail in mails.items() if str(mail["To"]) == address}
        self._seen |= set(theirs)
        return list(theirs.values())

    def recipients(self) -> Counter[str]:
        """Of all mails that were ever sent, by the lines that say so."""
        mails = [_read(path) for path in (self._process.data_dir / "mail").glob("*.eml")]
        return Counter(str(mail[name]) for mail in mails for name in ("To", "Cc", "Bcc") if mail[name] is not None)

    async def token(self, address: str) -> str:
        """The token in the link of the one mail that has come for somebody."""
        (mail,) = await self.arrivals(address)
        text = mail.get_body(("plain",))
        assert text is not None
        (link,) = [line for line in text.get_content().splitlines() if _LINK in line]
        (token,) = parse_qs(urlsplit(link).query)["token"]
        KNOWN.add("token of a link", token)
        return token


def _read(path: Path) -> EmailMessage:
    mail = message_from_bytes(path.read_bytes(), policy=policy.SMTPUTF8)
    assert isinstance(mail, EmailMessage)
    return mail
