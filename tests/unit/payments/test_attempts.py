"""Attempts step by step: the rules that random histories do not name."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.payments.attempts import (
    Cancel,
    Commit,
    Confirm,
    Create,
    Find,
    PaymentAttempt,
    Read,
    SeenIntent,
    Wait,
)
from shared.domain.payments.requests import Doubt, KeyedRequest

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
UNPAID = SeenIntent("pi_1", "requires_payment_method")
DECLINED = SeenIntent("pi_1", "requires_payment_method", "card_declined", "lost_card")


def new() -> PaymentAttempt:
    return PaymentAttempt(
        id="att_1",
        organization_id="org_1",
        livemode=True,
        target="inv_1",
        amount=Decimal("12.30"),
        currency="USD",
        customer_id="cus_1",
        method_id="pm_1",
        created_at=NOW,
        creation=KeyedRequest.first(NOW),
    )


def confirming() -> PaymentAttempt:
    step = new().created(UNPAID, NOW).next_step(NOW)
    assert isinstance(step, Commit)
    return step.attempt


def test_is_created_confirmed_and_paid():
    assert new().next_step(NOW) == Create("att_1:create:1")
    attempt = confirming()
    assert attempt.status == "confirming"
    assert attempt.next_step(NOW) == Confirm("pi_1", "att_1:confirm:1")
    paid = attempt.seen(SeenIntent("pi_1", "succeeded"), NOW)
    assert (paid.status, paid.is_open, paid.next_step(NOW)) == ("succeeded", False, Wait(None))


def test_the_same_key_is_sent_for_22_hours_and_the_list_decides_95_minutes_later():
    attempt = new().doubted("att_1:create:1", "repeatable", NOW)
    assert attempt.next_step(NOW + 22 * HOUR - MINUTE) == Create("att_1:create:1")
    decided = NOW + 22 * HOUR + 95 * MINUTE
    assert attempt.next_step(NOW + 22 * HOUR) == Wait(decided)
    assert attempt.next_step(decided) == Find(NOW - 95 * MINUTE)
    assert attempt.found([], decided).next_step(decided) == Create("att_1:create:2")
    oldest = attempt.found([SeenIntent("pi_2", "requires_payment_method"), UNPAID], decided)
    assert oldest.intent_id == "pi_1"


def test_a_list_that_came_too_early_decides_nothing():
    assert new().found([], NOW + HOUR) == new()


@pytest.mark.parametrize(("doubt", "after"), [("halted", 95 * MINUTE), ("burnt", 0 * MINUTE)])
def test_after_some_answers_nothing_more_is_sent(doubt: Doubt, after: timedelta):
    attempt = new().doubted("att_1:create:1", doubt, NOW + HOUR)
    decided = NOW + HOUR + after
    assert attempt.next_step(decided) == Find(NOW - 95 * MINUTE)
    if after:
        assert attempt.next_step(decided - MINUTE) == Wait(decided)
    assert attempt.doubted("att_1:create:1", "repeatable", NOW + 2 * HOUR) == attempt


def test_the_outcome_of_an_earlier_key_does_not_matter():
    decided = NOW + 24 * HOUR
    later = new().found([], decided)
    assert later.doubted("att_1:create:1", "burnt", decided) == later


def test_a_charge_that_was_not_executed_goes_on_under_the_next_key():
    attempt = confirming().doubted("att_1:confirm:1", "burnt", NOW)
    assert attempt.next_step(NOW) == Read("pi_1")
    assert attempt.checked(UNPAID, NOW).next_step(NOW) == Confirm("pi_1", "att_1:confirm:2")


def test_a_decline_leaves_the_intent_and_is_retried_on_it():
    declined = confirming().seen(DECLINED, NOW)
    assert (declined.status, declined.decline_code, declined.next_step(NOW + 90 * 24 * HOUR)) == (
        *("declined", "lost_card"),
        Wait(None),
    )
    retried = declined.retried(NOW + HOUR)
    assert retried.next_step(NOW + HOUR) == Confirm("pi_1", "att_1:confirm:2")
    assert confirming().retried(NOW) == confirming()
    paid = declined.seen(SeenIntent("pi_1", "succeeded"), NOW)
    assert (paid.status, paid.decline_code) == ("succeeded", None)


def test_authentication_that_nobody_was_there_for_is_a_decline():
    attempt = confirming().seen(SeenIntent("pi_1", "requires_payment_method", "authentication_required"), NOW)
    assert (attempt.status, attempt.next_step(NOW + 48 * HOUR)) == ("action_required", Wait(None))
    assert attempt.retried(NOW).status == "confirming"


def test_a_customer_has_a_day_to_authenticate():
    attempt = confirming().seen(SeenIntent("pi_1", "requires_action"), NOW)
    again = attempt.seen(SeenIntent("pi_1", "requires_action"), NOW + 23 * HOUR)
    assert again.next_step(NOW + 23 * HOUR) == Wait(NOW + 24 * HOUR)
    step = again.next_step(NOW + 24 * HOUR)
    assert isinstance(step, Commit)
    assert step.attempt.is_cancelled
    assert again.retried(NOW) == again


def test_cancelling_is_a_request_and_not_an_end():
    attempt = confirming().seen(DECLINED, NOW).cancelled()
    assert attempt.is_open
    step = attempt.next_step(NOW)
    assert isinstance(step, Commit)
    attempt = step.attempt
    assert attempt.next_step(NOW) == Cancel("pi_1", "att_1:abort:1")
    burnt = attempt.doubted("att_1:abort:1", "burnt", NOW)
    assert burnt.next_step(NOW) == Read("pi_1")
    assert burnt.checked(DECLINED, NOW).next_step(NOW) == Cancel("pi_1", "att_1:abort:2")
    assert burnt.checked(SeenIntent("pi_1", "canceled"), NOW).status == "closed"
    assert burnt.checked(SeenIntent("pi_1", "succeeded"), NOW).status == "succeeded"


def test_a_debit_under_way_is_waited_for():
    attempt = confirming().seen(SeenIntent("pi_1", "processing"), NOW)
    assert (attempt.status, attempt.next_step(NOW), attempt.cancelled().next_step(NOW)) == (
        *("processing", Wait(None)),
        Wait(None),
    )
    returned = attempt.cancelled().seen(DECLINED, NOW + 120 * HOUR)
    assert isinstance(returned.next_step(NOW + 120 * HOUR), Commit)


def test_a_charge_that_is_refused_shows_why():
    refused = confirming().charge_refused("att_1:confirm:1", "payment_method_unusable", NOW)
    assert refused.next_step(NOW) == Read("pi_1")
    after = refused.checked(UNPAID, NOW)
    assert (after.status, after.error_code) == ("declined", "payment_method_unusable")
    assert refused.checked(SeenIntent("pi_1", "succeeded"), NOW).status == "succeeded"


def test_an_intent_that_is_not_ours_changes_nothing():
    attempt = confirming()
    stranger = SeenIntent("pi_2", "succeeded")
    assert attempt.seen(stranger, NOW) == attempt
    assert attempt.checked(stranger, NOW) == attempt
    assert attempt.created(stranger, NOW) == attempt


def test_a_refused_creation_closes():
    refused = new().refused("amount_too_small")
    assert (refused.status, refused.error_code, refused.next_step(NOW)) == ("closed", "amount_too_small", Wait(None))


def test_is_stored_as_it_is():
    attempt = confirming().seen(DECLINED, NOW).retried(NOW).doubted("att_1:confirm:2", "halted", NOW)
    assert PaymentAttempt.read(attempt.document()) == attempt
