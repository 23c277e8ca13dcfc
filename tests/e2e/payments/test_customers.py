"""Customers and their payment methods at Stripe, over HTTP against the double."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.servers.stripe.account import Mode
from tests.doubles.servers.stripe.customers import make_method, set_up
from tests.doubles.servers.stripe.faults import FaultRule
from tests.doubles.servers.stripe.server import StripeServer

CREATE = "post /v1/customers"
NEEDING_STRIPE = (
    ("POST", "billing/customer", {}),
    ("POST", "billing/setup-intent", {"types": ["card"]}),
    ("PUT", "billing/payment-methods/pm_1/default", None),
    ("DELETE", "billing/payment-methods/pm_1", None),
)


@dataclass
class Paying:
    xyra: Xyra
    server: StripeServer

    @property
    def mode(self) -> Mode:
        return self.server.double.modes[False]


@pytest.fixture
async def paying(new_process: Callable[..., XyraProcess]) -> AsyncIterator[Paying]:
    async with StripeServer.running() as server:
        process = new_process(
            present=True,
            XYRA_STRIPE_API_BASE=server.url,
            XYRA_STRIPE_TEST_KEY="rk_test_double",
            XYRA_STRIPE_PUBLISHABLE_KEY="pk_test_double",
        )
        async with (await Served.by(process)).clients() as xyra:
            yield Paying(xyra, server)
        assert server.double.broken == []


async def test_one_customer_and_its_payment_methods(paying: Paying) -> None:
    xyra, mode = paying.xyra, paying.mode
    organization = await xyra.organization(livemode=False, billing_email="ada@example.com")
    key = organization.key
    (await key.send("GET", "billing/customer")).problem(404, "not_found")
    assert await key.get("billing/config") == {"publishable_key": "pk_test_double", "livemode": False}

    # Stripe makes it and its answer is lost; the same is asked for again, by several at once.
    paying.server.double.faults.rules.append(FaultRule(CREATE, "after"))
    (await key.send("POST", "billing/customer", {})).problem(503, "unavailable")
    made = [(await key.send("POST", "billing/customer", {"name": "Another"})).json() for _ in range(3)]
    assert [each["id"] for each in mode.of("customer")] == [made[0]["id"]]
    assert made[0] == made[1] == made[2] == await key.get("billing/customer")
    assert (made[0]["email"], made[0]["balance"], made[0]["currency"]) == ("ada@example.com", "0.00", "USD")
    assert mode.of("customer")[0]["metadata"] == {"xyra_organization": organization.id}

    setup = await key.send("POST", "billing/setup-intent", {"types": ["card", "sepa_debit"]})
    assert (setup.status, setup.json()["status"]) == (201, "requires_payment_method")
    method = make_method(mode, "card", "succeeds")
    set_up(mode, setup.json()["id"], method)
    listed = (await key.get("billing/payment-methods"))["data"]
    assert listed == [
        {
            "id": method["id"],
            "type": "card",
            "brand": "visa",
            "last4": "4242",
            "expires": "2031-03",
            "default": False,
        }
    ]
    answer = await key.send("PUT", f"billing/payment-methods/{method['id']}/default")
    assert (answer.status, answer.json()["default"]) == (200, True)
    assert (await key.get("billing/customer"))["default_payment_method"] == method["id"]

    # Another organization's methods are not there for it.
    other = await xyra.organization(livemode=False)
    (await other.key.send("POST", "billing/customer", {})).expect(200)
    for verb, end in (("PUT", "/default"), ("DELETE", "")):
        (await other.key.send(verb, f"billing/payment-methods/{method['id']}{end}")).problem(404, "not_found")

    assert (await key.send("DELETE", f"billing/payment-methods/{method['id']}")).status == 204
    assert (await key.get("billing/payment-methods"))["data"] == []
    assert (await key.get("billing/customer"))["default_payment_method"] is None

    # An organization of live mode has no key here.
    live = await xyra.organization()
    refused = await live.key.send("POST", "billing/customer", {})
    refused.problem(503, "unavailable")
    assert "stripe-key" in refused.json()["detail"]


async def test_without_a_key_payment_routes_say_what_to_set_and_all_others_work(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await organization.key.send("POST", "billing/customer", {})
    answer.problem(503, "unavailable")
    assert "the secret stripe-key" in answer.json()["detail"]
    assert (await organization.key.send("GET", "billing/customer")).status == 404
    for method, path, body in NEEDING_STRIPE:
        assert (await organization.key.send(method, path, body)).status in {404, 503}
    assert (await organization.key.get("billing/credit-packages"))["data"]
    assert (await organization.key.get("billing/payment-methods"))["data"] == []
    assert (await organization.key.get("billing/payments"))["data"] == []
    assert (await organization.key.get("billing/config"))["publishable_key"] is None
