"""Issued invoices and credit notes of any lines, with all that documents can say, without a store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.domain.billing.document_details import Buyer, DocumentDetails, Seller
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.invoicing import hash_of, total_of
from shared.domain.billing.operator_profile import BankAccount, Contact
from shared.domain.billing.printed_documents import PrintedDocument
from shared.domain.billing.printing import DocumentPrinter
from shared.domain.billing.tax_settings import TaxId
from shared.domain.billing.taxes import tax_lines_of, taxed
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import EXACT, ZERO, round_half_up, to_places
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step
from shared.domain.pricing.treatments import Treatment
from shared.domain.tenancy.billing_details import EInvoiceFormat, ElectronicAddress, Language, PostalAddress

START, END = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
ISSUED = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
PERIOD = Period(start=START, end=END, timezone="UTC")
NUMBER = "INV-ACME-2026-000042"
SELLER = Seller(
    name="Nordlicht Agents GmbH",
    address=PostalAddress(line1="Lange Straße 1", postal_code="10115", city="Berlin", country="DE"),
    tax_ids=(TaxId(type="eu_vat", value="DE136695976"),),
    registration="HRB 12345, Amtsgericht Charlottenburg",
    electronic_address=ElectronicAddress(scheme="9930", id="DE136695976"),
    contact=Contact(name="Billing", email="billing@nordlicht.example", phone="+49 30 1234567"),
    bank_account=BankAccount(iban="DE89370400440532013000", bic="COBADEFFXXX", bank="Commerzbank"),
    logo_id=None,
    accent="#1f3a5f",
)
BUYER = Buyer(
    name="Acme SARL",
    contact="Ada Lovelace",
    address=PostalAddress(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR"),
    tax_ids=(TaxId(type="eu_vat", value="FR40303265045"),),
    tax_id=None,
    electronic_address=ElectronicAddress(scheme="9957", id="FR40303265045"),
    reference="04011000-12345-34",
)
STANDARD = Treatment(
    rate_id="tax_19", name="VAT", country="DE", category="S", percent=Decimal(19), inclusive=False, status="taxable"
)
REDUCED = STANDARD.model_copy(update={"rate_id": "tax_7", "percent": Decimal(7)})
CONTAINED = STANDARD.model_copy(update={"rate_id": "tax_19i", "inclusive": True})
REVERSED = Treatment(
    rate_id=None,
    name="Reverse charge",
    country=None,
    category="AE",
    percent=Decimal(0),
    inclusive=False,
    status="reverse_charge",
    text="Reverse charge: the recipient is liable for the tax",
)
EXEMPT = REVERSED.model_copy(
    update={"name": "Exempt", "category": "E", "status": "exempt", "text": "Educational services"}
)


def details(
    language: Language = "en",
    e_invoice: EInvoiceFormat | None = None,
    seller: Seller | None = SELLER,
    buyer: Buyer = BUYER,
) -> DocumentDetails:
    return DocumentDetails(language=language, seller=seller, buyer=buyer, e_invoice=e_invoice, as_of=ISSUED)


def line(  # noqa: PLR0913  the parts of a line
    number: int,
    quantity: str,
    unit_amount: str | None,
    treatment: Treatment | None = STANDARD,
    *,
    amount: str | None = None,
    agent: str | None = None,
    description: str = "Commands (per command)",
    steps: Sequence[Step] = (),
    currency: str = "EUR",
) -> Line:
    """A line of quantity times price, or of an amount that they do not come to."""
    exact = Decimal(amount) if amount is not None else EXACT.multiply(Decimal(quantity), Decimal(unit_amount or "0"))
    return Line(
        key=f"bm_1/commands/{number}",
        type="activity",
        charge="commands",
        agent_id=None if agent is None else named_id("agt", agent),
        agent_name=agent,
        description=description,
        quantity=Decimal(quantity),
        unit="command",
        unit_amount=None if unit_amount is None else Decimal(unit_amount),
        steps=tuple(steps),
        exact_amount=to_places(exact),
        amount=round_half_up(exact, currency),
        period=PERIOD.span,
        treatment=treatment,
    )


def invoice(
    lines: Sequence[Line], made: DocumentDetails | None = None, currency: str = "EUR", applied: str = "0"
) -> tuple[Invoice, tuple[Line, ...]]:
    """An issued one, with its lines as they are taxed together."""
    with_tax = taxed(lines, currency)
    issued = Invoice(
        id=named_id("inv", "printed"),
        organization_id="org_1",
        number=NUMBER,
        status="pending",
        currency=currency,
        start=START,
        end=END,
        timezone="UTC",
        revision=1,
        lines_hash=hash_of(with_tax),
        line_count=len(with_tax),
        total=total_of(with_tax, currency),
        tax_lines=tax_lines_of(with_tax, currency),
        created_at=END,
        finalize_at=END,
        issued_at=ISSUED,
        finalized_at=ISSUED,
        payable_by=ISSUED + timedelta(days=15),
        applied_when_issued=round_half_up(Decimal(applied), currency),
        purchase_order="PO-4711",
        notes="Thank you for your trust.",
        details=made or details(),
    )
    return issued, with_tax


def credit_note(lines: Sequence[Line], made: DocumentDetails | None = None) -> tuple[CreditNote, tuple[Line, ...]]:
    """One of negative lines."""
    with_tax = taxed(lines, "EUR")
    note = CreditNote(
        id=named_id("cn", "printed"),
        organization_id="org_1",
        number="CN-ACME-2026-000007",
        reason="goodwill",
        text="The outage of 3 October",
        invoice_id=named_id("inv", "printed"),
        currency="EUR",
        start=START,
        end=END,
        lines_hash=hash_of(with_tax),
        line_count=len(with_tax),
        total=total_of(with_tax, "EUR"),
        tax_lines=tax_lines_of(with_tax, "EUR"),
        issued_at=ISSUED,
        to_balance=ZERO,
        details=made or details(),
    )
    return note, with_tax


def printed(lines: Sequence[Line], made: DocumentDetails | None = None, applied: str = "0") -> PrintedDocument:
    """An invoice of these lines as it is laid out."""
    issued, with_tax = invoice(lines, made, applied=applied)
    return DocumentPrinter(made or details(), "UTC", None).invoice(issued, with_tax)


def many_lines(count: int) -> list[Line]:
    """Lines with amounts of their own, a few for each agent, some with the arithmetic of tiers."""
    lines = []
    for number in range(count):
        tiers = (
            Step(kind="base_fee", amount=Decimal(15)),
            Step(
                kind="tier",
                lower=Decimal(0),
                upper=Decimal(1000),
                quantity=Decimal(1000),
                unit_amount=Decimal("0.01"),
                amount=Decimal(10),
            ),
            Step(
                kind="tier",
                lower=Decimal(1000),
                quantity=Decimal(number),
                unit_amount=Decimal("0.005"),
                amount=Decimal(number) * Decimal("0.005"),
            ),
        )
        is_tiered = number % 3 == 0
        agent = f"Agent {number // 4:04}"
        if is_tiered:
            amount = Decimal(25) + Decimal(number) * Decimal("0.005")
            lines.append(line(number, str(1000 + number), None, amount=str(amount), agent=agent, steps=tiers))
        else:
            lines.append(
                line(number, str(7 + number), "1.13", agent=agent, description="Resolved tickets (per ticket)")
            )
    return lines
