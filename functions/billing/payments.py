"""Payments of invoices, and the account of an organization."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func
from pydantic import Field, StringConstraints

from functions.billing.invoice_answers import InvoiceAnswer, whole_invoice
from functions.billing.invoices import InvoicePath, find_invoice
from functions.fields import Listed, OrganizationPath
from shared.domain.access.identity import Permission
from shared.domain.billing.account import AccountEntry, EntryKind
from shared.domain.billing.payments import AlreadyPaidError, CancelledError, Payment
from shared.domain.kernel.money import NonNegativeAmount, RoundedAmount, round_half_up
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, ZonedTime, endpoint
from shared.services.billing.invoice_payments import PaymentByHand

blueprint = func.Blueprint()

ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ManualPayment(Schema):
    amount: NonNegativeAmount | None = None
    """What came; left out, what is due. What exceeds that is balance of the account."""
    method: ShortText = "bank_transfer"
    """How it was paid, such as `bank_transfer`, `cash`, `check`."""
    reference: ShortText | None = None
    """What the bank or the payer called it."""
    paid_at: ZonedTime | None = None
    """When it came; left out, now."""


class PayRequest(Schema):
    manual: ManualPayment
    """A payment that came without a payment provider."""


class AppliedAnswer(Schema):
    invoice_id: str
    """The invoice that it was applied to."""
    amount: RoundedAmount
    """What the invoice took."""


class PaymentAnswer(Schema):
    id: str
    organization_id: str
    target: str
    """The invoice that it was made for."""
    method: str
    """How it was paid."""
    reference: str | None
    """What the bank or the payer called it."""
    currency: str
    received: RoundedAmount
    """What came."""
    applied: list[AppliedAnswer]
    """What invoices took of it when it came."""
    unapplied: RoundedAmount
    """What became balance of the account."""
    received_at: datetime
    """When the money came."""
    recorded_at: datetime
    """When it was entered."""

    @classmethod
    def of(cls, payment: Payment) -> Self:
        applied = AppliedAnswer(invoice_id=payment.invoice_id, amount=payment.applied)
        return cls(
            id=payment.id,
            organization_id=payment.organization_id,
            target=payment.invoice_id,
            method=payment.method,
            reference=payment.reference,
            currency=payment.currency,
            received=payment.received,
            applied=[applied] if payment.applied else [],
            unapplied=payment.unapplied,
            received_at=payment.received_at,
            recorded_at=payment.recorded_at,
        )


class PaidAnswer(Schema):
    invoice: InvoiceAnswer
    """As it is after the payment."""
    payment: PaymentAnswer
    """As it was recorded."""


class ApplyBalanceRequest(Schema):
    amount: NonNegativeAmount | None = None
    """Left out: what is due, as far as the balance goes."""


class PaymentPath(PathValues):
    payment_id: Annotated[str, ThingId("pay")]
    """The payment's id."""


class PaymentListQuery(ListQuery):
    invoice: Annotated[str, Field(max_length=256)] | None = None
    """Only payments for this invoice, by its id."""
    since: ZonedTime | None = Field(default=None, alias="from")
    """Only payments that came then or later."""


class EntryAnswer(Schema):
    id: str
    time: datetime
    """When it was booked."""
    kind: EntryKind
    """`opening`: documents that were issued before the account was kept."""
    amount: RoundedAmount
    """Positive in favour of the organization: payments, notes, cancellations. Negative for invoices."""
    balance: RoundedAmount
    """The sum up to this entry: what was paid beyond what was owed, negative where more was owed."""
    document: str | None
    """The id of the invoice, credit note or payment."""

    @classmethod
    def of(cls, entry: AccountEntry) -> Self:
        return cls(
            id=entry.id,
            time=entry.time,
            kind=entry.entry_kind,
            amount=entry.amount,
            balance=entry.balance,
            document=entry.document_id,
        )


