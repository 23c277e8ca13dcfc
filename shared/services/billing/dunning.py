"""Dunning: invoices become overdue, people are reminded of them, and by setting their organization is restricted."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.account import ACCOUNT, BillingAccount
from shared.domain.billing.documents import Invoice
from shared.domain.billing.dunning import is_restricting, reminders_due
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import from_text, to_text
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.access.letters import ACCESS_MAIL, Letter
from shared.services.storage import (
    KeptRecords,
    Outbox,
    OutboxEntry,
    Records,
    StaleEtagError,
    Store,
    Stored,
    look_twice,
    putting,
    replacing,
)
from shared.services.tenancy.organizations import Organizations

NEVER_LATER_BY = timedelta(days=3)
"""A reminder that is this late is only marked: after an outage nobody gets a mail about what is long past."""
MAXIMUM_KEPT = 1000
"""Versions of open invoices that stay as they were read: each is looked at every hour until it is paid."""
OVERDUE_SETTLED = "overdue_settled"
"""The effect of what pays, lowers or cancels an overdue invoice; its value is a stored name."""
INVOICE_SETTLED = "invoice_settled"
"""The effect of what leaves nothing of an issued invoice to be paid; its value is a stored name."""


class Dunning:
    """Each reminder is marked on its invoice in the batch with the entry of its mail: it goes out once."""

    def __init__(self, store: Store, clock: Clock, organizations: Organizations, outbox: Outbox) -> None:
        self._store = store
        self._clock = clock
        self._organizations = organizations
        self._accounts = Records(store, INVOICES, BillingAccount)
        self._invoices = KeptRecords(store, INVOICES, Invoice, MAXIMUM_KEPT)
        self._mails = outbox.sender(ACCESS_MAIL)
        self._lifted = outbox.sender(OVERDUE_SETTLED)
        self._settled = outbox.sender(INVOICE_SETTLED)

    async def run(self, organization: Organization) -> None:
        """What the hourly run does for one organization; safe to repeat."""
        account = await self._accounts.find(organization.id, ACCOUNT)
        is_nothing_open = account is not None and not account.entity.open
        if is_nothing_open and organization.restricted_since is None:
            return
        now = self._clock.now()
        async for stored in self._open(organization.id):
            await self._remind(organization, stored, now)
        await self._restrict_or_lift(organization)

    async def lift(self, organization_id: str) -> None:
        """What happens for `OVERDUE_SETTLED`: what is overdue no longer restricts no longer."""
        organization = await self._organizations.made(organization_id)
        if organization.restricted_since is not None:
            await self._restrict_or_lift(organization)

    def lowered_entries(self, invoice: Invoice, still_due: Decimal) -> list[OutboxEntry]:
        """What belongs into the batch that lowers what is due of an invoice to so much. It is as it was before."""
        entries = []
        if invoice.status == "overdue":
            entry_id = f"{OVERDUE_SETTLED}:{invoice.id}"
            entries.append(self._lifted.entry(entry_id, organization_id=invoice.organization_id))
        if not still_due:
            entries.append(self.settled_entry(invoice.organization_id, invoice.id))
        return entries

    def settled_entry(self, organization_id: str, invoice_id: str) -> OutboxEntry:
        """What belongs into the batch that leaves nothing of an issued invoice to be paid."""
        return self._settled.entry(
            f"{INVOICE_SETTLED}:{invoice_id}", organization_id=organization_id, invoice_id=invoice_id
        )

    async def letter(
        self,
        *,
        request_id: str,  # noqa: ARG002  the mail's
        organization_id: str,
        invoice_id: str,
        recipient: str,
        decided_at: str,
    ) -> Letter | None:
        """A reminder; None where the invoice is settled meanwhile, or the address is no contact any longer."""
        organization = await self._organizations.made(organization_id)
        invoice = (await self._invoices.get_created(organization_id, invoice_id)).entity
        address = next((to for to in recipients(organization) if recipient_name(to) == recipient), None)
        if address is None or not invoice.amount_due or invoice.payable_by is None or invoice.number is None:
            return None
        due = invoice.payable_by.astimezone(ZoneInfo(invoice.timezone))
        return Letter(
            address,
            from_text(decided_at),
            names={"organization": organization.name},
            figures={
                "number": invoice.number,
                "amount": f"{invoice.amount_due:f} {invoice.currency}",
                "due": f"{due:%Y-%m-%d}",
            },
        )

    async def _open(self, organization_id: str) -> AsyncIterator[Stored[Invoice]]:
        for status in ("pending", "overdue"):
            async for stored in self._invoices.all(organization_id, equals={"status": status}):
                yield stored

    async def _remind(self, organization: Organization, stored: Stored[Invoice], now: datetime) -> None:
        """Overdue, where it is, with the newest reminder that is due. A lost race is left to the next run."""
        invoice = stored.entity
        if invoice.payable_by is None:
            return
        due = reminders_due(organization.settings.reminder_days, invoice.payable_by, invoice.reminded, now)
        status = invoice.open_status(now)
        if status == invoice.status and not due:
            return
        after = invoice.changed(status=status, reminded=(*invoice.reminded, *due))
        is_timely = bool(due) and now < invoice.payable_by + timedelta(days=due[-1]) + NEVER_LATER_BY
        entries = self._mail_entries(organization, after, due[-1], now) if is_timely else []
        operations = [replacing(stored, after), *map(putting, entries)]
        try:
            await self._store.batch(INVOICES.name, organization.id, operations)
        except StaleEtagError:
            return

    def _mail_entries(
        self, organization: Organization, invoice: Invoice, days: int, now: datetime
    ) -> list[OutboxEntry]:
        """One for each address. They name it by its hash: no address stands in an entry."""
        template = "invoice_due" if days < 0 else "invoice_overdue"
        return [
            self._mails.entry(
                f"{ACCESS_MAIL}:{invoice.id}:{days}:{recipient_name(address)}",
                template=template,
                request_id=f"{invoice.id}:{days}:{recipient_name(address)}",
                organization_id=organization.id,
                invoice_id=invoice.id,
                recipient=recipient_name(address),
                decided_at=to_text(now),
            )
            for address in recipients(organization)
        ]

    async def _restrict_or_lift(self, organization: Organization) -> None:
        """Bring the organization to what its overdue invoices say. One that is restricted is looked at once more."""
        is_restricted = organization.restricted_since is not None
        if await self._is_to_be_restricted(organization):
            await self._set(organization.id, restricted=True)
            if await self._is_to_be_restricted(organization):
                return
            is_restricted = True
        if is_restricted:
            await self._set(organization.id, restricted=False)

    async def _is_to_be_restricted(self, organization: Organization) -> bool:
        after = organization.settings.restricted_after_days
        if after is None:
            return False
        now, allowed = self._clock.now(), timedelta(days=after)

        async def look() -> bool:
            overdue = self._invoices.all(organization.id, equals={"status": "overdue"})
            return any([is_restricting(stored.entity.payable_by, allowed, now) async for stored in overdue])

        return await look_twice(look, is_doubtful=lambda restricted: restricted)

    async def _set(self, organization_id: str, *, restricted: bool) -> None:
        now = self._clock.now()

        def decide(organization: Organization) -> Organization:
            since = (organization.restricted_since or now) if restricted else None
            return organization.changed(restricted_since=since)

        await self._organizations.change(organization_id, decide, None)


def recipients(organization: Organization) -> list[str]:
    """Who gets what concerns billing: the billing address and the contacts, each once."""
    addresses = [organization.billing_email, *organization.own_settings.billing_contacts]
    return list(dict.fromkeys(address for address in addresses if address))


def recipient_name(address: str) -> str:
    """By which an entry names an address without having it."""
    return fingerprint(address.strip().casefold())[:16]
