"""Whoever signs up has credits from the first answer on, once."""

from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import Xyra


@pytest.mark.parametrize("is_swept", [False, True])
async def test_a_wallet_begins_with_the_bonus(xyra: Xyra, is_swept: bool) -> None:
    made = await xyra.sign_up()
    organization_id = made["organization"]["id"]
    if is_swept:
        await xyra.idle()
    key = await xyra.key_of(organization_id)
    assert (await key.get("credits/balance"))["available"] == "100"
    used = await key.send("POST", "credits/use", {"amount": "30"}, headers={"Idempotency-Key": uuid4().hex})
    assert used.expect(200)["available"] == "70"
    await xyra.idle()
    (grant,) = (await key.get("credits/grants"))["data"]
    assert (grant["amount"], grant["remaining"], grant["source"], grant["promotional"]) == ("100", "70", "bonus", True)
    transactions = (await key.get("credits/transactions"))["data"]
    assert [each["type"] for each in transactions] == ["use", "grant"]
    proof = await key.post("credits/verify", {"from_beginning": True}, expect=202)
    assert (proof["ok"], proof["checked_to"]) == (True, 2)


async def test_what_the_operator_creates_has_none(xyra: Xyra) -> None:
    organization = await xyra.organization()
    assert (await organization.key.get("credits/balance"))["available"] == "0"
