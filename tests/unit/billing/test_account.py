"""Payments by hand, balance and cancelled invoices: the account always adds up."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.containers import INVOICES
from shared.domain.billing.account import AccountEntry, BillingAccount, Movement
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.payments import AlreadyPaidError, CancelledError, Payment
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.ports.store import Document, every_item
from shared.services.billing.goodwill import GoodwillDraft
from shared.services.billing.invoice_payments import PaymentByHand
from tests.doubles.fakes import virtual_time
from tests.doubles.worlds.paid_fees import ADVANCE_FEE, ORGANIZATION, Scene

IN_FEBRUARY, IN_MARCH, IN_APRIL = (datetime(2022, month, 10, tzinfo=UTC) for month in (2, 3, 4))


def amounts(invoice: Invoice) -> tuple[str, Decimal, Decimal, Decimal]:
    return invoice.status, invoice.amount_paid, invoice.credits_applied, invoice.amount_due


async def invoices(scene: Scene) -> list[Invoice]:
    page = await scene.host.billing_documents.invoices(ORGANIZATION, None, 100, None)
    return page.entities[::-1]


async def account(scene: Scene) -> BillingAccount:
    return (await scene.host.account.accounts.read(ORGANIZATION, scene.clock.now())).account


async def entries(scene: Scene) -> list[AccountEntry]:
    return (await scene.host.account.accounts.entries(ORGANIZATION, 100, None)).entities[::-1]


async def pay(scene: Scene, invoice: Invoice, amount: str | None, key: str = "one") -> Payment:
    by_hand = PaymentByHand("bank_transfer", None if amount is None else Decimal(amount), "their reference")
    return await scene.host.account.payments.pay(ORGANIZATION, named_id("pay", key), invoice.id, by_hand)


async def invoiced_scene(until: datetime = IN_FEBRUARY) -> Scene:
    """January's fee of 31.00 is invoiced, and those of the months until then."""
    scene = Scene()
    await scene.set_up()
    await scene.invoiced(until)
    return scene


async def test_a_part_then_the_rest_pays_an_invoice() -> None:
    scene = await invoiced_scene()
    (invoice,) = await invoices(scene)
    assert amounts(invoice) == ("pending", 0, 0, Decimal("31.00"))
    await pay(scene, invoice, "20.50", "part")
    (invoice,) = await invoices(scene)
    assert amounts(invoice) == ("pending", Decimal("20.50"), 0, Decimal("10.50"))
    payment = await pay(scene, invoice, None, "rest")
    (invoice,) = await invoices(scene)
    assert amounts(invoice) == ("paid", Decimal("31.00"), 0, 0)
    assert (payment.received, payment.applied, payment.unapplied) == (Decimal("10.50"), Decimal("10.50"), 0)
    with pytest.raises(AlreadyPaidError):
        await pay(scene, invoice, "1.00", "more")


async def test_what_exceeds_an_invoice_pays_the_next_one() -> None:
    scene = await invoiced_scene()
    (invoice,) = await invoices(scene)
    payment = await pay(scene, invoice, "70.00")
    assert (payment.applied, payment.unapplied) == (Decimal("31.00"), Decimal("39.00"))
    await scene.invoiced(IN_APRIL)
    _, february, march = await invoices(scene)
    assert amounts(february) == ("paid", 0, Decimal("31.00"), 0)
    assert amounts(march) == ("pending", 0, Decimal("8.00"), Decimal("23.00"))
    shown = await account(scene)
    assert (shown.balance, shown.open) == (0, Decimal("23.00"))
    assert [(entry.entry_kind, str(entry.amount), str(entry.balance)) for entry in await entries(scene)] == [
        ("invoice", "-31.00", "-31.00"),
        ("payment", "70.00", "39.00"),
        ("invoice", "-31.00", "8.00"),
        ("invoice", "-31.00", "-23.00"),
    ]


async def test_a_repeated_payment_is_one_payment() -> None:
    scene = await invoiced_scene()
    (invoice,) = await invoices(scene)
    first = await pay(scene, invoice, "10.00")
    assert await pay(scene, invoice, "10.00") == first
    assert amounts((await invoices(scene))[0])[3] == Decimal("21.00")


@pytest.mark.parametrize(
    ("by_hand", "pointer"),
    [
        (PaymentByHand("cash", Decimal("1.005")), "/manual/amount"),
        (PaymentByHand("cash", Decimal(0)), "/manual/amount"),
        (PaymentByHand("cash", paid_at=datetime(2022, 2, 11, tzinfo=UTC)), "/manual/paid_at"),
    ],
)
async def test_a_payment_that_cannot_be_is_refused(by_hand: PaymentByHand, pointer: str) -> None:
    scene = await invoiced_scene()
    (invoice,) = await invoices(scene)
    with pytest.raises(ValidationError) as refused:
        await scene.host.account.payments.pay(ORGANIZATION, "pay_1", invoice.id, by_hand)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert [entry.entry_kind for entry in await entries(scene)] == ["invoice"]


