"""The double of Stripe by the SDK itself: forms, keys, pages, expansion, events and their signatures."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import stripe

from shared.adapters.stripe.connections import API_VERSION, StripeConnections
from tests.doubles.servers.stripe.customers import make_method, set_up
from tests.doubles.servers.stripe.description import description
from tests.doubles.servers.stripe.refunds import close_dispute, open_dispute
from tests.doubles.servers.stripe.served import SERVED
from tests.doubles.servers.stripe.server import StripeServer
from tests.doubles.servers.stripe.steering import pay_intent, steer
from tests.doubles.servers.stripe.webhooks import delivery

INTENT: dict[str, Any] = {"amount": 1234, "currency": "usd"}


@pytest.fixture
async def client(stripe_server: StripeServer) -> AsyncIterator[stripe.StripeClient]:
    connections = StripeConnections(stripe_server.url)
    yield connections._client("sk_test_double")
    await connections.close()


async def paid(client: stripe.StripeClient) -> Any:
    customer = await client.v1.customers.create_async({})
    method = await client.v1.payment_methods.attach_async("pm_card_visa", {"customer": customer.id})
    form: Any = {**INTENT, "customer": customer.id, "payment_method": method.id}
    intent = await client.v1.payment_intents.create_async(form)
    return await client.v1.payment_intents.confirm_async(intent.id, {"off_session": True})


def test_speaks_the_version_of_the_adapter():
    assert description().version == API_VERSION


def test_every_operation_that_is_served_is_described():
    assert set(SERVED) <= {operation.name for operation in description().operations}


class TestForms:
    @pytest.mark.parametrize(
        ("form", "code", "parameter"),
        [
            ({**INTENT, "amuont": 1}, "parameter_unknown", "amuont"),
            ({"amount": 100}, "parameter_missing", "currency"),
            ({**INTENT, "amount": "much"}, "parameter_invalid_integer", "amount"),
            ({**INTENT, "automatic_payment_methods": {"enable": True}}, "parameter_unknown", None),
            ({**INTENT, "customer": "cus_unknown"}, "resource_missing", "customer"),
        ],
    )
    async def test_are_refused_where_they_are_not_described_so(
        self, client: stripe.StripeClient, form: Any, code: str, parameter: str | None
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await client.v1.payment_intents.create_async(form)
        assert refused.value.code == code
        assert parameter is None or refused.value.param == parameter

    async def test_a_parameter_that_would_be_ignored_is_not_served(self, client: stripe.StripeClient):
        with pytest.raises(stripe.APIError) as refused:
            await client.v1.payment_intents.create_async({**INTENT, "capture_method": "manual"})
        assert refused.value.http_status == 501

    async def test_what_was_refused_before_it_began_does_not_hold_the_key(self, client: stripe.StripeClient):
        options: Any = {"idempotency_key": "k"}
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.payment_intents.create_async({"amount": 1234}, options)
        assert (await client.v1.payment_intents.create_async(INTENT, options)).amount == 1234

    async def test_another_version_is_refused(self, stripe_server: StripeServer):
        connections = StripeConnections(stripe_server.url)
        client = stripe.StripeClient(
            "sk_test_double",
            stripe_version="2024-04-10",
            base_addresses={"api": stripe_server.url},
            http_client=connections._http,
        )
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.accounts.retrieve_current_async()
        await connections.close()


class TestKeys:
    async def test_a_saved_answer_says_that_it_is_one(self, client: stripe.StripeClient):
        options: Any = {"idempotency_key": "k"}
        first = await client.v1.payment_intents.create_async(INTENT, options)
        second = await client.v1.payment_intents.create_async(INTENT, options)
        assert first.id == second.id
        assert first.last_response.headers.get("Idempotent-Replayed") is None
        assert second.last_response.headers["Idempotent-Replayed"] == "true"

    async def test_other_parameters_are_an_idempotency_error(self, client: stripe.StripeClient):
        options: Any = {"idempotency_key": "k"}
        await client.v1.payment_intents.create_async(INTENT, options)
        with pytest.raises(stripe.IdempotencyError):
            await client.v1.payment_intents.create_async({**INTENT, "amount": 1235}, options)

    async def test_a_refusal_of_what_was_begun_is_saved(self, client: stripe.StripeClient):
        intent = await client.v1.payment_intents.create_async(INTENT)
        options: Any = {"idempotency_key": "k"}
        for _ in range(2):
            with pytest.raises(stripe.InvalidRequestError) as refused:
                await client.v1.payment_intents.confirm_async(intent.id, {}, options)
        assert (refused.value.headers or {})["Idempotent-Replayed"] == "true"


class TestReading:
    async def test_expansion(self, client: stripe.StripeClient):
        intent = await paid(client)
        expand: Any = {"expand": ["latest_charge.balance_transaction", "customer"]}
        read = (await client.v1.payment_intents.retrieve_async(intent.id, expand)).to_dict()
        transaction = read["latest_charge"]["balance_transaction"]
        assert (transaction["amount"], transaction["fee"], transaction["net"]) == (1234, 66, 1168)
        assert read["customer"]["object"] == "customer"

    async def test_search_lags_and_lists_do_not(self, client: stripe.StripeClient, stripe_server: StripeServer):
        form: Any = {**INTENT, "metadata": {"order": "7"}}
        intent = await client.v1.payment_intents.create_async(form)
        query: Any = {"query": "metadata['order']:'7'"}
        assert [each.id for each in (await client.v1.payment_intents.list_async()).data] == [intent.id]
        assert (await client.v1.payment_intents.search_async(query)).data == []
        stripe_server.double.set_now(stripe_server.double.now() + 61)
        assert [each.id for each in (await client.v1.payment_intents.search_async(query)).data] == [intent.id]


class TestEvents:
    async def test_of_a_payment(self, client: stripe.StripeClient):
        intent = await paid(client)
        listed: Any = await client.v1.events.list_async({"limit": 100})
        assert [event.type for event in reversed(listed.data)] == [
            *("customer.created", "payment_method.attached", "payment_intent.created"),
            *("charge.succeeded", "payment_intent.succeeded"),
        ]
        newest = listed.data[0].to_dict()
        assert newest["data"]["object"]["id"] == intent.id
        assert newest["api_version"] == API_VERSION

    async def test_the_sdk_finds_their_signatures_right(self, client: stripe.StripeClient, stripe_server: StripeServer):
        await client.v1.customers.create_async({"email": "ada@example.com"})
        (event,) = stripe_server.double.webhooks[False].waiting
        now = int(time.time())
        sent = delivery(event, ["whsec_old", "whsec_new"], now)
        for secret in ("whsec_old", "whsec_new"):
            assert client.construct_event(sent.body, sent.signature, secret).id == event["id"]
        with pytest.raises(stripe.SignatureVerificationError):
            client.construct_event(sent.body, sent.signature, "whsec_other")
        with pytest.raises(stripe.SignatureVerificationError):
            client.construct_event(sent.body.replace(b"ada", b"bob"), sent.signature, "whsec_new")

    async def test_those_of_setting_up_disputes_and_a_customer_who_authenticates(
        self, client: stripe.StripeClient, stripe_server: StripeServer
    ):
        mode = stripe_server.double.modes[False]
        intent = await paid(client)
        dispute = open_dispute(mode, intent.id, 500)
        close_dispute(mode, dispute["id"], won=True)
        read: Any = await client.v1.disputes.retrieve_async(dispute["id"])
        assert (read.status, [each.amount for each in read.balance_transactions]) == ("won", [-500, 500])
        setup: Any = await client.v1.setup_intents.create_async({"customer": intent.customer})
        method = make_method(mode, "card", "authenticates")
        set_up(mode, setup.id, method)
        other: Any = await client.v1.payment_intents.create_async({**INTENT, "customer": intent.customer})
        assert pay_intent(mode, other.id, method["id"])["status"] == "requires_action"
        await steer(stripe_server.double, "settle", {"intent": other.id})
        assert (await client.v1.payment_intents.retrieve_async(other.id)).status == "succeeded"
        kinds = [event["type"] for event in mode.of("event")]
        assert {"charge.dispute.funds_reinstated", "setup_intent.succeeded", "payment_intent.requires_action"} <= set(
            kinds
        )


async def test_a_test_in_another_process_steers_it(client: stripe.StripeClient, stripe_server: StripeServer):
    double = stripe_server.double
    await steer(double, "fault", {"operation": "*", "kind": "429", "times": 2})
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            await client.v1.customers.create_async({})
    customer = await client.v1.customers.create_async({})
    made = await steer(double, "method", {"kind": "card", "behaviour": "succeeds", "customer": customer.id})
    assert json.loads(json.dumps(made))["customer"] == customer.id
    assert await steer(double, "objects", {"kind": "payment_intent"}) == []
    assert [request[0] for request in await steer(double, "requests", {})] == ["post /v1/customers"]
