"""Sends the mails that were decided on: the receiver of the effect `access.mail`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any, ClassVar

from shared.containers import DIRECTORY
from shared.domain.kernel.audit import BOOKKEEPING, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import Instant
from shared.ports.clock import Clock
from shared.ports.mail import Mail, MailMessage, MailRefusedError
from shared.services.access.letters import Composer, Letter
from shared.services.notifications.writing import write
from shared.services.storage import Records, Store

KEPT_DAYS = 90
"""For how long a refused mail is kept."""
SLOW_SECONDS = 2.0
"""A server that fails after so long is left alone for `PAUSE`: each try would keep the other effects waiting."""
PAUSE = timedelta(minutes=1)

_ASKED_BY_ADDRESS = ("password_reset",)
"""Templates whose details have the address as it was typed."""

_log = logging.getLogger(__name__)


class RefusedMail(Entity):
    """A mail that the server refused for good. It names no address; what it is about leads to it."""

    kind: ClassVar[str] = "refused_mail"
    audit: ClassVar[Audit] = BOOKKEEPING
    template: str
    request_id: str
    reason: str
    refused_at: Instant
    details: dict[str, str] = {}
    """What its composer takes besides, without an address that somebody typed."""

    def document(self) -> dict[str, Any]:
        return {**super().document(), "ttl": KEPT_DAYS * 24 * 60 * 60}


class Mails:
    """Each mail is sent at least once, with the same `Message-ID`, date and link each time."""

    def __init__(self, mail: Mail, store: Store, clock: Clock, sender: str, composers: Mapping[str, Composer]) -> None:
        """`composers` make the letters, by the name of the template."""
        self._mail = mail
        self._clock = clock
        self._domain = parseaddr(sender)[1].rpartition("@")[2]
        self._composers = composers
        self._refused = Records(store, DIRECTORY, RefusedMail)
        self._paused_until: datetime | None = None

    async def receive(self, *, template: str, request_id: str, **details: str) -> None:
        """Send the mail of a request, unless it is not to be sent any longer. Safe to repeat.

        What is refused for good is recorded and done with. Raises `UnavailableError`.
        """
        self._refuse_in_pause()
        letter = await self._composers[template](request_id=request_id, **details)
        if letter is None:
            return
        message = self._message(template, request_id, letter)
        try:
            await self._send(message)
        except MailRefusedError as error:
            await self._record(template, request_id, details, str(error))

    async def refused(self) -> AsyncIterator[RefusedMail]:
        """Those that are kept, month by month."""
        now = self._clock.now()
        for partition in dict.fromkeys(refused_partition(now - timedelta(days=days)) for days in range(KEPT_DAYS + 1)):
            async for stored in self._refused.all(partition):
                yield stored.entity

    async def resend(self, mail_id: str) -> None:
        """Send a mail that was refused, with the same link, and keep it no longer.

        Raises `NotFoundError`, `ConflictError` where it is refused again or not to be sent any longer, and
        `UnavailableError`.
        """
        refused = await anext((mail async for mail in self.refused() if mail.id == mail_id), None)
        if refused is None:
            raise NotFoundError("There is no such refused mail")
        if refused.template in _ASKED_BY_ADDRESS:
            raise ConflictError("Its address is not kept: the person asks again by POST /api/v1/auth/password/forgot")
        letter = await self._composers[refused.template](request_id=refused.request_id, **refused.details)
        if letter is None:
            raise ConflictError("It is not to be sent any longer: its link has expired, was used or withdrawn")
        try:
            await self._send(self._message(refused.template, refused.request_id, letter))
        except MailRefusedError as error:
            raise ConflictError(f"It was refused again: {error}") from error
        await self._refused.remove(refused_partition(refused.refused_at), refused.id)

    def _refuse_in_pause(self) -> None:
        if self._paused_until is not None and self._clock.now() < self._paused_until:
            raise UnavailableError("The mail server did not answer a moment ago")

    async def _send(self, message: MailMessage) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            await self._mail.send(message)
        except UnavailableError:
            if loop.time() - started >= SLOW_SECONDS:
                self._paused_until = self._clock.now() + PAUSE
            raise

    def _message(self, template: str, request_id: str, letter: Letter) -> MailMessage:
        written = write(template, letter)
        return MailMessage(
            id=f"{named_id('mail', template, request_id)}@{self._domain}",
            to=letter.to,
            subject=written.subject,
            text=written.text,
            html=written.html,
            written_at=letter.written_at,
            link=None if letter.link is None else letter.link.url,
            attachments=letter.attachments,
        )

    async def _record(self, template: str, request_id: str, details: Mapping[str, str], reason: str) -> None:
        _log.warning("a mail was refused for good", extra={"template": template, "request": request_id})
        now = self._clock.now()
        refused = RefusedMail(
            id=named_id("mail", template, request_id),
            template=template,
            request_id=request_id,
            reason=reason,
            refused_at=now,
            details={} if template in _ASKED_BY_ADDRESS else dict(details),
        )
        await self._refused.put(refused_partition(now), refused)


def refused_partition(at: datetime) -> str:
    """The directory partition of the mails that were refused in that month (UTC)."""
    return f"refused_mails:{at:%Y-%m}"
