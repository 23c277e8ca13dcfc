"""What becomes of credits when their grant ends: breakage, rollover, and what a clawback took elsewhere."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.domain.credits.accounts import balance
from shared.domain.credits.commands import Clawback, GiveGrant, Refund, Release, Reserve, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.deciding import decide
from shared.domain.credits.grants import Rollover, Terms
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
DAY = timedelta(days=1)
CALENDARS = History[Calendar].starting(Calendar(timezone="UTC"))
CONTEXT = Context(PAYER, agent_id="agt_1")


class Scene:
    def __init__(self) -> None:
        self.ledger = CreditLedger()
        self.now = NOW

    def done(self, command: Any, key: str, **fields: Any) -> Transfer:
        (transfer,) = self.ledger.run([command(organization_id=PAYER, key=key, **fields)], self.now)
        assert transfer is not None
        return transfer

    def give(self, key: str, amount: str, **terms: Any) -> str:
        terms = {"source": "subscription", **terms}
        return str(self.done(GiveGrant, key, amount=Decimal(amount), terms=Terms(**terms)).corrects)

    def use(self, key: str, amount: str, overdraft: str = "0") -> Transfer:
        entries = (UseEntry(Decimal(amount), CONTEXT),)
        return self.done(Use, key, entries=entries, calendars=CALENDARS, overdraft=Decimal(overdraft))

    def reserve(self, key: str, amount: str) -> str:
        lasting = {"expires_in": timedelta(hours=20), "calendars": CALENDARS}
        return str(self.done(Reserve, key, amount=Decimal(amount), context=CONTEXT, **lasting).answer["hold_id"])

    def claw_back(self, key: str, grant: str, total: int, version: int) -> Transfer:
        return self.done(Clawback, key, grant_id=grant, total=Decimal(total), version=version, reason="charged back")

    def balances(self, *accounts: str) -> tuple[Decimal, ...]:
        assert self.ledger.problems() == []
        return tuple(balance(self.ledger.head.accounts["default"], account) for account in accounts)

    def left(self) -> dict[str, Decimal]:
        return {grant.id: grant.free for grant in self.ledger.grants() if grant.free}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_what_is_free_rolls_over_once_up_to_a_maximum_and_for_a_time(scene: Scene) -> None:
    grant = scene.give("plan", "100", expires_at=NOW + DAY, rollover=Rollover(Decimal(30), 10 * DAY))
    scene.give("last", "5")
    scene.use("use", "40")
    scene.now = NOW + DAY
    scene.use("after", "1")
    assert scene.left()[grant] == 29
    assert scene.balances("expired", "free") == (30, 34)
    scene.now = NOW + 11 * DAY
    assert scene.use("too much", "10").refusal is not None
    assert scene.balances("expired", "free") == (59, 5)
    types = [transfer.type for transfer in scene.ledger.transfers()]
    assert types == ["grant", "grant", "use", "grant_expiry", "rollover", "use", "grant_expiry", "use"]


def test_what_is_less_than_the_maximum_rolls_over_as_a_whole_even_after_a_long_silence(scene: Scene) -> None:
    scene.give("plan", "10", expires_at=NOW + DAY, rollover=Rollover(Decimal(30), DAY))
    scene.now = NOW + DAY
    assert scene.use("use", "4").refusal is None
    assert scene.balances("expired", "free") == (0, 6)
    scene.now = NOW + 40 * DAY
    scene.give("next", "1")
    assert scene.balances("expired", "free") == (6, 1)


def test_a_refund_to_what_rolled_over_keeps_the_lifetime_that_was_left(scene: Scene) -> None:
    scene.give("plan", "10", expires_at=NOW + DAY, rollover=Rollover(Decimal(30), DAY))
    used = scene.use("use", "4")
    scene.now = NOW + 1.5 * DAY
    scene.done(Refund, "refund", transaction_id_refunded=used.id, reason="a test", calendars=CALENDARS)
    ends = {grant.terms.expires_at: grant.free for grant in scene.ledger.grants()}
    assert ends == {NOW + 2 * DAY: Decimal(6), NOW + 2.5 * DAY: Decimal(4)}
    assert all(grant.terms.rollover is None for grant in scene.ledger.grants())


def test_what_lapses_later_makes_good_what_its_clawback_took_elsewhere(scene: Scene) -> None:
    bought = scene.give("bought", "10", source="purchase", priority=1, expires_at=NOW + DAY / 2)
    hold = scene.reserve("reserve", "6")
    other = scene.give("other", "20")
    scene.claw_back("charged back", bought, 10, 1)
    assert scene.left() == {other: Decimal(14)}
    scene.now = NOW + DAY * 0.6
    scene.done(Release, "release", hold_id=hold, calendars=CALENDARS)
    assert scene.left() == {other: Decimal(20)}
    assert scene.balances("expired", "clawed_back", "reserved", "free") == (0, 10, 0, 20)
    assert scene.ledger.head.owing == ()
    scene.claw_back("won", bought, 0, 2)
    assert scene.left()[other] == 20
    assert scene.balances("clawed_back", "expired") == (0, 6)


def test_it_makes_debt_good_and_only_what_is_left_is_breakage(scene: Scene) -> None:
    bought = scene.give("bought", "10", source="purchase", expires_at=NOW + DAY / 2)
    hold = scene.reserve("reserve", "8")
    scene.use("use", "2")
    scene.claw_back("part", bought, 5, 1)
    assert scene.balances("debt", "free") == (-5, 0)
    scene.now = NOW + DAY * 0.6
    scene.done(Release, "release", hold_id=hold, calendars=CALENDARS)
    assert scene.balances("debt", "expired", "free", "clawed_back") == (0, 3, 0, 5)


@pytest.fixture
def crowded(scene: Scene) -> Scene:
    """With as many open grants as there may be."""
    wallet = scene.ledger.load()
    for number in range(4000):
        decide(wallet, GiveGrant(organization_id=PAYER, key=f"{number}", amount=Decimal(1), terms=Terms("bonus")), NOW)
    wallet.finish()
    scene.ledger.store(wallet)
    return scene


def test_what_is_given_beyond_them_is_refused_and_what_comes_back_joins_its_like(crowded: Scene) -> None:
    used = crowded.use("use", "2")
    crowded.give("more", "1")
    crowded.give("and more", "1")
    refused = crowded.done(GiveGrant, "too many", amount=Decimal(1), terms=Terms("bonus"))
    assert refused.refusal is not None
    assert refused.refusal.code == "conflict"
    crowded.done(Refund, "refund", transaction_id_refunded=used.id, reason="a test", calendars=CALENDARS)
    bought = GiveGrant(
        organization_id=PAYER, key="payment", by_system=True, amount=Decimal(7), terms=Terms("subscription")
    )
    (transfer,) = crowded.ledger.run([bought], NOW)
    assert transfer is not None
    assert transfer.refusal is None
    before = len(crowded.ledger.grants())
    again = GiveGrant(
        organization_id=PAYER, key="next payment", by_system=True, amount=Decimal(5), terms=Terms("subscription")
    )
    crowded.ledger.run([again], NOW)
    assert len(crowded.ledger.grants()) == before
    assert crowded.balances("free") == (4014,)
    assert max(grant.free for grant in crowded.ledger.grants()) == 13


def test_a_clawback_takes_what_rolled_over_of_its_own_grant_before_others(scene: Scene) -> None:
    terms = {"source": "purchase", "expires_at": NOW + DAY, "rollover": Rollover(Decimal(30), 10 * DAY)}
    bought = scene.give("bought", "100", **terms)
    other = scene.give("other", "50", priority=1)
    scene.now = NOW + DAY
    scene.claw_back("charged back", bought, 90, 1)
    assert scene.left() == {other: Decimal(50), bought: Decimal(10)}
    assert scene.balances("expired", "clawed_back", "free") == (0, 90, 60)
    scene.claw_back("in part", bought, 60, 2)
    assert scene.left() == {other: Decimal(50), bought: Decimal(30)}
    assert scene.balances("expired", "clawed_back", "free") == (10, 60, 80)
    scene.now = NOW + 11 * DAY
    scene.claw_back("again", bought, 100, 3)
    assert scene.left() == {other: Decimal(50)}
    assert scene.balances("expired", "clawed_back", "free") == (0, 100, 50)
