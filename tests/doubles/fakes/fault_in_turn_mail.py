"""Mail in front of another, each call of which fails in turn.

`fault_in_turn.py` has the turns.
"""

import asyncio

from shared.domain.kernel.errors import UnavailableError
from shared.ports.mail import Mail, MailMessage
from tests.doubles.fakes.fault_in_turn import WRITE, Fault, Script


class FaultInTurnMail:
    def __init__(self, inner: Mail, script: Script) -> None:
        self._inner = inner
        self._script = script

    async def send(self, message: MailMessage) -> None:
        fault = await self._script.turn("send a mail", WRITE)
        await self._inner.send(message)
        if fault is Fault.AFTER:
            raise UnavailableError("The answer was lost")
        if fault is Fault.DIES_AFTER:
            raise asyncio.CancelledError
