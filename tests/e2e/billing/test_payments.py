"""Payments by hand, the balance and the account, over HTTP."""

import asyncio
from typing import Any
from uuid import uuid4

from tests.doubles.clients.xyra_client import Answer, Organization, Xyra

Json = dict[str, Any]
FEE = {"key": "platform", "type": "flat_fee", "amount": "49.00"}
MONTHS = ("2026-09", "2026-10")


async def invoiced(xyra: Xyra, *months: str) -> tuple[Organization, list[Json]]:
    organization = await xyra.organization()
    since = f"{months[0]}-01T00:00:00Z"
    model = await organization.model(FEE, effective_from=since)
    await organization.agent(billing_model_id=model["id"], billing_model_from=since)
    invoices = [invoice for month in months for invoice in await xyra.generate(organization, month)]
    return organization, invoices


async def send(organization: Organization, invoice: Json, what: str, body: Json | None, key: str = "") -> Answer:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await organization.operator.send("POST", f"invoices/{invoice['id']}/{what}", body, headers=headers)


async def pay(organization: Organization, invoice: Json, amount: str | None = None, key: str = "") -> Answer:
    manual = {"method": "bank_transfer", "reference": "ours"} | ({} if amount is None else {"amount": amount})
    return await send(organization, invoice, "pay", {"manual": manual}, key)


async def test_a_payment_in_two_parts_and_what_exceeds_it(xyra: Xyra) -> None:
    organization, (september, october) = await invoiced(xyra, *MONTHS)
    part = (await pay(organization, september, "20.00")).expect(200)
    assert (part["invoice"]["status"], part["invoice"]["amount_due"]) == ("pending", "29.00")
    rest = (await pay(organization, september, "40.00", "rest")).expect(200)
    assert (rest["invoice"]["status"], rest["invoice"]["amount_paid"], rest["payment"]["unapplied"]) == (
        "paid",
        "49.00",
        "11.00",
    )
    assert (await pay(organization, september, "40.00", "rest")).expect(200) == rest
    assert (await pay(organization, september)).expect(409)["type"].endswith(":already_paid")
    taken = (await send(organization, october, "apply-balance", {"amount": "10.00"})).expect(200)
    assert (taken["credits_applied"], taken["amount_due"]) == ("10.00", "39.00")
    account = await organization.key.get(f"organizations/{organization.id}/account")
    assert (account["balance"], account["open"]) == ("1.00", "39.00")
    assert [(entry["kind"], entry["balance"]) for entry in account["entries"]] == [
        ("payment", "-38.00"),
        ("payment", "-78.00"),
        ("invoice", "-98.00"),
        ("invoice", "-49.00"),
    ]
    payments = (await organization.key.get("billing/payments", invoice=september["id"]))["data"]
    assert {payment["received"] for payment in payments} == {"20.00", "40.00"}
    assert await organization.key.get(f"billing/payments/{payments[0]['id']}") == payments[0]
    preview = await organization.preview("2026-11")
    assert (preview["total"], preview["credits_applied"], preview["amount_due"]) == ("49.00", "1.00", "48.00")


async def test_of_twenty_payments_at_once_one_is_recorded(xyra: Xyra) -> None:
    organization, (invoice,) = await invoiced(xyra, "2026-10")
    answers = await asyncio.gather(*(pay(organization, invoice) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200, *[409] * 19]
    assert len((await organization.key.get("billing/payments"))["data"]) == 1
    account = await organization.key.get(f"organizations/{organization.id}/account")
    assert (account["balance"], account["open"]) == ("0.00", "0.00")


async def test_cancelling_against_paying_one_of_them_wins(xyra: Xyra) -> None:
    organization, (invoice,) = await invoiced(xyra, "2026-10")
    paid, cancelled = await asyncio.gather(pay(organization, invoice), send(organization, invoice, "cancel", {}))
    assert sorted((paid.status, cancelled.status)) == [200, 409]
    after = await organization.key.get(f"invoices/{invoice['id']}")
    assert after["status"] == ("paid" if paid.status == 200 else "cancelled")
    assert after["amount_due"] == "0.00"


async def test_a_cancelled_month_is_billed_again_with_the_next_number(xyra: Xyra) -> None:
    organization, (invoice,) = await invoiced(xyra, "2026-10")
    cancelled = (await send(organization, invoice, "cancel", {})).expect(200)
    assert (cancelled["status"], cancelled["number"], cancelled["total"]) == ("cancelled", invoice["number"], "49.00")
    assert (await pay(organization, invoice)).expect(409)["type"].endswith(":cancelled")
    (again,) = await xyra.generate(organization, "2026-10")
    assert (again["revision"], again["total"], again["number"][-6:]) == (2, "49.00", "000002")


async def test_refusals_say_what_to_write_and_change_nothing(xyra: Xyra) -> None:
    organization, (invoice,) = await invoiced(xyra, "2026-10")
    path = f"invoices/{invoice['id']}/pay"
    before = await organization.key.get(f"organizations/{organization.id}/account")
    no_key = await organization.operator.send("POST", path, {"manual": {}})
    assert no_key.expect(422)["errors"][0]["pointer"] == "Idempotency-Key"
    finer = (await pay(organization, invoice, "1.001")).expect(422)
    assert finer["errors"] == [
        {"pointer": "/manual/amount", "detail": "is finer than the minor unit of USD: write it as 1.00, for one"}
    ]
    too_much = (await send(organization, invoice, "apply-balance", {"amount": "1.00"})).expect(422)
    assert too_much["errors"][0]["detail"] == "is more than 0.00: 0.00 is available, 49.00 is due"
    own = await organization.key.send("POST", path, {"manual": {}}, headers={"Idempotency-Key": "own"})
    assert own.status == 403
    assert await organization.key.get(f"organizations/{organization.id}/account") == before
