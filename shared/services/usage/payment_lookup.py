"""Finds the use, hold or lease that an event names as what has paid for it."""

from dataclasses import dataclass
from decimal import Decimal

from shared.domain.credits.holds import Hold
from shared.domain.credits.leases import Lease
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.money import ZERO
from shared.domain.tenancy.organizations import Organization
from shared.ports.wallets import StoredWallet, Wallets, Wanted


@dataclass(frozen=True, slots=True)
class FoundPayment:
    """A payment as its wallet shows it."""

    id: str
    """That of the hold or lease where a transaction of it was named."""
    credit_kind: str
    credit_value: Decimal | None
    """What a credit was worth at its admission, in money."""
    has_ended: bool
    spent: Decimal
    """Credits."""
    refunded: Decimal
    """Credits."""


class PaymentLookup:
    def __init__(self, wallets: Wallets) -> None:
        self._wallets = wallets

    async def find(self, organization: Organization, payment_id: str) -> FoundPayment | None:
        """None where the organization has no such payment: in none of the wallets that have paid for it.

        Raises `UnavailableError`.
        """
        for payer in dict.fromkeys(entry.value or organization.id for entry in organization.payers.entries):
            found = await self._find_in(payer, organization.id, payment_id)
            if found is not None:
                return found
        return None

    async def _find_in(self, payer: str, organization_id: str, payment_id: str) -> FoundPayment | None:
        if is_id(payment_id, "hold"):
            stored = await self._wallets.read(payer, Wanted(holds=frozenset({payment_id})))
            return await self._held(payer, organization_id, stored.wallet.holds.get(payment_id))
        if is_id(payment_id, "lease"):
            stored = await self._wallets.read(payer, Wanted(leases=frozenset({payment_id})))
            return _leased(organization_id, stored.wallet.leases.get(payment_id))
        return await self._transacted(payer, organization_id, payment_id) if is_id(payment_id, "txn") else None

    async def _transacted(self, payer: str, organization_id: str, payment_id: str) -> FoundPayment | None:
        """A use, or the hold or lease that a transaction is about."""
        named = frozenset({payment_id})
        stored = await self._wallets.read(payer, Wanted(transactions=named, refunded=named))
        transfer = stored.transactions.get(payment_id)
        if transfer is None or transfer.organization_id != organization_id or transfer.is_refused:
            return None
        if transfer.type == "use":
            refunded = _refunded(stored, payment_id)
            return FoundPayment(
                payment_id,
                transfer.credit_kind,
                transfer.credit_value,
                has_ended=True,
                spent=transfer.amount,
                refunded=refunded,
            )
        if transfer.type in ("reserve", "capture", "lease", "lease_settlement") and transfer.corrects is not None:
            return await self._find_in(payer, organization_id, transfer.corrects)
        return None

    async def _held(self, payer: str, organization_id: str, hold: Hold | None) -> FoundPayment | None:
        if hold is None or hold.context.organization_id != organization_id:
            return None
        spent, refunded = ZERO, ZERO
        if hold.state == "captured" and hold.resolved_by is not None:
            named = frozenset({hold.resolved_by})
            stored = await self._wallets.read(payer, Wanted(transactions=named, refunded=named))
            if hold.resolved_by not in stored.transactions:
                raise UnavailableError("The capture of the hold cannot be read yet")
            spent = stored.transactions[hold.resolved_by].amount
            refunded = _refunded(stored, hold.resolved_by)
        return FoundPayment(hold.id, hold.credit_kind, hold.credit_value, hold.state != "open", spent, refunded)


def _refunded(stored: StoredWallet, transaction_id: str) -> Decimal:
    record = stored.wallet.refunds.get(transaction_id)
    return ZERO if record is None else record.refunded


def _leased(organization_id: str, lease: Lease | None) -> FoundPayment | None:
    if lease is None or lease.context.organization_id != organization_id:
        return None
    has_ended = lease.state != "open"
    return FoundPayment(lease.id, lease.credit_kind, lease.credit_value, has_ended, lease.reported, lease.refunded)
