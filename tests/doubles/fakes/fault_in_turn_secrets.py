"""Secrets in front of others, each call of which fails in turn.

`fault_in_turn.py` has the turns.
"""

import asyncio

from shared.domain.kernel.errors import UnavailableError
from shared.ports.secrets import Secrets
from tests.doubles.fakes.fault_in_turn import ANYWHERE, WRITE, Fault, Script


class FaultInTurnSecrets:
    def __init__(self, inner: Secrets, script: Script) -> None:
        self._inner = inner
        self._script = script

    async def get(self, name: str) -> str:
        await self._script.turn(f"get {name}", ANYWHERE)
        return await self._inner.get(name)

    async def set_if_absent(self, name: str, value: str) -> str:
        fault = await self._script.turn(f"set {name}", WRITE)
        kept = await self._inner.set_if_absent(name, value)
        _after(fault)
        return kept

    async def replace(self, name: str, value: str, *, expected: str) -> None:
        fault = await self._script.turn(f"replace {name}", WRITE)
        await self._inner.replace(name, value, expected=expected)
        _after(fault)


def _after(fault: Fault | None) -> None:
    if fault is Fault.AFTER:
        raise UnavailableError("The answer was lost")
    if fault is Fault.DIES_AFTER:
        raise asyncio.CancelledError
