"""Payments as their port describes them, by the official SDK against the double of Stripe."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from shared.adapters.stripe import StripeModes
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.ports.payments import (
    Created,
    NewCustomer,
    NewIntent,
    NewRefund,
    NewSession,
    OutcomeUnknownError,
    PaymentDeclinedError,
    PaymentRefusedError,
    Payments,
    PaymentsNotSetUpError,
)
from tests.doubles.fakes.memory_secrets import MemorySecrets
from tests.doubles.servers.stripe.account import Mode
from tests.doubles.servers.stripe.customers import make_method
from tests.doubles.servers.stripe.faults import FaultRule
from tests.doubles.servers.stripe.intents import settle
from tests.doubles.servers.stripe.refunds import end_refund
from tests.doubles.servers.stripe.server import StripeServer
from tests.doubles.servers.stripe.sessions import pay_session, settle_session

CREATE, CONFIRM = "post /v1/payment_intents", "post /v1/payment_intents/{intent}/confirm"
HOUR = 3600
HALTED = {"409", "401", "403", "unreadable"}
UNKNOWN = ["before", "after", "late", "429", "409", "401", "403", "500", "500 after", "unreadable"]


@pytest.fixture
async def modes(stripe_server: StripeServer) -> AsyncIterator[StripeModes]:
    keys = {False: SecretStr("rk_test_double"), True: SecretStr("sk_live_double")}
    modes = StripeModes(MemorySecrets(), keys, stripe_server.url)
    yield modes
    await modes.close()


@pytest.fixture
async def payments(modes: StripeModes) -> Payments:
    return await modes.of(livemode=False)


@pytest.fixture
def mode(stripe_server: StripeServer) -> Mode:
    return stripe_server.double.modes[False]


@pytest.fixture
async def customer(payments: Payments) -> str:
    return (await payments.create_customer(NewCustomer("org_1", "ada@example.com", "Ada"), "cus:org_1")).id


def wanted(customer: str, amount: str = "12.34", currency: str = "USD", attempt: str = "att_1") -> NewIntent:
    return NewIntent(attempt, "org_1", customer, Decimal(amount), currency, ["card", "sepa_debit"], "INV-1")


def card(mode: Mode, customer: str, behaviour: str = "succeeds", kind: str = "card") -> str:
    method = make_method(mode, kind, behaviour)
    method["customer"] = customer
    return str(method["id"])


def whenever() -> Created:
    now = datetime.now(UTC)
    return Created(now - timedelta(days=2), now + timedelta(days=2))


def charged(mode: Mode) -> list[int]:
    return [charge["amount_captured"] for charge in mode.of("charge") if charge["paid"]]


class TestCustomers:
    async def test_one_for_a_key_however_often_it_is_asked_for(self, payments: Payments, mode: Mode):
        new = NewCustomer("org_1", "ada@example.com", None)
        made = [await payments.create_customer(new, "cus:org_1") for _ in range(3)]
        assert made[0] == made[1] == made[2] == await payments.customer(made[0].id)
        assert made[0].organization_id == "org_1"
        assert [each.id for each in await payments.customers(whenever())] == [made[0].id]
        assert len(mode.of("customer")) == 1

    async def test_the_same_key_for_another_is_not_taken_for_a_refusal(self, payments: Payments, mode: Mode):
        await payments.create_customer(NewCustomer("org_1", None, None), "cus:org_1")
        with pytest.raises(OutcomeUnknownError):
            await payments.create_customer(NewCustomer("org_2", None, None), "cus:org_1")
        assert len(mode.of("customer")) == 1

    async def test_payment_methods(self, payments: Payments, customer: str, mode: Mode):
        methods = [card(mode, customer), card(mode, customer, kind="sepa_debit")]
        listed = await payments.payment_methods(customer)
        assert [(each.id, each.kind, each.last4) for each in listed] == [
            (methods[1], "sepa_debit", "4242"),
            (methods[0], "card", "4242"),
        ]
        assert (listed[1].brand, listed[1].expires, listed[0].expires) == ("visa", "2031-03", None)
        assert (await payments.set_default_method(customer, methods[0], "default:1")).default_method_id == methods[0]
        await payments.detach_method(methods[0], "detach:1")
        assert (await payments.customer(customer)).default_method_id is None
        assert (await payments.payment_method(methods[0])).customer_id is None

    async def test_one_that_was_deleted_there_is_not_found(self, payments: Payments, customer: str, mode: Mode):
        mode.objects["customer"][customer] = {"id": customer, "object": "customer", "deleted": True}
        with pytest.raises(NotFoundError):
            await payments.customer(customer)

    async def test_a_setup_intent(self, payments: Payments, customer: str):
        intent = await payments.create_setup_intent(customer, ["card"], "setup:1")
        assert (intent.status, bool(intent.client_secret)) == ("requires_payment_method", True)


class TestIntents:
    async def test_is_made_unconfirmed_and_then_charged_once(self, payments: Payments, customer: str, mode: Mode):
        made = await payments.create_intent(wanted(customer), "att_1:create:1")
        assert (made.status, made.amount, made.received) == (
            "requires_payment_method",
            Decimal("12.34"),
            Decimal("0.00"),
        )
        assert (made.attempt_id, made.customer_id, made.currency, made.livemode) == ("att_1", customer, "USD", False)
        method = card(mode, customer)
        for _ in range(3):
            paid = await payments.confirm_intent(made.id, method, "att_1:confirm:1")
        assert (paid.status, paid.received) == ("succeeded", Decimal("12.34"))
        assert await payments.intent(made.id) == paid
        charge = await payments.charge(paid.charge_id or "")
        assert (charge.received, charge.refunded, charge.is_disputed) == (Decimal("12.34"), Decimal("0.00"), False)
        assert charged(mode) == [1234]

    async def test_a_decline_leaves_it_to_be_paid(self, payments: Payments, customer: str, mode: Mode):
        made = await payments.create_intent(wanted(customer), "c")
        method = card(mode, customer, "declines:insufficient_funds")
        for _ in range(2):  # the decline is saved under its key
            with pytest.raises(PaymentDeclinedError) as declined:
                await payments.confirm_intent(made.id, method, "k1")
        assert (declined.value.code, declined.value.decline_code) == ("card_declined", "insufficient_funds")
        after = await payments.intent(made.id)
        assert (after.status, after.decline_code) == ("requires_payment_method", "insufficient_funds")
        mode.behaviours[method] = "succeeds"
        assert (await payments.confirm_intent(made.id, method, "k2")).status == "succeeded"
        assert charged(mode) == [1234]

    async def test_an_authentication_that_nobody_is_there_for_is_a_decline(
        self, payments: Payments, customer: str, mode: Mode
    ):
        made = await payments.create_intent(wanted(customer), "c")
        with pytest.raises(PaymentDeclinedError) as declined:
            await payments.confirm_intent(made.id, card(mode, customer, "authenticates"), "k1")
        assert declined.value.code == "authentication_required"

    async def test_a_debit_takes_days_and_may_fail(self, payments: Payments, customer: str, mode: Mode):
        made = await payments.create_intent(wanted(customer), "c")
        method = card(mode, customer, "processes", kind="sepa_debit")
        assert (await payments.confirm_intent(made.id, method, "k1")).status == "processing"
        settle(mode, made.id, failure="insufficient_funds")
        assert (await payments.intent(made.id)).status == "requires_payment_method"
        assert charged(mode) == []

    async def test_what_is_paid_cannot_be_cancelled(self, payments: Payments, customer: str, mode: Mode):
        made = await payments.create_intent(wanted(customer), "c")
        await payments.confirm_intent(made.id, card(mode, customer), "k1")
        with pytest.raises(PaymentRefusedError) as refused:
            await payments.cancel_intent(made.id, "abort:1")
        assert refused.value.code == "payment_intent_unexpected_state"

    async def test_what_is_cancelled_cannot_be_paid(self, payments: Payments, customer: str, mode: Mode):
        made = await payments.create_intent(wanted(customer), "c")
        assert (await payments.cancel_intent(made.id, "abort:1")).status == "canceled"
        with pytest.raises(PaymentRefusedError):
            await payments.confirm_intent(made.id, card(mode, customer), "k1")
        assert charged(mode) == []

    async def test_too_little_is_refused(self, payments: Payments, customer: str, mode: Mode):
        with pytest.raises(PaymentRefusedError) as refused:
            await payments.create_intent(wanted(customer, "0.49"), "c")
        assert refused.value.code == "amount_too_small"
        assert mode.of("payment_intent") == []

    @pytest.mark.parametrize(
        ("amount", "currency", "units"),
        [("500", "JPY", 500), ("5", "ISK", 500), ("7", "UGX", 700), ("12.00", "MGA", 12), ("1.230", "KWD", 1230)],
    )
    async def test_minor_units_are_stripes(  # noqa: PLR0913  fixtures, and a row of the table
        self, payments: Payments, customer: str, mode: Mode, amount: str, currency: str, units: int
    ):
        made = await payments.create_intent(wanted(customer, amount, currency), "c")
        assert mode.get("payment_intent", made.id, "")["amount"] == units
        assert made.amount.as_tuple() == Decimal(amount).as_tuple()

    async def test_an_amount_that_cannot_be_expressed_is_not_sent(self, payments: Payments, customer: str, mode: Mode):
        with pytest.raises(ValueError, match=r"steps of 0\.01"):
            await payments.create_intent(wanted(customer, "1.234", "KWD"), "c")
        assert mode.of("payment_intent") == []


class TestUnknownOutcomes:
    @pytest.mark.parametrize("fault", UNKNOWN)
    async def test_of_a_creation_the_same_key_makes_one(
        self, payments: Payments, customer: str, stripe_server: StripeServer, mode: Mode, fault: str
    ):
        stripe_server.double.faults.rules.append(FaultRule(CREATE, fault))
        with pytest.raises(OutcomeUnknownError) as unknown:
            await payments.create_intent(wanted(customer), "c")
        assert unknown.value.doubt == ("halted" if fault in HALTED else "repeatable")
        if fault.startswith("500"):  # it is saved: the key is burnt, and only a list tells
            with pytest.raises(OutcomeUnknownError) as again:
                await payments.create_intent(wanted(customer), "c")
            assert again.value.doubt == "burnt"
        else:
            again_made = await payments.create_intent(wanted(customer), "c")
            await stripe_server.double.land()
            assert [each.id for each in await payments.intents(customer, whenever())] == [again_made.id]
        assert len(mode.of("payment_intent")) == (0 if fault == "500" else 1)

    @pytest.mark.parametrize("fault", UNKNOWN)
    async def test_of_a_charge_it_is_charged_at_most_once(
        self, payments: Payments, customer: str, stripe_server: StripeServer, mode: Mode, fault: str
    ):
        made = await payments.create_intent(wanted(customer), "c")
        method = card(mode, customer)
        stripe_server.double.faults.rules.append(FaultRule(CONFIRM, fault))
        with pytest.raises(OutcomeUnknownError):
            await payments.confirm_intent(made.id, method, "k1")
        if fault.startswith("500"):
            with pytest.raises(OutcomeUnknownError) as replayed:
                await payments.confirm_intent(made.id, method, "k1")
            assert replayed.value.doubt == "burnt"
        else:
            assert (await payments.confirm_intent(made.id, method, "k1")).status == "succeeded"
        await stripe_server.double.land()
        assert charged(mode) == ([] if fault == "500" else [1234])

    async def test_a_key_that_is_a_day_old_makes_another(
        self, payments: Payments, customer: str, stripe_server: StripeServer, mode: Mode
    ):
        """Why no key is sent for so long: our rules end at 22 hours."""
        await payments.create_intent(wanted(customer), "c")
        double = stripe_server.double
        double.set_now(double.now() + 24 * HOUR - 60)
        await payments.create_intent(wanted(customer), "c")
        assert len(mode.of("payment_intent")) == 1
        double.set_now(double.now() + 120)
        await payments.create_intent(wanted(customer), "c")
        assert len(mode.of("payment_intent")) == 2

    async def test_at_once_with_one_key(self, payments: Payments, customer: str, stripe_server: StripeServer):
        """The second is told that the first is under way; that is no refusal."""
        stripe_server.double.faults.rules.append(FaultRule(CREATE, "slow", seconds=0.3))
        first = asyncio.create_task(payments.create_intent(wanted(customer), "c"))
        while "c" not in stripe_server.double.keys[False].held:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0)
        with pytest.raises(OutcomeUnknownError) as unknown:
            await payments.create_intent(wanted(customer), "c")
        assert unknown.value.provider_code == "idempotency_key_in_use"
        assert await first == await payments.create_intent(wanted(customer), "c")

    async def test_a_read_that_fails_is_not_absence(
        self, payments: Payments, customer: str, stripe_server: StripeServer
    ):
        for kind in ("before", "429", "500", "unreadable", "401"):
            rule = FaultRule("get /v1/customers/{customer}", kind, times=2)  # a broken connection is tried twice
            stripe_server.double.faults.rules[:] = [rule]
            with pytest.raises(UnavailableError):
                await payments.customer(customer)
        stripe_server.double.faults.rules.clear()
        with pytest.raises(NotFoundError):
            await payments.customer("cus_unknown")

    @pytest.mark.parametrize("key", ["", "k" * 256, "clé", "two\nlines"])
    async def test_nothing_is_written_without_a_key(
        self, payments: Payments, customer: str, stripe_server: StripeServer, key: str
    ):
        sent = len(stripe_server.double.requests)
        for write in (
            lambda: payments.create_customer(NewCustomer("org_2", None, None), key),
            lambda: payments.create_intent(wanted(customer), key),
            lambda: payments.confirm_intent("pi_1", "pm_1", key),
            lambda: payments.cancel_intent("pi_1", key),
            lambda: payments.expire_session("cs_1", key),
            lambda: payments.create_refund(NewRefund("rfd_1", "pi_1", Decimal(1), "USD"), key),
        ):
            with pytest.raises(ValueError, match="idempotency key"):
                await write()
        assert len(stripe_server.double.requests) == sent


class TestSessions:
    def session(self, customer: str) -> NewSession:
        return NewSession(
            *("att_1", "org_1", customer, Decimal("49.00"), "EUR", ["card", "sepa_debit"], "Invoice INV-1"),
            success_url="https://billing.example.com/paid",
            cancel_url="https://billing.example.com/",
            expires_at=datetime.now(UTC) + timedelta(hours=12),
        )

    async def test_is_paid_by_a_card_after_one_that_is_declined(self, payments: Payments, customer: str, mode: Mode):
        made = await payments.create_session(self.session(customer), "s:1")
        assert (made.status, made.is_paid, made.intent_id, made.amount) == ("open", False, None, Decimal("49.00"))
        pay_session(mode, made.id, make_method(mode, "card", "declines:lost_card"))
        declined = await payments.session(made.id)
        assert (declined.status, declined.is_paid) == ("open", False)
        intent = await payments.intent(declined.intent_id or "")
        assert (intent.status, intent.attempt_id) == ("requires_payment_method", "att_1")
        pay_session(mode, made.id, make_method(mode, "card", "succeeds"))
        paid = await payments.session(made.id)
        assert (paid.status, paid.is_paid, paid.intent_id) == ("complete", True, intent.id)
        assert charged(mode) == [4900]

    async def test_is_complete_before_a_debit_has_paid(self, payments: Payments, customer: str, mode: Mode):
        made = await payments.create_session(self.session(customer), "s:1")
        pay_session(mode, made.id, make_method(mode, "sepa_debit", "processes"))
        assert (await payments.session(made.id)).is_paid is False
        settle_session(mode, made.id)
        assert (await payments.session(made.id)).is_paid is True

    async def test_is_expired_once(self, payments: Payments, customer: str):
        made = await payments.create_session(self.session(customer), "s:1")
        assert (await payments.expire_session(made.id, "s:abort:1")).status == "expired"
        with pytest.raises(PaymentRefusedError):
            await payments.expire_session(made.id, "s:abort:2")
        assert [each.status for each in await payments.sessions(customer, whenever())] == ["expired"]

    async def test_expires_by_itself(self, payments: Payments, customer: str, stripe_server: StripeServer):
        made = await payments.create_session(self.session(customer), "s:1")
        stripe_server.double.set_now(made.expires_at.timestamp())
        assert (await payments.session(made.id)).status == "expired"


class TestRefunds:
    async def paid(self, payments: Payments, customer: str, mode: Mode, kind: str = "card") -> str:
        made = await payments.create_intent(wanted(customer), "c")
        await payments.confirm_intent(made.id, card(mode, customer, kind=kind), "k1")
        return made.id

    async def test_two_partial_ones_leave_nothing(self, payments: Payments, customer: str, mode: Mode):
        intent = await self.paid(payments, customer, mode)
        for number, amount in enumerate(("10.00", "2.34")):
            new = NewRefund(f"rfd_{number}", intent, Decimal(amount), "USD")
            made = [await payments.create_refund(new, f"rfd_{number}") for _ in range(2)]
            assert made[0] == made[1] == await payments.refund(made[0].id)
        refunds = await payments.refunds(intent)
        assert [(each.refund_id, each.amount, each.status) for each in refunds] == [
            ("rfd_1", Decimal("2.34"), "succeeded"),
            ("rfd_0", Decimal("10.00"), "succeeded"),
        ]
        with pytest.raises(PaymentRefusedError) as refused:
            await payments.create_refund(NewRefund("rfd_2", intent, Decimal("0.01"), "USD"), "rfd_2")
        assert refused.value.code == "charge_already_refunded"

    async def test_one_that_fails_after_it_succeeded(self, payments: Payments, customer: str, mode: Mode):
        intent = await self.paid(payments, customer, mode, "sepa_debit")
        made = await payments.create_refund(NewRefund("rfd_0", intent, Decimal("12.34"), "USD"), "rfd_0")
        assert made.status == "pending"
        end_refund(mode, made.id, "succeeded")
        end_refund(mode, made.id, "failed")
        assert (await payments.refund(made.id)).status == "failed"
        charge_id = (await payments.intent(intent)).charge_id or ""
        assert (await payments.charge(charge_id)).refunded == Decimal("0.00")


class TestLists:
    async def test_are_whole_beyond_a_page(self, payments: Payments, mode: Mode):
        for _ in range(205):
            mode.make("customer", metadata={}, invoice_settings={"default_payment_method": None})
        listed = await payments.customers(whenever())
        assert len({each.id for each in listed}) == 205

    async def test_are_of_a_time(self, payments: Payments, customer: str, stripe_server: StripeServer):
        made = await payments.create_intent(wanted(customer), "c")
        stripe_server.double.set_now(made.created_at.timestamp() + HOUR)
        later = await payments.create_intent(wanted(customer), "d")
        exactly = Created(made.created_at, made.created_at)
        assert [each.id for each in await payments.intents(customer, exactly)] == [made.id]
        assert len(await payments.intents(customer, Created(made.created_at, later.created_at))) == 2

    async def test_more_than_is_bounded_is_an_error_and_not_a_short_list(self, payments: Payments, mode: Mode):
        for _ in range(1101):
            mode.make("customer", metadata={}, invoice_settings={"default_payment_method": None})
        with pytest.raises(UnavailableError):
            await payments.customers(whenever())


class TestModes:
    async def test_see_nothing_of_each_other(self, modes: StripeModes, payments: Payments, customer: str):
        live = await modes.of(livemode=True)
        assert await live.account_id() == await payments.account_id()
        with pytest.raises(NotFoundError):
            await live.customer(customer)

    @pytest.mark.parametrize(("livemode", "name"), [(True, "stripe-key"), (False, "stripe-test-key")])
    async def test_without_a_key_it_says_what_to_set(self, livemode: bool, name: str):
        modes = StripeModes(MemorySecrets(), {}, None)
        with pytest.raises(PaymentsNotSetUpError, match=f"the secret {name}"):
            await modes.of(livemode=livemode)

    async def test_a_key_of_the_other_mode_is_not_used(self):
        secrets = MemorySecrets()
        await secrets.set_if_absent("stripe-key", "sk_test_double")
        with pytest.raises(PaymentsNotSetUpError, match="no key of Stripe's live mode"):
            await StripeModes(secrets, {}, None).of(livemode=True)

    async def test_a_key_that_was_rotated_is_used_at_once(self, stripe_server: StripeServer):
        secrets = MemorySecrets()
        await secrets.set_if_absent("stripe-test-key", "sk_test_revoked")
        modes = StripeModes(secrets, {}, stripe_server.url)
        with pytest.raises(UnavailableError):
            await (await modes.of(livemode=False)).account_id()
        await secrets.replace("stripe-test-key", "sk_test_double\n", expected="sk_test_revoked")
        assert await (await modes.of(livemode=False)).account_id()
        await modes.close()


async def test_the_loop_runs_on_while_stripe_is_slow(payments: Payments, customer: str, stripe_server: StripeServer):
    stripe_server.double.faults.rules.append(FaultRule(CREATE, "slow", seconds=0.2))
    waiting = asyncio.create_task(payments.create_intent(wanted(customer), "c"))
    turns = 0
    while not waiting.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns >= 5
    assert (await waiting).amount == Decimal("12.34")


async def test_nothing_about_people_is_logged(payments: Payments, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        await payments.create_customer(NewCustomer("org_1", "ada@example.com", "Ada Lovelace"), "cus:org_1")
    assert "ada@example.com" not in caplog.text
    assert "rk_test_double" not in caplog.text