class AccountAnswer(Schema):
    organization_id: str
    currency: str
    balance: RoundedAmount
    """What was paid or credited and is not applied to an invoice yet. The next invoice takes it."""
    open: RoundedAmount
    """What is still to be paid of issued invoices."""
    entries: list[EntryAnswer]
    """Newest first. All of them add up to `balance` less `open`."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/pay",
    summary="Record a payment that came for an invoice; what exceeds it is balance of the account",
    access=Permission.INVOICES_WRITE,
    path_values=InvoicePath,
    body=PayRequest,
    answers={200: PaidAnswer},
    requires_key=True,
    find=find_invoice,
    errors=(AlreadyPaidError, CancelledError),
    example={"manual": {"amount": "49.00", "method": "bank_transfer", "reference": "2026-11-03 ACME"}},
)
async def pay_invoice(call: Call[PayRequest, Query, InvoicePath]) -> Reply:
    invoice_id, manual = call.path.invoice_id, call.body.manual
    organization_id = await call.organization_id_of(invoice_id)
    by_hand = PaymentByHand(manual.method, manual.amount, manual.reference, manual.paid_at)
    payment = await call.services.account.payments.pay(organization_id, call.new_id("pay"), invoice_id, by_hand)
    invoice, _ = await call.services.billing_documents.invoice(organization_id, invoice_id)
    return Reply(PaidAnswer(invoice=await whole_invoice(call, invoice), payment=PaymentAnswer.of(payment)))


@endpoint(
    blueprint,
    "POST",
    "invoices/{invoice_id}/apply-balance",
    summary="Pay of an invoice from the balance of the account",
    access=Permission.BILLING_WRITE,
    path_values=InvoicePath,
    body=ApplyBalanceRequest,
    answers={200: InvoiceAnswer},
    requires_key=True,
    find=find_invoice,
    errors=(AlreadyPaidError, CancelledError),
    example={"amount": "10.00"},
)
async def apply_balance(call: Call[ApplyBalanceRequest, Query, InvoicePath]) -> Reply:
    invoice_id = call.path.invoice_id
    organization_id = await call.organization_id_of(invoice_id)
    application_id = call.new_id("bal")
    await call.services.account.payments.apply_balance(organization_id, application_id, invoice_id, call.body.amount)
    invoice, etag = await call.services.billing_documents.invoice(organization_id, invoice_id)
    return Reply(await whole_invoice(call, invoice), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "billing/payments",
    summary="Payments, by when they came, newest first",
    access=Permission.BILLING_READ,
    query=PaymentListQuery,
    answers={200: Listed[PaymentAnswer]},
)
async def list_payments(call: Call[NoBody, PaymentListQuery]) -> Reply:
    query = call.query
    page = await call.services.account.payments.page(
        await call.organization_id(), query.invoice, query.since, query.limit, query.cursor
    )
    return Reply(Listed(data=[PaymentAnswer.of(payment) for payment in page.entities], next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "billing/payments/{payment_id}",
    summary="One payment",
    access=Permission.BILLING_READ,
    path_values=PaymentPath,
    answers={200: PaymentAnswer},
)
async def get_payment(call: Call[NoBody, Query, PaymentPath]) -> Reply:
    payment_id = call.path.payment_id
    organization_id = await call.organization_id_of(payment_id)
    payment, etag = await call.services.account.payments.get(organization_id, payment_id)
    return Reply(PaymentAnswer.of(payment), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}/account",
    summary="What an organization owes, what it has paid beyond that, and how both came about",
    access=Permission.BILLING_READ,
    path_values=OrganizationPath,
    query=ListQuery,
    answers={200: AccountAnswer},
)
async def get_account(call: Call[NoBody, ListQuery, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    organization = await call.services.organizations.get(organization_id)
    accounts = call.services.account.accounts
    read = await accounts.read(organization_id, call.now)
    page = await accounts.entries(organization_id, call.query.limit, call.query.cursor)
    entries = page.entities if read.stored is not None else list(read.opening)
    return Reply(
        AccountAnswer(
            organization_id=organization_id,
            currency=organization.currency,
            balance=round_half_up(read.account.balance, organization.currency),
            open=round_half_up(read.account.open, organization.currency),
            entries=[EntryAnswer.of(entry) for entry in entries],
            next_cursor=page.cursor,
        )
    )
