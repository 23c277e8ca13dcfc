"""Stripe's webhooks: what is verified, and that everything else is refused before it is read."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from shared.adapters.stripe.events import StripeEvents
from shared.domain.kernel.errors import MalformedError
from shared.ports.payment_events import PaymentEvent
from shared.ports.payments import PaymentsNotSetUpError
from tests.doubles.fakes.memory_secrets import MemorySecrets
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers.stripe.customers import create_customer
from tests.doubles.servers.stripe.server import StripeServer
from tests.doubles.servers.stripe.webhooks import delivery, signature

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
LIVE, LIVE_BEFORE, TEST = "whsec_live", "whsec_live_before", "whsec_test"


@pytest.fixture
def events() -> StripeEvents:
    values = {"stripe-webhook-secrets": f"{LIVE}, {LIVE_BEFORE}\n", "stripe-test-webhook-secrets": TEST}
    return StripeEvents(MemorySecrets(values), {})


@pytest.fixture
def event(stripe_server: StripeServer) -> dict[str, Any]:
    """An event of live mode, as the double makes it."""
    create_customer(stripe_server.double.modes[True], {"name": "Ada Löwe"})
    return stripe_server.double.webhooks[True].waiting[0]


async def read(events: StripeEvents, event: dict[str, Any], secret: str = LIVE, at: int = AT) -> PaymentEvent:
    sent = delivery(event, [secret], at)
    return await events.read(sent.body, sent.signature, NOW)


async def test_says_which_object_to_look_at(events: StripeEvents, event: dict[str, Any]):
    read_event = await read(events, event)
    assert (read_event.id, read_event.type, read_event.livemode) == (event["id"], "customer.created", True)
    assert (read_event.object_kind, read_event.object_id) == ("customer", event["data"]["object"]["id"])


async def test_either_of_two_secrets_signs(events: StripeEvents, event: dict[str, Any]):
    assert await read(events, event, LIVE) == await read(events, event, LIVE_BEFORE)
    sent = delivery(event, ["whsec_unknown", LIVE_BEFORE], AT)
    assert (await events.read(sent.body, sent.signature, NOW)).id == event["id"]


async def test_an_event_of_test_mode_is_signed_with_a_secret_of_test_mode(events: StripeEvents, event: dict[str, Any]):
    assert not (await read(events, {**event, "livemode": False}, TEST)).livemode
    for livemode, secret in ((True, TEST), (False, LIVE)):
        with pytest.raises(MalformedError, match="another mode"):
            await read(events, {**event, "livemode": livemode}, secret)


@pytest.mark.parametrize(("seconds", "taken"), [(-300, True), (300, True), (-301, False), (301, False)])
async def test_the_age_is_by_our_clock_either_way(
    events: StripeEvents, event: dict[str, Any], seconds: int, taken: bool
):
    if taken:
        assert (await read(events, event, at=AT + seconds)).id == event["id"]
    else:
        with pytest.raises(MalformedError, match="300 seconds"):
            await read(events, event, at=AT + seconds)


HEADERS = {
    "none": "",
    "no time": "v1={signature}",
    "no signature": "t={at}",
    "another scheme": "t={at},v0={signature}",
    "not a number": "t=now,v1={signature}",
    "a time of another kind": "t=٣,v1={signature}",
    "no ASCII": "t={at},v1={signature}é",
    "half of it": "t={at},v1={half}",
    "another time": "t={later},v1={signature}",
    "a time before that of the signature": "t={later},t={at},v1={signature}",
    "no pairs": ",,,",
    "very long": "t={at}," + "v1=0," * 2000 + "v1={signature}",
    "an enormous time": "t=" + "9" * 400 + ",v1={signature}",
}


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_that_is_not_that_of_the_body_is_refused(events: StripeEvents, event: dict[str, Any], name: str):
    sent = delivery(event, [LIVE], AT)
    signed = sent.signature.rpartition("=")[2]
    header = HEADERS[name].format(at=AT, later=AT + 1, signature=signed, half=signed[:32])
    with pytest.raises(MalformedError):
        await events.read(sent.body, header, NOW)


async def test_a_body_that_is_not_as_it_was_signed_is_refused(events: StripeEvents, event: dict[str, Any]):
    sent = delivery(event, [LIVE], AT)
    bodies = [
        sent.body[:-1],
        sent.body + b"\n",
        json.dumps(json.loads(sent.body)).encode(),
        sent.body.replace(b"true", b"false"),
        b"\xff" + sent.body,
        b"",
    ]
    for body in bodies:
        with pytest.raises(MalformedError):
            await events.read(body, sent.signature, NOW)
    with pytest.raises(MalformedError):
        await read(events, event, "whsec_of_another_endpoint")


@pytest.mark.parametrize(
    "changes",
    [
        {"object": "v2.core.event"},
        {"account": "acct_another"},
        {"id": "evt 1"},
        {"id": None},
        {"id": "e" * 256},
        {"type": 7},
        {"created": "yesterday"},
        {"livemode": "true"},
        {"data": {}},
        {"data": {"object": "cus_1"}},
    ],
    ids=str,
)
async def test_what_is_signed_and_no_event_of_ours_is_refused(
    events: StripeEvents, event: dict[str, Any], changes: dict[str, Any]
):
    with pytest.raises(MalformedError):
        await read(events, {**event, **changes})


async def test_what_is_signed_and_not_json_is_refused(events: StripeEvents):
    for body in (b"\xff\xfe", b"[]", b"{", b"null"):
        with pytest.raises(MalformedError):
            await events.read(body, f"t={AT},v1={signature(body, LIVE, AT)}", NOW)


async def test_without_a_secret_it_says_what_to_set(event: dict[str, Any]):
    with pytest.raises(PaymentsNotSetUpError, match="stripe-webhook-secrets"):
        await read(StripeEvents(MemorySecrets(), {}), event)
    local = StripeEvents(MemorySecrets(), {True: SecretStr(LIVE)})
    assert (await read(local, event)).id == event["id"]


async def test_a_secret_that_was_replaced_signs_no_more(event: dict[str, Any]):
    secrets = MemorySecrets({"stripe-webhook-secrets": LIVE_BEFORE})
    events = StripeEvents(secrets, {})
    await read(events, event, LIVE_BEFORE)
    await secrets.replace("stripe-webhook-secrets", LIVE, expected=LIVE_BEFORE)
    await read(events, event, LIVE)
    with pytest.raises(MalformedError):
        await read(events, event, LIVE_BEFORE)


async def test_a_secret_that_is_missing_is_looked_for_once_a_minute(event: dict[str, Any]):
    """Anybody can send something here, and each would ask the vault."""
    seconds, secrets = SettableSeconds(), MemorySecrets()
    events = StripeEvents(secrets, {}, seconds)
    with pytest.raises(PaymentsNotSetUpError):
        await read(events, event)
    secrets.values["stripe-webhook-secrets"] = LIVE
    seconds.advance(59)
    with pytest.raises(PaymentsNotSetUpError):
        await read(events, event)
    seconds.advance(1)
    assert (await read(events, event)).id == event["id"]
