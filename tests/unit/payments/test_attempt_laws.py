"""Laws of attempts over random histories: two hosts, crashes, stale copies, late requests, keys that are forgotten.

`XYRA_LONG_LAWS=N` runs N histories. A history is its seed: hypothesis names the one that breaks a law.
"""

import os
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.payments.attempts import (
    Cancel,
    Commit,
    Confirm,
    Create,
    Find,
    PaymentAttempt,
    Read,
    SeenIntent,
    Step,
    Wait,
)
from shared.domain.payments.requests import Doubt, KeyedRequest
from tests.doubles.worlds.payment_provider import Charging, Fault, Outcome, Provider

START = datetime(2026, 12, 1, 12, tzinfo=UTC)
HISTORIES = int(os.environ.get("XYRA_LONG_LAWS", "2000"))
STEPS = 60
FAULTS: tuple[Fault, ...] = ("", "", "", "before", "after", "late", "429", "409", "unreadable", "500", "500 after")
CHARGING: tuple[Charging, ...] = ("succeeds", "declines", "authenticates", "processes")
AT_REST = Wait(None)
MINUTES = (1, 30, 96, 600, 21 * 60, 25 * 60)


def new_attempt() -> PaymentAttempt:
    return PaymentAttempt(
        id="att_1",
        organization_id="org_1",
        livemode=False,
        target="inv_1",
        amount=Decimal("12.34"),
        currency="USD",
        customer_id="cus_1",
        method_id="pm_1",
        created_at=START,
        creation=KeyedRequest.first(START),
    )


@dataclass
class Copy:
    """What a host has read, and what it is about to do; it may be old."""

    attempt: PaymentAttempt
    version: int
    step: Step = AT_REST


class History:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.provider = Provider(START)
        self.stored, self.version = new_attempt(), 1
        stalled = Copy(self.stored, 1, self.stored.next_step(START))
        self.copies = [Copy(self.stored, 1), Copy(self.stored, 1), stalled]

    # What hosts do

    def plan(self, host: int) -> None:
        """Read, and decide. What is decided may be done much later."""
        self.copies[host] = Copy(self.stored, self.version, self.stored.next_step(self.provider.now))

    def act(self, host: int) -> None:
        fault = self.random.choice(FAULTS)
        self.do(self.copies[host], fault, dies=self.random.random() < 0.2)

    def work(self, host: int) -> None:
        """Plan and act at once, as hosts mostly do."""
        self.plan(host)
        self.act(host)

    def do(self, copy: Copy, fault: Fault, *, dies: bool) -> None:
        match copy.step:
            case Create() | Confirm() | Cancel():
                if self.may_be_sent(copy):
                    outcome = self.provider.send(copy.step, fault)
                    if not dies:
                        self.learn(copy.step.key, outcome)
            case Commit(attempt):
                self.store(copy, attempt)
            case Find():
                self.store(copy, copy.attempt.found(self.provider.list(), self.provider.now))
            case Read(intent_id):
                self.store(copy, copy.attempt.checked(self.provider.intents[intent_id], self.provider.now))
        copy.step = AT_REST

    def may_be_sent(self, copy: Copy) -> bool:
        attempt, now = copy.attempt, self.provider.now
        match copy.step:
            case Create():
                return attempt.creation.may_be_sent(now)
            case Confirm():
                return attempt.confirmation is not None and attempt.confirmation.may_be_sent(now)
            case _:
                return attempt.cancellation is not None and attempt.cancellation.may_be_sent(now)

    def learn(self, key: str, outcome: Outcome) -> None:
        """Store what came of a request on top of what is there now, as a lost guard starts again."""
        now = self.provider.now
        attempt, intent = self.stored, outcome.intent
        if outcome.kind in {"repeatable", "halted", "burnt"}:
            changed = attempt.doubted(key, outcome.kind, now)  # type: ignore[arg-type]  one of these three
        elif outcome.kind == "refused":
            is_charge = ":confirm:" in key
            changed = attempt.charge_refused(key, "x", now) if is_charge else attempt.doubted(key, "burnt", now)
        else:
            assert intent is not None
            changed = attempt.created(intent, now) if ":create:" in key else attempt.seen(intent, now)
        self.put(changed)

    def store(self, copy: Copy, attempt: PaymentAttempt) -> None:
        if copy.version == self.version:
            self.put(attempt)

    def put(self, attempt: PaymentAttempt) -> None:
        if attempt != self.stored:
            self.stored, self.version = attempt, self.version + 1

    def converge(self) -> None:
        """A webhook says which intent to look at."""
        if self.stored.intent_id is not None:
            self.put(self.stored.checked(self.provider.intents[self.stored.intent_id], self.provider.now))

    # What people do

    def cancel(self) -> None:
        self.put(self.stored.cancelled())

    def retry(self) -> None:
        self.put(self.stored.retried(self.provider.now))

    def customer_acts(self) -> None:
        """By the link of our intent, after a decline; or a debit ends."""
        self.provider.act_of_customer(succeeds=self.random.random() < 0.5)

    # What else happens

    def card_changes(self) -> None:
        self.provider.charging = self.random.choice(CHARGING)

    def time_passes(self) -> None:
        self.provider.pass_time(timedelta(minutes=self.random.choice(MINUTES)))

    def late_requests_land(self) -> None:
        self.provider.land(self.random.randint(1, 3))

    def run(self) -> None:
        actions = [
            *([lambda: self.work(0), lambda: self.work(1)] * 5),
            *(lambda: self.plan(0), lambda: self.plan(1), lambda: self.act(0), lambda: self.act(1)),
            *([self.converge, self.retry, self.card_changes, self.time_passes] * 2),
            *(self.customer_acts, self.late_requests_land),
            lambda: self.act(2),  # a host that was about to create the intent, and then slept
        ]
        cancelled_at = self.random.randrange(2 * STEPS)  # in half of them it never is
        for number in range(STEPS):
            self.cancel() if number == cancelled_at else self.random.choice(actions)()
            self.check_laws()
        self.come_to_rest()
        self.check_laws()
        self.check_rest()

    def check_laws(self) -> None:
        self.it_is_charged_at_most_once()
        self.only_its_own_intent_is_charged()
        self.its_end_is_the_providers_word()

    # Laws

    def it_is_charged_at_most_once(self) -> None:
        assert len(self.provider.charges) <= 1, self.provider.charges

    def only_its_own_intent_is_charged(self) -> None:
        assert set(self.provider.charges) <= {self.stored.intent_id}

    def its_end_is_the_providers_word(self) -> None:
        intent = self.provider.intents.get(self.stored.intent_id or "")
        if self.stored.status == "succeeded":
            assert intent is not None
            assert intent.status == "succeeded"
        if self.stored.status == "closed":
            assert intent is None or intent.status == "canceled"

    def come_to_rest(self) -> None:
        """Once nothing fails any more, it comes to rest where the provider is."""
        for _ in range(200):
            copy = Copy(self.stored, self.version, self.stored.next_step(self.provider.now))
            if isinstance(copy.step, Wait):
                if copy.step.until is None:
                    before = self.version
                    self.provider.pass_time(timedelta(hours=2))
                    self.converge()
                    if before == self.version:
                        break
                else:
                    self.provider.pass_time(copy.step.until - self.provider.now)
            else:
                self.do(copy, "", dies=False)
        else:
            raise AssertionError(f"it does not come to rest: {self.stored}")

    def check_rest(self) -> None:
        attempt = self.stored
        if attempt.intent_id is None:
            assert (attempt.status, attempt.is_cancelled) == ("closed", True)
            return
        intent = self.provider.intents[attempt.intent_id]
        assert intent.status in {
            "succeeded": ("succeeded",),
            "closed": ("canceled",),
            "processing": ("processing",),
            "action_required": ("requires_action", "requires_payment_method"),
            "declined": ("requires_payment_method",),
        }.get(attempt.status, ()), attempt