async def test_of_twenty_payments_at_once_one_pays() -> None:
    scene = await invoiced_scene()
    (invoice,) = await invoices(scene)
    results = await asyncio.gather(
        *(pay(scene, invoice, None, f"{number}") for number in range(20)), return_exceptions=True
    )
    assert [type(result) for result in results if not isinstance(result, AlreadyPaidError)] == [Payment]
    assert amounts((await invoices(scene))[0]) == ("paid", Decimal("31.00"), 0, 0)
    assert [entry.entry_kind for entry in await entries(scene)] == ["invoice", "payment"]


@pytest.mark.parametrize("seed", range(4))
async def test_of_cancelling_and_paying_at_once_one_wins(seed: int) -> None:
    scene = await invoiced_scene()
    (invoice,) = await invoices(scene)
    both = [pay(scene, invoice, None), scene.host.account.cancelling.cancel(ORGANIZATION, invoice.id)]
    random.Random(seed).shuffle(both)
    results = await asyncio.gather(*both, return_exceptions=True)
    (refused,) = [result for result in results if isinstance(result, Exception)]
    (invoice,) = await invoices(scene)
    if invoice.status == "paid":
        assert isinstance(refused, ConflictError)
    else:
        assert isinstance(refused, CancelledError)
        assert invoice.status == "cancelled"
    assert (await account(scene)).open == 0


async def test_a_cancelled_invoice_gives_its_balance_back_and_is_billed_again() -> None:
    scene = await invoiced_scene()
    (january,) = await invoices(scene)
    await pay(scene, january, "41.00")
    await scene.invoiced(IN_MARCH)
    february = (await invoices(scene))[1]
    assert amounts(february) == ("pending", 0, Decimal("10.00"), Decimal("21.00"))
    await scene.host.account.cancelling.cancel(ORGANIZATION, february.id)
    shown = await account(scene)
    assert (shown.balance, shown.open) == (Decimal("10.00"), 0)
    await scene.invoiced(IN_MARCH.replace(hour=1))
    again = next(invoice for invoice in await invoices(scene) if invoice.revision == 2)
    assert amounts(again) == ("pending", 0, Decimal("10.00"), Decimal("21.00"))
    assert again.number == "INV-ACME-2022-000003"


async def test_an_invoice_with_a_payment_is_not_cancelled_and_a_draft_is_not_paid() -> None:
    scene = await invoiced_scene()
    (invoice,) = await invoices(scene)
    await pay(scene, invoice, "1.00")
    with pytest.raises(ConflictError, match="payment lies on"):
        await scene.host.account.cancelling.cancel(ORGANIZATION, invoice.id)
    await scene.invoiced(datetime(2022, 3, 1, 1, tzinfo=UTC))
    draft = (await invoices(scene))[1]
    with pytest.raises(ConflictError, match="draft"):
        await pay(scene, draft, "1.00", "two")
    with pytest.raises(NotFoundError):
        await scene.host.account.payments.pay(
            ORGANIZATION, "pay_2", named_id("inv", "none"), PaymentByHand("cash", Decimal(1))
        )


async def test_a_credit_note_lowers_the_invoice_that_it_corrects() -> None:
    scene = Scene()
    await scene.invoiced_then_ended()
    await scene.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (december,) = await invoices(scene)
    assert (december.amount_credited, december.amount_due) == (Decimal("16.00"), Decimal("15.00"))
    assert (await account(scene)).open == Decimal("15.00")


async def test_a_credit_note_on_a_paid_invoice_becomes_balance() -> None:
    scene = Scene()
    await scene.invoiced_then_ended()
    (december,) = await invoices(scene)
    await pay(scene, december, None)
    await scene.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (december,) = await invoices(scene)
    assert amounts(december) == ("paid", Decimal("31.00"), 0, 0)
    assert (await account(scene)).balance == Decimal("16.00")
    (note,) = await scene.host.billing_documents.credit_notes(ORGANIZATION, december.id)
    assert (note.lowered, note.to_balance) == ((), Decimal("16.00"))


