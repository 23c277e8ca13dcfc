"""Documents of issued invoices: as of their finalizing, mailed, and shown behind links."""

import asyncio
import io
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from typing import Any

import pytest
from pypdf import PdfReader

from shared.adapters.mail.written import written
from shared.bootstrap import Application, Ports
from shared.domain.billing.documents import Invoice
from shared.domain.billing.operator_profile import BankAccount, Contact, OperatorProfile
from shared.domain.billing.tax_settings import TaxId
from shared.domain.kernel.errors import ConflictError, InvalidTokenError, UnavailableError, ValidationError
from shared.domain.tenancy.billing_details import EInvoiceSettings, PostalAddress
from shared.domain.tenancy.organizations import Organization
from shared.services.billing.document_printing import MOST_LINES_AT_ONCE
from shared.services.billing.goodwill import GoodwillDraft
from shared.services.billing.invoice_payments import PaymentByHand
from shared.services.billing.invoice_runs import Task
from shared.services.storage.audit.keys import SECRET_NAME
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_secrets import MemorySecrets
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.issued_documents import invoice as issued_invoice
from tests.doubles.worlds.issued_documents import many_lines
from tests.doubles.worlds.paid_fees import ORGANIZATION, START, Scene

FEBRUARY = datetime(2022, 2, 10, tzinfo=UTC)
PROFILE = OperatorProfile(
    name="Nordlicht GmbH",
    address=PostalAddress(line1="Lange Straße 1", postal_code="10115", city="Berlin", country="DE"),
    tax_ids=(TaxId(type="eu_vat", value="DE 136 695 976"),),
    registration="HRB 12345",
    bank_account=BankAccount(iban="DE89 3704 0044 0532 0130 00", bic="COBA DE FF XXX"),
    contact=Contact(email="billing@nordlicht.example"),
    changed_at=START,
)


