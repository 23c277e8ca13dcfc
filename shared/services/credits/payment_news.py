"""News of payments: what ends a hold or lease, each late report, and each refund is told to the usage that they pay."""

from collections.abc import Sequence
from decimal import Decimal

from shared.domain.credits.commands import AnyCommand
from shared.domain.credits.leases import Lease
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.money import ZERO, plain
from shared.services.storage import Outbox, OutboxEntry
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.paid_usage import PAYMENT_CHANGED, YES


class PaymentNews:
    """Only of organizations whose events may name payments, or ever might."""

    def __init__(self, outbox: Outbox, organizations: Organizations) -> None:
        self._organizations = organizations
        self._sender = outbox.sender(PAYMENT_CHANGED)

    async def told(self, commands: Sequence[AnyCommand]) -> frozenset[str]:
        """Whose payments are told."""
        told = set()
        for organization_id in {command.organization_id for command in commands}:
            if (await self._organizations.cached(organization_id)).had_paid_usage:
                told.add(organization_id)
        return frozenset(told)

    def entries(self, wallet: Wallet, told: frozenset[str]) -> list[OutboxEntry]:
        """To be stored in the batch of the wallet's transfers: one for each payment."""
        by_payment: dict[str, OutboxEntry] = {}
        for transfer in wallet.transfers:
            if transfer.organization_id not in told or transfer.refusal is not None or transfer.corrects is None:
                continue
            if transfer.type in ("capture", "release", "hold_expiry"):
                spent = transfer.amount if transfer.type == "capture" else ZERO
                by_payment[transfer.corrects] = self._entry(transfer, transfer.corrects, wallet, spent, ZERO)
            elif transfer.corrects in wallet.leases:
                self._note_lease(by_payment, wallet.leases[transfer.corrects])
            elif transfer.type == "refund" and wallet.earlier[transfer.corrects].type == "lease_settlement":
                self._note_lease(by_payment, wallet.leases[wallet.earlier[transfer.corrects].corrects or ""])
            elif transfer.type == "refund":
                original = wallet.earlier[transfer.corrects]
                payment_id = original.id if original.type == "use" else original.corrects or original.id
                refunded = wallet.refunds[original.id].refunded
                by_payment[payment_id] = self._entry(original, payment_id, wallet, original.amount, refunded)
        return list(by_payment.values())

    def _note_lease(self, by_payment: dict[str, OutboxEntry], lease: Lease) -> None:
        """Each report after its end, and the end: until then its events cost nothing."""
        if lease.state != "open":
            value = "" if lease.credit_value is None else plain(lease.credit_value)
            of = (lease.context.organization_id, lease.id, value)
            by_payment[lease.id] = self._of(*of, lease.reported, lease.refunded)

    def _entry(
        self, transfer: Transfer, payment_id: str, wallet: Wallet, spent: Decimal, refunded: Decimal
    ) -> OutboxEntry:
        hold = wallet.holds.get(payment_id)
        credit_value = transfer.credit_value if hold is None else hold.credit_value
        value = "" if credit_value is None else plain(credit_value)
        return self._of(transfer.organization_id, payment_id, value, spent, refunded)

    def _of(
        self, organization_id: str, payment_id: str, credit_value: str, spent: Decimal, refunded: Decimal
    ) -> OutboxEntry:
        return self._sender.entry(
            f"{PAYMENT_CHANGED}:{payment_id}",
            organization_id=organization_id,
            payment_id=payment_id,
            credit_value=credit_value,
            has_ended=YES,
            spent=plain(spent),
            refunded=plain(refunded),
        )
