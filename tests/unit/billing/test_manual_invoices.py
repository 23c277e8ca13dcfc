"""Invoices by hand: their amounts are computed, and no period's bill knows of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.billing.documents import Invoice
from shared.domain.billing.manual_invoices import ManualLine, Particulars, rated_lines
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.periods.periods import Period
from shared.services.billing.goodwill import GoodwillDraft
from shared.services.billing.invoice_payments import PaymentByHand
from tests.doubles.worlds.paid_fees import ORGANIZATION, START, Scene

INVOICE = named_id("inv", "by hand")
DAY = Period(start=START, end=datetime(2022, 1, 2, tzinfo=UTC), timezone="UTC")
HOURS = ManualLine("Onboarding", Decimal("2.5"), Decimal("180.00"))


async def drafted(*lines: ManualLine) -> Scene:
    scene = Scene()
    await scene.set_up()
    organization = await scene.host.organizations.get(ORGANIZATION)
    particulars = Particulars("PO-4711", "ours", "Thank you", (("Cost center", "12"),))
    await scene.host.account.manual_invoices.create(organization, INVOICE, lines or (HOURS,), particulars)
    return scene


async def finalized(scene: Scene) -> Invoice:
    organization = await scene.host.organizations.get(ORGANIZATION)
    return await scene.host.account.manual_invoices.finalize(organization, INVOICE, None)


async def test_a_draft_by_hand_is_computed_numbered_and_paid() -> None:
    scene = await drafted(HOURS, ManualLine("Rebate", Decimal(1), Decimal("-50.005")))
    shown = await scene.shown(INVOICE)
    assert (shown["status"], shown["kind"], shown["total"], shown["amount_due"]) == (
        "draft",
        "manual",
        "399.99",
        "0.00",
    )
    assert [(line["amount"], line["key"]) for line in shown["lines"]] == [
        ("450.00", f"manual/{INVOICE}/1"),
        ("-50.01", f"manual/{INVOICE}/2"),
    ]
    assert (shown["purchase_order"], shown["reference"], shown["notes"]) == ("PO-4711", "ours", "Thank you")
    assert shown["custom_fields"] == {"Cost center": "12"}
    invoice = await finalized(scene)
    assert await finalized(scene) == invoice
    assert (invoice.number, invoice.status, invoice.amount_due) == (
        "INV-ACME-2022-000001",
        "pending",
        Decimal("399.99"),
    )
    await scene.host.account.payments.pay(ORGANIZATION, "pay_1", INVOICE, PaymentByHand("cash"))
    assert (await scene.shown(INVOICE))["status"] == "paid"


async def test_months_neither_wait_for_a_draft_by_hand_nor_bill_it() -> None:
    scene = await drafted()
    await scene.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    listed = {invoice["kind"]: invoice for invoice in await scene.listed()}
    assert (listed["manual"]["status"], listed["period"]["status"]) == ("draft", "pending")
    await finalized(scene)
    await scene.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    assert sorted(invoice["total"] for invoice in await scene.listed()) == ["31.00", "31.00", "450.00"]


async def test_a_draft_changes_until_it_is_issued() -> None:
    scene = await drafted()
    change = scene.host.account.manual_invoices.change
    lines = [ManualLine("Onboarding", Decimal(3), Decimal("180.00"))]
    await change(ORGANIZATION, INVOICE, {"purchase_order": None, "notes": "Soon"}, lines, None)
    shown = await scene.shown(INVOICE)
    assert (shown["total"], shown["purchase_order"], shown["notes"]) == ("540.00", None, "Soon")
    await finalized(scene)
    with pytest.raises(ConflictError, match="issued"):
        await change(ORGANIZATION, INVOICE, {"notes": "Late"}, None, None)


async def test_a_month_keeps_its_order_number_and_computes_its_lines() -> None:
    scene = Scene()
    await scene.set_up()
    await scene.invoiced(datetime(2022, 2, 1, 1, tzinfo=UTC))
    (draft,) = await scene.listed()
    change = scene.host.account.manual_invoices.change
    await change(ORGANIZATION, draft["id"], {"purchase_order": "PO-1"}, None, None)
    with pytest.raises(ValidationError):
        await change(ORGANIZATION, draft["id"], {}, [HOURS], None)
    await scene.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    shown = await scene.shown(draft["id"])
    assert (shown["status"], shown["purchase_order"], shown["total"]) == ("pending", "PO-1", "31.00")


async def test_a_draft_by_hand_is_cancelled_and_an_issued_one_is_too() -> None:
    for is_issued in (False, True):
        scene = await drafted()
        if is_issued:
            await finalized(scene)
        await scene.host.account.cancelling.cancel(ORGANIZATION, INVOICE)
        assert (await scene.shown(INVOICE))["status"] == "cancelled"
        account = (await scene.host.account.accounts.read(ORGANIZATION, scene.clock.now())).account
        assert (account.balance, account.open) == (0, 0)


async def test_goodwill_on_an_invoice_by_hand_is_at_most_what_is_left_of_it() -> None:
    scene = await drafted()
    await finalized(scene)
    organization = await scene.host.organizations.get(ORGANIZATION)
    give = scene.host.account.goodwill.give
    await give(organization, named_id("cn", "1"), INVOICE, GoodwillDraft("Sorry", Decimal("400.00")))
    with pytest.raises(ValidationError):
        await give(organization, named_id("cn", "2"), INVOICE, GoodwillDraft("Sorry", Decimal("50.01")))
    await give(organization, named_id("cn", "3"), INVOICE, GoodwillDraft("Sorry", Decimal("50.00")))
    shown = await scene.shown(INVOICE)
    assert (shown["status"], shown["amount_due"], len(shown["credit_notes"])) == ("paid", "0.00", 2)


def test_what_comes_to_less_than_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="credit note"):
        rated_lines(INVOICE, [ManualLine("Rebate", Decimal(1), Decimal("-0.01"))], DAY, "USD")


Entered = st.tuples(st.decimals(0, 9999, places=3), st.decimals(0, 9999, places=4))


@given(st.lists(Entered, min_size=1, max_size=20), st.sampled_from((("USD", "0.01"), ("JPY", "1"), ("KWD", "0.001"))))
def test_each_line_is_rounded_once_and_the_lines_are_the_total(
    entered: Sequence[tuple[Decimal, Decimal]], currency: tuple[str, str]
) -> None:
    code, unit = currency
    lines = rated_lines(INVOICE, [ManualLine("x", quantity, price) for quantity, price in entered], DAY, code)
    expected = [(quantity * price).quantize(Decimal(unit), ROUND_HALF_UP) for quantity, price in entered]
    assert [line.amount for line in lines] == expected
    assert len({line.key for line in lines}) == len(lines)
    for line in lines:
        assert sum(step.amount for step in line.steps) == line.exact_amount