@settings(max_examples=HISTORIES, deadline=None)
@given(st.integers(0, 2**32))
def test_the_laws_hold_over_random_histories(seed: int) -> None:
    History(seed).run()


def doubt_is_refusal(self: PaymentAttempt, key: str, _doubt: Doubt, _now: datetime) -> PaymentAttempt:
    return self.refused("time-out") if ":create:" in key else self


def decline_is_final(self: PaymentAttempt, intent: SeenIntent) -> PaymentAttempt:
    return self if intent.error_code is None else self.changed(status="closed")


def another_intent_after_a_decline(self: PaymentAttempt, now: datetime) -> PaymentAttempt:
    if self.status != "declined":
        return self
    return self.changed(status="created", intent_id=None, confirmation=None, creation=self.creation.next(now))


def one_key_for_all_tries(self: PaymentAttempt, verb: str, _request: KeyedRequest) -> str:
    return f"{self.id}:{verb}:1"


def cancelling_closes(self: PaymentAttempt) -> PaymentAttempt:
    return self.changed(status="closed") if self.is_open else self


def any_intent_is_ours(self: PaymentAttempt, intent: SeenIntent, now: datetime) -> PaymentAttempt:
    return self.changed(intent_id=intent.id).seen(intent, now)


NAIVE = {
    "doubted": doubt_is_refusal,
    "_unpaid": decline_is_final,
    "retried": another_intent_after_a_decline,
    "key": one_key_for_all_tries,
    "cancelled": cancelling_closes,
    "created": any_intent_is_ours,
}


def run_all(seeds: range) -> None:
    for seed in seeds:
        History(seed).run()


@pytest.mark.parametrize("method", NAIVE)
def test_the_laws_find_what_is_naive(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PaymentAttempt, method, NAIVE[method])
    with pytest.raises(AssertionError):
        run_all(range(5000))
