"""Clawbacks: over many grants they are made in parts, one transfer after the other."""

from dataclasses import replace
from decimal import Decimal

from shared.domain.credits.commands import Clawback
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.money import EXACT, ZERO, plain
from shared.services.credits.later_parts import left_after
from shared.services.credits.ledger import Ledger


class Clawbacks:
    """The first part decides the total; the others have ids that are made of its own.

    An outbox entry beside the first part has the sweep do those that are cut short.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def run(self, payer: str, command: Clawback) -> Transfer:
        """What comes of the first part, when all others are done. Raises as `Ledger.run`."""
        first = await self._ledger.run(payer, command)
        await self._finish(payer, command, first.id, left_after(first))
        return first

    async def go_on(  # noqa: PLR0913  what the first part says
        self, organization_id: str, payer: str, grant_id: str, version: str, first_id: str, amount: str, reason: str
    ) -> None:
        """What happens for `CLAWBACK_GOES_ON`: what was cut short is done. Safe to repeat."""
        command = Clawback(
            organization_id=organization_id,
            key="",
            grant_id=grant_id,
            total=ZERO,
            version=int(version),
            reason=reason,
        )
        await self._finish(payer, command, first_id, Decimal(amount))

    async def _finish(self, payer: str, command: Clawback, first_id: str, left: Decimal) -> None:
        """Part by part; one that does nothing is the last, as a newer total goes on from there."""
        part = 1
        while left:
            transfer = await self._ledger.run(payer, _later_part(command, first_id, part, left))
            left, part = EXACT.subtract(left, transfer.amount), part + 1
            if not transfer.amount:
                return


def _later_part(command: Clawback, first_id: str, part: int, left: Decimal) -> Clawback:
    return replace(
        command,
        key=f"clawback_part:{first_id}:{part}",
        by_system=True,
        principal="",
        request_hash=plain(left),
        total=ZERO,
        part_of=first_id,
    )
