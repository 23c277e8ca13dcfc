"""What burns first, what lapses, and where returned credits go."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.credits.accounts import balance, granted
from shared.domain.credits.commands import (
    Capture,
    Clawback,
    ExpireHold,
    GiveGrant,
    Refund,
    Release,
    Reserve,
    Use,
)
from shared.domain.credits.counters import Context
from shared.domain.credits.deciding import decide
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
CALENDARS = History[Calendar].starting(Calendar(timezone="Europe/Berlin"))
CONTEXT = Context(PAYER, agent_id="agt_1")
HOUR = timedelta(hours=1)


class Scene:
    """A ledger whose commands name their key once."""

    def __init__(self) -> None:
        self.ledger = CreditLedger()
        self.now = NOW

    def done(self, make: Any, key: str, **fields: Any) -> Transfer:
        (transfer,) = self.ledger.run([make(organization_id=PAYER, key=key, **fields)], self.now)
        assert transfer is not None
        return transfer

    def give(self, key: str, amount: str, **terms: Any) -> str:
        transfer = self.done(GiveGrant, key, amount=Decimal(amount), terms=Terms(**{"source": "bonus"} | terms))
        return str(transfer.corrects)

    def give_many(self, number: int, amount: str) -> None:
        """As by many batches, one after the other."""
        wallet = self.ledger.load()
        for index in range(number):
            terms = Terms("bonus", priority=index % 3)
            grant = GiveGrant(organization_id=PAYER, key=f"{index}", amount=Decimal(amount), terms=terms)
            decide(wallet, grant, NOW)
        wallet.finish()
        self.ledger.store(wallet)

    def use(self, key: str, amount: str, overdraft: str = "0") -> Transfer:
        entries = (UseEntry(Decimal(amount), CONTEXT),)
        return self.done(Use, key, entries=entries, calendars=CALENDARS, overdraft=Decimal(overdraft))

    def reserve(self, key: str, amount: str) -> str:
        transfer = self.done(
            Reserve, key, amount=Decimal(amount), context=CONTEXT, expires_in=HOUR, calendars=CALENDARS
        )
        return str(transfer.answer["hold_id"])

    def balance(self, account: str) -> Decimal:
        return balance(self.ledger.head.accounts["default"], account)

    def left(self) -> dict[str, Decimal]:
        return {grant.id: grant.free for grant in self.ledger.grants()}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def burnt(transfer: Transfer) -> list[tuple[str, Decimal]]:
    return [(part.grant_id, part.amount) for part in transfer.parts]


def test_grants_burn_by_priority_then_expiry_then_promotion_then_age(scene: Scene) -> None:
    old = scene.give("old", "10")
    late = scene.give("late", "10", expires_at=NOW + 48 * HOUR)
    urgent = scene.give("urgent", "10", priority=10)
    soon = scene.give("soon", "10", expires_at=NOW + 2 * HOUR)
    promotional = scene.give("promotional", "10", promotional=True)
    scene.give("images", "10")
    order = [urgent, soon, late, promotional, old]
    assert burnt(scene.use("use", "45.5")) == [*((grant, Decimal(10)) for grant in order[:4]), (old, Decimal("5.5"))]


def test_a_grant_is_gone_at_its_instant(scene: Scene) -> None:
    scene.give("ends", "10", expires_at=NOW + HOUR)
    scene.now = NOW + HOUR - timedelta(microseconds=10)
    assert scene.use("before", "4").refusal is None
    scene.now = NOW + HOUR
    refusal = scene.use("after", "1").refusal
    assert refusal is not None
    assert refusal.members == {"available": "0"}
    assert scene.balance("expired") == Decimal(6)


def test_pinned_credits_outlive_their_grant_until_they_are_released(scene: Scene) -> None:
    scene.give("ends", "10", expires_at=NOW + HOUR / 2)
    first, second = scene.reserve("first", "3"), scene.reserve("second", "4")
    scene.now = NOW + HOUR * 0.75
    captured = scene.done(Capture, "capture", hold_id=first, amount=Decimal(2), calendars=CALENDARS)
    assert captured.answer["available"] == "0"
    assert scene.balance("expired") == Decimal(4)
    scene.done(Release, "release", hold_id=second, calendars=CALENDARS)
    assert (scene.balance("consumed"), scene.balance("expired"), scene.balance("reserved")) == (2, 8, 0)


@pytest.mark.parametrize("number", [120, 1000, 4000])
def test_many_small_grants_burn_in_one_batch(scene: Scene, number: int) -> None:
    scene.give_many(number, "0.5")
    scene.ledger.crashes = True
    use = Use(organization_id=PAYER, key="use", entries=(UseEntry(Decimal(number) / 2, CONTEXT),), calendars=CALENDARS)
    assert scene.ledger.run([use], NOW) == [None]
    assert sum(scene.left().values()) == Decimal(number) / 2
    transfer = scene.use("use", str(Decimal(number) / 2))
    assert len(transfer.parts) == number
    assert scene.ledger.operations <= 100
    assert scene.ledger.grants() == []
    assert scene.ledger.problems() == []


def test_more_open_grants_than_a_batch_can_burn_are_refused(scene: Scene) -> None:
    scene.give_many(4000, "1")
    refused = scene.done(GiveGrant, "one more", amount=Decimal(1), terms=Terms("bonus"))
    assert refused.refusal is not None
    assert refused.refusal.code == "conflict"


def test_returned_credits_refill_the_grant_burnt_last(scene: Scene) -> None:
    first, second = scene.give("first", "10", priority=1), scene.give("second", "10")
    used = scene.use("use", "14")
    scene.done(Refund, "refund", transaction_id_refunded=used.id, amount=Decimal(5), reason="r", calendars=CALENDARS)
    assert scene.left() == {first: Decimal(1), second: Decimal(10)}


def test_for_a_grant_that_has_ended_a_new_one_has_the_lifetime_that_was_left(scene: Scene) -> None:
    scene.give("ends", "10", expires_at=NOW + 10 * HOUR, promotional=True, priority=7)
    scene.now = NOW + 4 * HOUR
    used = scene.use("use", "10")
    scene.now = NOW + 24 * HOUR
    refund = scene.done(Refund, "refund", transaction_id_refunded=used.id, reason="r", calendars=CALENDARS)
    (grant,) = scene.ledger.grants()
    assert (grant.free, grant.terms.priority, grant.terms.promotional) == (Decimal(10), 7, True)
    assert grant.terms.expires_at is not None
    assert grant.terms.expires_at - refund.time == NOW + 10 * HOUR - used.time


def test_what_was_spent_as_debt_comes_back_on_the_terms_of_what_paid_it(scene: Scene) -> None:
    used = scene.use("use", "4", overdraft="5")
    payer = scene.give("payer", "10", priority=3)
    assert scene.left() == {payer: Decimal(6)}
    scene.done(Refund, "refund", transaction_id_refunded=used.id, reason="r", calendars=CALENDARS)
    assert scene.left() == {payer: Decimal(10)}
    assert scene.balance("debt") == 0


def test_a_refund_lowers_debt_first(scene: Scene) -> None:
    scene.give("grant", "5")
    used = scene.use("use", "5")
    scene.use("more", "3", overdraft="3")
    refund = scene.done(Refund, "refund", transaction_id_refunded=used.id, reason="r", calendars=CALENDARS)
    assert refund.answer["available"] == "2"
    assert (scene.balance("debt"), scene.balance("free")) == (0, 2)


def test_a_clawback_takes_its_own_grant_then_others_then_debt(scene: Scene) -> None:
    other = scene.give("other", "3")
    bought = scene.give("bought", "10", source="purchase", priority=1)
    scene.use("use", "6")
    hold = scene.reserve("reserve", "1")
    claw_back = {"grant_id": bought, "reason": "charged back"}
    scene.done(Clawback, "first", total=Decimal(10), version=2, **claw_back)
    assert (scene.balance("clawed_back"), scene.balance("debt"), scene.balance("reserved")) == (10, -4, 1)
    scene.done(Clawback, "late", total=Decimal(5), version=1, **claw_back)
    assert scene.balance("clawed_back") == 10
    scene.done(Clawback, "won", total=Decimal(0), version=3, **claw_back)
    assert (scene.balance("clawed_back"), scene.balance("debt")) == (0, 0)
    assert scene.left() == {bought: Decimal(3), other: Decimal(3)}
    scene.done(Release, "release", hold_id=hold, calendars=CALENDARS)
    assert scene.left() == {bought: Decimal(4), other: Decimal(3)}


def test_a_clawback_takes_first_what_lapsed_of_its_own_grant(scene: Scene) -> None:
    bought = scene.give("bought", "10", source="purchase", expires_at=NOW + HOUR)
    other = scene.give("other", "3")
    scene.now = NOW + 2 * HOUR
    scene.done(Clawback, "clawback", grant_id=bought, total=Decimal(8), version=1, reason="charged back")
    assert (scene.balance("expired"), scene.balance("clawed_back"), scene.left()[other]) == (2, 8, 3)
    scene.done(Clawback, "won", grant_id=bought, total=Decimal(0), version=2, reason="won")
    assert (scene.balance("expired"), scene.balance("clawed_back"), scene.left()[other]) == (10, 0, 3)


def test_a_hold_expires_once_and_only_when_it_is_due(scene: Scene) -> None:
    scene.give("grant", "10")
    hold = scene.reserve("reserve", "4")
    expiry = ExpireHold(organization_id=PAYER, key="expiry", by_system=True, hold_id=hold, calendars=CALENDARS)
    assert scene.ledger.run([expiry], NOW) == [None]
    scene.now = NOW + HOUR + timedelta(seconds=1)
    (transfer,) = scene.ledger.run([expiry], scene.now)
    assert transfer is not None
    assert scene.balance("free") == 10
    again = ExpireHold(organization_id=PAYER, key="another", by_system=True, hold_id=hold, calendars=CALENDARS)
    assert scene.ledger.run([again], scene.now) == [None]


def test_the_clock_of_another_host_does_not_turn_time_back(scene: Scene) -> None:
    scene.give("grant", "10")
    scene.now = NOW - timedelta(seconds=20)
    assert scene.use("use", "1").time > NOW
    assert granted(scene.ledger.head.accounts["default"]) == 10