class Office(Scene):
    """A host that prints and mails, with the fee of January invoiced."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets = MemorySecrets()
        self.host = Application(Ports(self.store, MemoryQueue(), self.clock, self.secrets, self.post), Settings())

    async def begin(self, **fields: Any) -> None:
        self.secrets.values[SECRET_NAME] = await NoSecrets().get(SECRET_NAME)
        await self.set_up(**fields)
        await self.host.documents.profiles.put(PROFILE, None)

    async def issued(self) -> Invoice:
        await self.invoiced(FEBRUARY)
        (invoice,) = [each for each in await self.listed() if each["number"]]
        return await self.stored(invoice["id"])

    async def stored(self, invoice_id: str) -> Invoice:
        return (await self.host.billing_documents.invoice(ORGANIZATION, invoice_id)).entity

    async def organization(self) -> Organization:
        return await self.host.organizations.get(ORGANIZATION)

    async def pdf(self, invoice: Invoice) -> str:
        return text_of((await self.host.documents.printing.invoice_file(invoice)).content)


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.fixture
async def office() -> Office:
    made = Office()
    await made.begin(billing_email="ada@acme.example", language="de")
    return made


async def test_a_document_says_for_good_what_held_when_it_was_finalized(office: Office) -> None:
    invoice = await office.issued()
    before = await office.pdf(invoice)
    assert "Nordlicht GmbH" in before
    assert "Acme" in before
    await office.host.documents.profiles.put(PROFILE.changed(name="Other AG", bank_account=None), None)
    await office.host.organizations.update(ORGANIZATION, {"name": "Renamed", "language": "fr"}, None)
    await office.host.account.payments.pay(ORGANIZATION, "pay_1", invoice.id, PaymentByHand("cash"))
    paid = await office.stored(invoice.id)
    assert paid.status == "paid"
    assert await office.pdf(paid) == before


async def test_what_was_issued_before_there_was_a_profile_is_printed_with_the_present_one() -> None:
    office = Office()
    await office.begin()
    invoice = (await office.issued()).changed(details=None)
    assert "Nordlicht GmbH" in await office.pdf(invoice)


async def test_a_draft_has_no_file() -> None:
    office = Office()
    await office.begin()
    office.clock.set(datetime(2022, 2, 1, 1, tzinfo=UTC))
    await office.host.invoice_runs.run(Task(organization_id=ORGANIZATION))
    (draft,) = await office.listed()
    invoice = await office.stored(draft["id"])
    for refused in (
        office.host.documents.printing.invoice_file(invoice),
        office.host.documents.printing.receipt_file(invoice),
        office.host.documents.links.issue(invoice, "lnk_1", office.clock.now()),
        office.host.documents.mails.send(await office.organization(), invoice, "snd_1"),
    ):
        with pytest.raises(ConflictError):
            await refused


async def test_a_long_document_is_written_beside_short_ones(office: Office) -> None:
    host, short = office.host, await office.issued()
    made, lines = issued_invoice(many_lines(MOST_LINES_AT_ONCE + 1))
    long = made.changed(organization_id=ORGANIZATION)
    await host.billing_documents.write_lines(ORGANIZATION, long, lines)
    may_end = threading.Event()
    before = asyncio.create_task(host.calculations.run(may_end.wait))
    printed = asyncio.create_task(host.documents.printing.invoice(long))
    written = asyncio.create_task(host.documents.e_invoices.of_invoice(long, "peppol"))
    try:
        for _ in range(20):
            await host.documents.printing.invoice(short)
            await asyncio.sleep(0)
        assert not printed.done(), "it waits for its turn in the thread"
        assert not written.done()
    finally:
        may_end.set()
    await before
    assert (await printed).line_count == len(lines)
    assert (await written).name == f"{long.number}.xml"


async def test_a_receipt_names_what_has_come(office: Office) -> None:
    invoice = await office.issued()
    printing, payments = office.host.documents.printing, office.host.account.payments
    with pytest.raises(ConflictError):
        await printing.receipt_file(invoice)
    await payments.pay(ORGANIZATION, "pay_1", invoice.id, PaymentByHand("cash", Decimal("10.00"), "Till 4"))
    part = text_of((await printing.receipt_file(await office.stored(invoice.id))).content)
    for said in ("Zahlungsbeleg", "Bezahlt per Barzahlung", "10,00", "Till 4", "Noch offen", "21,00"):
        assert said in part, said
    await payments.pay(ORGANIZATION, "pay_2", invoice.id, PaymentByHand("bank_transfer"))
    whole = text_of((await printing.receipt_file(await office.stored(invoice.id))).content)
    assert "Überweisung" in whole
    assert "Noch offen" not in whole


async def test_a_credit_note_is_printed_with_the_invoice_that_it_lowers(office: Office) -> None:
    invoice = await office.issued()
    note = await office.host.account.goodwill.give(
        await office.organization(), "cn_1", invoice.id, GoodwillDraft("Der Ausfall", Decimal("6.00"))
    )
    file = await office.host.documents.printing.credit_note_file(note)
    assert file.name == f"{note.number}.pdf"
    text = text_of(file.content)
    for said in ("Gutschrift", note.number, str(invoice.number), "-6,00", "Der Ausfall"):
        assert said in text, said


async def test_a_mail_brings_the_file_and_a_link_that_expires(office: Office) -> None:
    invoice = await office.issued()
    sent = await office.host.documents.mails.send(await office.organization(), invoice, "snd_1")
    assert sent == 1
    (mail,) = office.post.sent
    assert (mail.to, mail.subject) == ("ada@acme.example", f"Rechnung {invoice.number} von Nordlicht GmbH")
    (attached,) = mail.attachments
    assert (attached.name, attached.media_type) == (f"{invoice.number}.pdf", "application/pdf")
    assert str(invoice.number) in text_of(attached.content)
    for part in (mail.text, mail.html):
        assert "31,00" in part
        assert str(mail.link) in part
    read = message_from_bytes(written(mail, "Xyra <no-reply@example.com>").as_bytes())
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/pdf",
    ]
    token = str(mail.link).rpartition("/pay/")[2]
    assert (await office.host.documents.links.invoice(token)).id == invoice.id
    office.clock.move(timedelta(days=90))
    with pytest.raises(InvalidTokenError):
        await office.host.documents.links.invoice(token)


async def test_a_mail_that_is_tried_again_is_the_same(office: Office) -> None:
    invoice = await office.issued()
    office.post.failing(UnavailableError("down"))
    await office.host.documents.mails.send(await office.organization(), invoice, "snd_1")
    office.post.fail = lambda: None
    office.clock.move(timedelta(minutes=10))
    await office.host.outbox.sweep()
    (first,) = office.post.sent
    await office.host.documents.mails.send(await office.organization(), invoice, "snd_2")
    second = office.post.sent[-1]
    assert first.attachments == second.attachments
    assert first.link != second.link


async def test_without_an_address_nothing_is_sent() -> None:
    office = Office()
    await office.begin()
    invoice = await office.issued()
    with pytest.raises(ValidationError):
        await office.host.documents.mails.send(await office.organization(), invoice, "snd_1")


async def test_no_other_token_opens_an_invoice(office: Office) -> None:
    invoice = await office.issued()
    link = await office.host.documents.links.issue(invoice, "lnk_1", office.clock.now())
    assert await office.host.documents.links.issue(invoice, "lnk_1", office.clock.now()) == link
    for token in ("", "x", link.url.rpartition("/")[2][:-1]):
        with pytest.raises(InvalidTokenError):
            await office.host.documents.links.invoice(token)


async def test_what_an_electronic_invoice_lacks_stops_finalizing_and_the_job_lists_it() -> None:
    office = Office()
    await office.begin(e_invoice=EInvoiceSettings(format="factur-x"))
    task = Task(job_id="job_1", organization_id=ORGANIZATION, period="2022-01", finalize=True)
    office.clock.set(FEBRUARY)
    job = await office.host.invoice_runs.request("job_1", ORGANIZATION, "2022-01", finalize=True)
    await office.host.invoice_runs.run(task)
    (part,) = (await office.host.invoice_jobs.progress(job.id)).parts
    assert part.status == "failed"
    assert "/organization/address/country" in (part.detail or "")
    (draft,) = await office.listed()
    assert (draft["id"], draft["status"]) == (part.invoice_id, "draft")
    await office.invoiced(FEBRUARY + timedelta(days=1))
    assert [each["status"] for each in await office.listed()] == ["draft"], "the timer leaves it, too"
    with pytest.raises(ValidationError) as caught:
        await office.host.issuing.finalize(await office.organization(), draft["id"])
    assert {error.pointer for error in caught.value.errors} == {"/organization/address/country"}
    await office.host.organizations.update(ORGANIZATION, {"address": {"country": "FR"}}, None)
    await office.invoiced(FEBRUARY + timedelta(days=2))
    (issued,) = await office.listed()
    assert issued["number"] == "INV-ACME-2022-000001"
    file = await office.host.documents.e_invoices.of_invoice(await office.stored(issued["id"]), None)
    assert list(PdfReader(io.BytesIO(file.content)).attachments) == ["factur-x.xml"]


async def test_an_address_that_was_one_text_is_read_as_lines() -> None:
    office = Office()
    await office.begin()
    stored = (await office.organization()).document()
    read = Organization.read(stored | {"address": "12 rue de la Paix\n75002 Paris\nFrance"})
    assert read.address == PostalAddress(line1="12 rue de la Paix", line2="75002 Paris, France")
    for name in ("language", "electronic_address", "buyer_reference", "e_invoice"):
        stored.pop(name)
    assert Organization.read(stored) == await office.organization()


async def test_numbers_of_the_profile_are_checked() -> None:
    office = Office()
    await office.begin()
    stored = await office.host.documents.profiles.find()
    assert stored is not None
    assert stored.entity.bank_account == BankAccount(iban="DE89370400440532013000", bic="COBADEFFXXX")
    assert stored.entity.tax_ids[0].value == "DE136695976"
    for wrong in ({"iban": "DE00370400440532013000"}, {"iban": "DE89370400440532013000", "bic": "X"}):
        with pytest.raises(ValidationError):
            await office.host.documents.profiles.put(PROFILE.changed(bank_account=BankAccount(**wrong)), None)
