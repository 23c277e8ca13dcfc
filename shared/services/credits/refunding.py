"""Refunds: over many grants they come back in parts, one transfer after the other."""

from dataclasses import replace
from decimal import Decimal

import msgspec

from shared.domain.credits.commands import Refund
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.money import EXACT, plain
from shared.services.credits.later_parts import left_after
from shared.services.credits.paying import Paying
from shared.services.tenancy.organizations import Organizations


class Refunds:
    """The first part decides how much comes back; the others have ids that are made of its own.

    An outbox entry beside the first part has the sweep do those that are cut short.
    """

    def __init__(self, paying: Paying, organizations: Organizations) -> None:
        self._paying = paying
        self._organizations = organizations

    async def run(self, command: Refund) -> Transfer:
        """What comes of the first part, when all others are done. Raises as `Ledger.run`."""
        first = await self._paying.run_where_it_was_made(command)
        if first.refusal is not None:
            return first
        left = left_after(first)
        last = await self._finish(command, first.id, left) if left else first
        after = {name: last.answer[name] for name in ("available", "revision") if name in last.answer}
        return msgspec.structs.replace(first, answer={**first.answer, **after})

    async def _finish(self, command: Refund, first_id: str, left: Decimal) -> Transfer:
        part = 1
        while True:
            transfer = await self._paying.run_where_it_was_made(later_part(command, first_id, part, left))
            left, part = EXACT.subtract(left, transfer.amount), part + 1
            if not left or not transfer.amount:
                return transfer

    async def go_on(self, organization_id: str, transaction_id: str, first_id: str, amount: str, reason: str) -> None:
        """What happens for `REFUND_GOES_ON`: what was cut short comes back. Safe to repeat."""
        organization = await self._organizations.cached(organization_id)
        command = Refund(
            organization_id=organization_id,
            key="",
            transaction_id_refunded=transaction_id,
            reason=reason,
            calendars=organization.calendars,
        )
        await self._finish(command, first_id, Decimal(amount))


def later_part(command: Refund, first_id: str, part: int, left: Decimal) -> Refund:
    return replace(
        command,
        key=f"refund_part:{first_id}:{part}",
        by_system=True,
        principal="",
        request_hash=plain(left),
        amount=left,
        part_of=first_id,
    )
