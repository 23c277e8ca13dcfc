"""Refunds that come back in parts: the sweep does what is cut short after the first one."""

from datetime import timedelta
from decimal import Decimal

from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.money import EXACT, plain
from shared.ports.clock import Clock
from shared.services.storage import Outbox, OutboxEntry

REFUND_GOES_ON = "refund_goes_on"
"""The effect of a refund over more grants than one transfer takes."""
_LEFT_ALONE = timedelta(minutes=2)
"""How long the request that refunds may take for the other parts."""


class RefundParts:
    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._clock = clock
        self._sender = outbox.sender(REFUND_GOES_ON)

    def entries(self, wallet: Wallet) -> list[OutboxEntry]:
        """To be stored with the first parts of refunds that have more."""
        entries = []
        for transfer in wallet.transfers:
            is_first = transfer.type == "refund" and transfer.refusal is None and transfer.principal
            left = EXACT.subtract(Decimal(transfer.answer["amount"]), transfer.amount) if is_first else Decimal(0)
            if left:
                entry = self._sender.entry(
                    f"{REFUND_GOES_ON}:{transfer.id}",
                    not_before=self._clock.now() + _LEFT_ALONE,
                    organization_id=transfer.organization_id,
                    transaction_id=transfer.corrects or "",
                    first_id=transfer.id,
                    amount=plain(left),
                    reason=transfer.reason or "",
                )
                entries.append(entry)
        return entries
