"""Webhooks of Stripe over HTTP: what is signed is stored once, what is not is refused and leaves nothing."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Answer, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.servers.stripe.webhooks import Delivery, delivery

PATH = "billing/stripe/webhook"
SECRET, NEXT_SECRET = "whsec_of_the_test", "whsec_of_the_next"
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "api_version": "2026-08-26.dahlia",
    "created": 1_790_000_000,
    "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
    "livemode": False,
    "type": "payment_intent.succeeded",
}


@pytest.fixture
async def served(new_process: Callable[..., XyraProcess]) -> Served:
    process = new_process(present=True, XYRA_STRIPE_TEST_WEBHOOK_SECRETS=f"{SECRET},{NEXT_SECRET}")
    return await Served.by(process)


@pytest.fixture
async def stripe(served: Served) -> AsyncIterator[Xyra]:
    async with served.clients() as xyra:
        yield xyra


async def send(xyra: Xyra, sent: Delivery, **headers: str) -> Answer:
    signature = {"Stripe-Signature": sent.signature}
    return await xyra.anonymous.send("POST", PATH, raw=sent.body, headers=signature | headers)


def signed(event: dict[str, Any] = EVENT, secret: str = SECRET, seconds: int = 0) -> Delivery:
    return delivery(event, [secret], int(time.time()) + seconds)


async def test_only_what_is_signed_is_stored_and_once(stripe: Xyra, served: Served) -> None:
    before = served.process.tables()["inbox"]
    good = signed()
    refused = {
        "forged": Delivery(good.body, good.signature[:-4] + "0000"),
        "of another secret": signed(secret="whsec_of_another_endpoint"),
        "expired": signed(seconds=-400),
        "ahead": signed(seconds=400),
        "truncated": Delivery(good.body[:-2], good.signature),
        "encoded again": Delivery(good.body.replace(b"\n", b""), good.signature),
        "of live mode": signed({**EVENT, "livemode": True}),
        "of another account": signed({**EVENT, "account": "acct_another"}),
        "of API v2": signed({**EVENT, "object": "v2.core.event"}),
        "not signed": Delivery(good.body, ""),
        "with a signature beyond ASCII": Delivery(good.body, good.signature + "é"),
    }
    for name, sent in refused.items():
        answer = await send(stripe, sent)
        assert (name, answer.status) == (name, 400)
        answer.problem(400, "malformed")
    (await send(stripe, good, **{"Content-Type": "text/plain"})).problem(415, "unsupported_media_type")
    too_long = {**EVENT, "data": {"object": {"id": "pi_1", "object": "payment_intent", "text": "x" * 1024 * 1024}}}
    (await send(stripe, signed(too_long))).problem(413, "too_large")
    assert served.process.tables()["inbox"] == before
    for secret in (SECRET, SECRET, NEXT_SECRET):
        answer = await send(stripe, signed(secret=secret))
        assert (answer.status, answer.json()) == (200, {"received": True})
    stored = [row for row in served.process.tables()["inbox"] if "payment_event" in row]
    assert len(stored) == 1


async def test_without_a_secret_it_says_what_to_set(xyra: Xyra) -> None:
    answer = await send(xyra, signed())
    answer.problem(503, "unavailable")
    assert "stripe-webhook-secrets" in answer.json()["detail"]
