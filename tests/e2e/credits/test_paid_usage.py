"""Events that name what has paid for them, over HTTP."""

from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]

OCTOBER, IN_OCTOBER = "2026-10-01T00:00:00Z", "2026-10-20T12:00:00Z"
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}


async def post(client: Client, path: str, body: Json) -> Json:
    answer = await client.send("POST", f"credits/{path}", body, headers={"Idempotency-Key": uuid4().hex})
    assert answer.status in (200, 201), answer.body
    made: Json = answer.json()
    return made


async def paying(xyra: Xyra, **fields: Any) -> Organization:
    """With 100 credits of 0.50 and an agent whose units cost 1.00."""
    organization = await xyra.organization(**{"credit_value": "0.5", "settings": {"paid_usage": True}, **fields})
    model = await organization.model(COMMANDS, effective_from=OCTOBER)
    await organization.agent(billing_model_id=model["id"], billing_model_from=OCTOBER)
    grant = {"organization_id": organization.id, "amount": "100", "source": "purchase"}
    await post(organization.operator, "grants", grant)
    return organization


def event(id_: str, quantity: int, **fields: Any) -> Json:
    data = {"quantity": quantity}
    return {"id": id_, "type": "command", "agent": "coder", "time": IN_OCTOBER, "data": data, **fields}


async def costs(organization: Organization) -> dict[str, str | None]:
    """What events cost beyond their payments, by the ids of their sender."""
    return {each["id"]: each["beyond_payment"] for each in (await organization.key.get("events"))["data"]}


async def test_events_cost_what_goes_beyond_their_payment_until_it_is_taken_off(xyra: Xyra) -> None:
    organization = await paying(xyra)
    key = organization.key
    hold = await post(key, "reserve", {"amount": "20"})
    paid = {"paid_with": hold["hold_id"]}
    await key.report(event("a", 4, **paid), event("unpaid", 2))
    await xyra.idle()
    assert await costs(organization) == {"a": "0", "unpaid": None}
    await post(key, f"holds/{hold['hold_id']}/capture", {"amount": "2"})
    cloud_event = {
        "specversion": "1.0", "id": "b", "source": "api", "type": "command", "subject": "coder", "time": IN_OCTOBER,
        "data": {"quantity": 1}, "paidwith": hold["hold_id"],
    }  # fmt: skip
    cloud = {"Content-Type": "application/cloudevents+json"}
    (await key.send("POST", "events", cloud_event, headers=cloud)).expect(202)
    agent = (await key.get("agents"))["data"][0]["id"]
    activity = {"activity_type": "command", "quantity": "3", "id": "c", "time": IN_OCTOBER, **paid}
    await key.post(f"agents/{agent}/activities", activity, expect=202)
    await xyra.idle()
    assert await costs(organization) == {"a": "3", "b": "1", "c": "3", "unpaid": None}
    preview = await organization.preview("2026-10")
    amounts = [(line["type"], line["charge"], line["amount"]) for line in preview["lines"]]
    assert amounts == [("paid_usage", None, "7.00"), ("activity", "commands", "2.00")]
    (listed,) = (await key.get("credits/paid-usage"))["data"]
    assert {name: listed[name] for name in ("payment_id", "spent", "worth", "beyond", "events")} == {
        "payment_id": hold["hold_id"], "spent": "2", "worth": "8", "beyond": "7", "events": 3,
    }  # fmt: skip

    (recorded,) = (await key.get("events", source="api", id="a"))["data"]
    path = f"events/{recorded['event_id']}/take-payment-off"
    await key.post(path, {"reason": "wrong"}, expect=403)
    named = {"organization_id": organization.id}
    taken = await organization.operator.post(path, {"reason": "Paid for something else"}, expect=200, **named)
    assert (taken["payment_taken_off"], taken["beyond_payment"]) == (True, "0")
    assert await costs(organization) == {"a": "0", "b": "0", "c": "3", "unpaid": None}
    preview = await organization.preview("2026-10")
    assert [line["amount"] for line in preview["lines"]] == ["3.00", "6.00"]


@pytest.mark.parametrize(
    ("fields", "scopes", "wrong"),
    [
        ({"settings": {}}, None, "not allowed"),
        ({"credit_value": None}, None, "credit_value"),
        ({}, ["events:write"], "credits:use"),
    ],
)
async def test_who_may_not_pay_usage_is_told(xyra: Xyra, fields: Json, scopes: list[str] | None, wrong: str) -> None:
    organization = await paying(xyra, **fields)
    used = await post(organization.key, "use", {"amount": "1"})
    key = organization.key if scopes is None else await xyra.key_of(organization.id, scopes)
    refused = await key.send("POST", "events", event("a", 1, paid_with=used["transaction_id"]))
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/paid_with")
    assert wrong in refused.json()["errors"][0]["detail"]


async def test_what_names_no_payment_is_parked(xyra: Xyra) -> None:
    organization, other = await paying(xyra), await paying(xyra)
    used = await post(other.key, "use", {"amount": "1"})
    await organization.key.report(event("a", 1, paid_with=used["transaction_id"]))
    await xyra.idle()
    (parked,) = (await organization.key.get("events/parked"))["data"]
    assert parked["reason"].startswith("unknown_payment")


async def test_credits_of_another_kind_pay_by_their_own_value(xyra: Xyra) -> None:
    organization = await paying(xyra, credit_value=None, credit_values={"images": "0.25"})
    grant = {"organization_id": organization.id, "amount": "100", "source": "purchase", "kind": "images"}
    await post(organization.operator, "grants", grant)
    used = await post(organization.key, "use", {"amount": "4", "kind": "images"})
    await organization.key.report(event("a", 3, paid_with=used["transaction_id"]))
    await xyra.idle()
    assert await costs(organization) == {"a": "2"}
    other = await post(organization.key, "use", {"amount": "4"})
    await organization.key.report(event("b", 3, paid_with=other["transaction_id"]))
    await xyra.idle()
    (parked,) = (await organization.key.get("events/parked"))["data"]
    assert "the kind default" in parked["reason"]
    refused = await organization.operator.send(
        "PATCH", f"organizations/{organization.id}", {"credit_values": {"default": "1"}}
    )
    assert refused.status == 422
