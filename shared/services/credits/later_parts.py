"""Refunds and clawbacks that are made in parts: the sweep does what is cut short after the first one."""

from datetime import timedelta
from decimal import Decimal

from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.money import EXACT, ZERO, plain
from shared.ports.clock import Clock
from shared.services.storage import Outbox, OutboxEntry

REFUND_GOES_ON = "refund_goes_on"
"""The effect of a refund over more grants than one transfer takes."""
CLAWBACK_GOES_ON = "clawback_goes_on"
"""The same of a clawback."""
_LEFT_ALONE = timedelta(minutes=2)
"""How long the request that began may take for the other parts."""


class LaterParts:
    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._clock = clock
        self._refund = outbox.sender(REFUND_GOES_ON)
        self._clawback = outbox.sender(CLAWBACK_GOES_ON)

    def entries(self, wallet: Wallet) -> list[OutboxEntry]:
        """To be stored with the first parts of what has more."""
        entries = []
        for transfer in wallet.transfers:
            if transfer.refusal is not None:
                continue
            if transfer.type == "refund" and transfer.principal and left_after(transfer):
                entries.append(self._entry_of_refund(transfer))
            if transfer.type == "clawback" and left_after(transfer):
                entries.append(self._entry_of_clawback(wallet, transfer))
        return entries

    def _entry_of_refund(self, transfer: Transfer) -> OutboxEntry:
        return self._refund.entry(
            f"{REFUND_GOES_ON}:{transfer.id}",
            not_before=self._clock.now() + _LEFT_ALONE,
            organization_id=transfer.organization_id,
            transaction_id=transfer.corrects or "",
            first_id=transfer.id,
            amount=plain(left_after(transfer)),
            reason=transfer.reason or "",
        )

    def _entry_of_clawback(self, wallet: Wallet, transfer: Transfer) -> OutboxEntry:
        grant_id = transfer.corrects or ""
        return self._clawback.entry(
            f"{CLAWBACK_GOES_ON}:{transfer.id}",
            not_before=self._clock.now() + _LEFT_ALONE,
            organization_id=transfer.organization_id,
            payer=wallet.payer,
            grant_id=grant_id,
            version=str(wallet.grant_records[grant_id].version),
            first_id=transfer.id,
            amount=plain(left_after(transfer)),
            reason=transfer.reason or "",
        )


def left_after(transfer: Transfer) -> Decimal:
    """What of its answer's amount a first part leaves to later ones; below zero for what a clawback still returns."""
    if transfer.refusal is not None:
        return ZERO
    return EXACT.subtract(Decimal(transfer.answer["amount"]), transfer.amount)