async def test_balance_is_applied_on_request() -> None:
    scene = await invoiced_scene(IN_MARCH)
    january, february = await invoices(scene)
    await pay(scene, january, "61.00")
    apply = scene.host.account.payments.apply_balance
    with pytest.raises(ValidationError):
        await apply(ORGANIZATION, "bal_0", february.id, Decimal("30.01"))
    for _ in range(2):
        await apply(ORGANIZATION, "bal_1", february.id, Decimal("10.00"))
    assert amounts((await invoices(scene))[1]) == ("pending", 0, Decimal("10.00"), Decimal("21.00"))
    await apply(ORGANIZATION, "bal_2", february.id, None)
    assert amounts((await invoices(scene))[1]) == ("pending", 0, Decimal("30.00"), Decimal("1.00"))
    shown = await account(scene)
    assert (shown.balance, shown.open) == (0, Decimal("1.00"))


async def test_an_account_begins_with_the_documents_of_before_it() -> None:
    """They were issued by a version that kept no account."""
    scene = await invoiced_scene(IN_MARCH)
    for kind in (BillingAccount, AccountEntry):
        async for item in every_item(scene.store, INVOICES.name, ORGANIZATION, kind.kind):
            await scene.store.delete(INVOICES.name, ORGANIZATION, item.document["id"])
    shown = await account(scene)
    assert (shown.balance, shown.open) == (0, Decimal("62.00"))
    await pay(scene, (await invoices(scene))[0], "40.00")
    assert [(entry.entry_kind, str(entry.balance)) for entry in await entries(scene)] == [
        ("opening", "-62.00"),
        ("payment", "-22.00"),
    ]


def test_an_account_never_falls_below_zero() -> None:
    now = datetime(2022, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="open"):
        BillingAccount().moved([Movement("payment", Decimal(1))], Decimal(0), now)
    with pytest.raises(ValueError, match="balance"):
        BillingAccount().moved([], Decimal(-1), now)


Command = tuple[str, int, int]
COMMANDS = st.tuples(
    st.sampled_from(("pay", "pay more", "apply", "cancel", "waive", "give", "month")),
    st.integers(0, 5),
    st.integers(1, 9000),
)


@settings(max_examples=40)
@given(st.lists(COMMANDS, min_size=3, max_size=14))
def test_documents_are_payments_less_balance_plus_open(commands: Sequence[Command]) -> None:
    """Law 12, computed from the stored documents alone after any history."""
    virtual_time.run(played(commands))


async def played(commands: Sequence[Command]) -> None:
    scene = Scene()
    await scene.set_up(ADVANCE_FEE)
    month = 1
    for number, (command, chosen, cents) in enumerate(commands):
        issued = [invoice for invoice in await invoices(scene) if invoice.status != "draft"]
        if command == "month" or not issued:
            month += 1
            await scene.invoiced(datetime(2022 + (month - 1) // 12, (month - 1) % 12 + 1, 10, tzinfo=UTC))
            continue
        invoice = issued[chosen % len(issued)]
        amount = Decimal(cents if command == "pay" else 10 * cents) / 100
        try:
            if command in ("cancel", "waive"):
                await scene.host.account.cancelling.cancel(ORGANIZATION, invoice.id, waive=command == "waive")
            elif command == "give":
                organization = await scene.host.organizations.get(ORGANIZATION)
                draft = GoodwillDraft("Sorry", Decimal(cents % 1500 + 1) / 100)
                await scene.host.account.goodwill.give(organization, named_id("cn", number), invoice.id, draft)
            elif command == "apply":
                await scene.host.account.payments.apply_balance(ORGANIZATION, f"bal_{number}", invoice.id, None)
            else:
                await pay(scene, invoice, str(amount), f"{number}")
        except (ConflictError, ValidationError):
            continue
    await check_account(scene)


async def stored(scene: Scene, kind: type[Entity]) -> list[Document]:
    return [item.document async for item in every_item(scene.store, INVOICES.name, ORGANIZATION, kind.kind)]


async def check_account(scene: Scene) -> None:
    issued = [Invoice.read(document) for document in await stored(scene, Invoice)]
    owed = [invoice for invoice in issued if invoice.status not in ("draft", "cancelled")]
    notes = [CreditNote.read(document).total for document in await stored(scene, CreditNote)]
    payments = [Payment.read(document) for document in await stored(scene, Payment)]
    shown = await account(scene)
    received = sum(payment.received for payment in payments)
    assert sum(invoice.total for invoice in owed) + sum(notes) == received - shown.balance + shown.open
    assert shown.open == sum(invoice.amount_due for invoice in issued)
    assert shown.balance >= 0
    assert all(invoice.amount_due >= 0 for invoice in issued)
    assert all((invoice.status == "paid") == (invoice.amount_due == 0) for invoice in owed)
    assert all(invoice.amount_paid == 0 for invoice in issued if invoice.status == "cancelled")
    all_entries = await entries(scene)
    assert sum(entry.amount for entry in all_entries) == shown.balance - shown.open
    assert [entry.id for entry in all_entries] == [f"account:{number:012d}" for number in range(1, shown.entries + 1)]
