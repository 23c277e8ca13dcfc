"""Draws: totals per period that replace earlier ones, into debt and back."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.credits.accounts import moved
from shared.domain.credits.commands import Clawback, Draw, GiveGrant, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.drawn_periods import DrawnPeriod
from shared.domain.credits.grants import DEFAULT_KIND, CostBasis, Grant, Rollover, Terms
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.periods.periods import Calendar
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
CALENDARS = History[Calendar].starting(Calendar(timezone="UTC"))


class Wallet(CreditLedger):
    now = NOW

    def do(self, command: Any) -> Transfer:
        self.now += timedelta(seconds=1)
        (transfer,) = self.run([command], self.now)
        assert transfer is not None
        return transfer

    def give(self, key: str, amount: str, **terms: Any) -> None:
        terms = {"source": "purchase", **terms}
        self.do(GiveGrant(organization_id=PAYER, key=key, amount=Decimal(amount), terms=Terms(**terms)))

    def draw(self, version: int, *, period: str = "2026-11", value: str = "0.01", **fields: Any) -> Transfer:
        amounts = {name: Decimal(amount) for name, amount in fields.pop("lines", {}).items()}
        return self.do(
            Draw(
                organization_id=PAYER,
                key=f"draw:{period}:{version}",
                by_system=True,
                period=period,
                version=version,
                amounts=amounts,
                credit_value=Decimal(value),
                **fields,
            )
        )

    @property
    def available(self) -> Decimal:
        return self.load().available("default")

    @property
    def drawn(self) -> DrawnPeriod:
        (drawn,) = self.all(DrawnPeriod)
        return drawn


@pytest.fixture
def wallet() -> Wallet:
    return Wallet()


def test_a_draw_brings_the_wallet_to_its_total(wallet: Wallet) -> None:
    wallet.give("grant", "1000")
    assert wallet.draw(1, lines={"a": "1.00", "b": "0.50"}).amount == 150
    assert wallet.draw(2, lines={"a": "2.00", "b": "0.50"}).amount == 100
    assert wallet.available == 750
    assert (wallet.drawn.drawn, wallet.drawn.amounts) == (250, {"a": Decimal("2.00"), "b": Decimal("0.50")})
    assert wallet.problems() == []


def test_repeated_and_late_draws_move_nothing(wallet: Wallet) -> None:
    wallet.give("grant", "1000")
    wallet.draw(2, lines={"a": "2.00"})
    wallet.draw(2, lines={"a": "2.00"})
    assert wallet.draw(1, lines={"a": "9.00"}).amount == 0
    assert wallet.available == 800


def test_lines_are_added_up_before_they_become_credits(wallet: Wallet) -> None:
    wallet.draw(1, value="0.03", lines={"a": "0.01", "b": "0.01"})
    assert wallet.drawn.drawn == Decimal("0.666667")


def test_what_is_short_becomes_debt_that_blocks_uses(wallet: Wallet) -> None:
    wallet.give("grant", "10")
    wallet.draw(1, lines={"a": "0.25"})
    assert wallet.available == -15
    use = Use(organization_id=PAYER, key="u", entries=(UseEntry(Decimal(1), Context(PAYER)),), calendars=CALENDARS)
    refused = wallet.do(use)
    assert refused.refusal is not None
    assert refused.refusal.code == "insufficient_credits"
    wallet.give("more", "20")
    assert wallet.available == 5


def test_a_fall_returns_what_was_burnt_last_on_its_terms(wallet: Wallet) -> None:
    soon = wallet.now + timedelta(days=2)
    wallet.give("first", "50", expires_at=soon)
    wallet.draw(1, lines={"a": "0.50"})
    wallet.give("last", "100")
    wallet.draw(2, lines={"a": "0.80"})
    assert wallet.draw(3, lines={"a": "0.40"}).amount == -40
    assert {grant.id: grant.free for grant in wallet.grants()} == {
        wallet.grants()[0].id: Decimal(10),
        wallet.grants()[1].id: Decimal(100),
    }
    assert wallet.problems() == []


def test_a_fall_after_its_grant_expired_gives_a_new_one(wallet: Wallet) -> None:
    wallet.give("first", "50", expires_at=wallet.now + timedelta(days=2))
    wallet.draw(1, lines={"a": "0.50"})
    wallet.now += timedelta(days=3)
    wallet.draw(2, lines={"a": "0.20"})
    (grant,) = wallet.grants()
    assert (grant.free, grant.terms.source) == (30, "purchase")
    assert grant.terms.expires_at is not None
    assert grant.terms.expires_at > wallet.now + timedelta(days=1)


def test_a_fall_out_of_debt_lowers_the_debt(wallet: Wallet) -> None:
    wallet.draw(1, lines={"a": "0.50"})
    wallet.draw(2, lines={"a": "0.20"})
    assert (wallet.available, wallet.grants()) == (-20, [])


def test_after_the_close_only_the_period_moves_it(wallet: Wallet) -> None:
    wallet.give("grant", "1000")
    wallet.draw(1, lines={"a": "2.00"}, closes=True)
    assert wallet.draw(2, lines={"a": "5.00"}).amount == 0
    assert wallet.draw(3, lines={"a": "1.00"}, is_after_close=True).amount == -100
    assert (wallet.available, wallet.drawn.version) == (900, 3)


def test_a_clawback_of_drawn_credits_is_debt(wallet: Wallet) -> None:
    wallet.give("grant", "100")
    (grant,) = wallet.grants()
    wallet.draw(1, lines={"a": "1.00"})
    claw = Clawback(organization_id=PAYER, key="c", grant_id=grant.id, total=Decimal(100), version=1, reason="refunded")
    wallet.do(claw)
    wallet.draw(2, lines={"a": "0.40"})
    assert wallet.available == -40
    assert wallet.problems() == []


def test_many_periods_and_parts_stay_bounded(wallet: Wallet) -> None:
    for number in range(30):
        wallet.give(f"grant {number}", "10")
        wallet.draw(number + 1, lines={"a": str(Decimal(number + 1) / 10)})
    assert len(wallet.drawn.burnt) == 30
    wallet.draw(31, lines={})
    assert wallet.available == 300
    assert wallet.problems() == []


def test_what_a_grant_bore_before_it_rolled_over_comes_back_on_the_terms_of_then(wallet: Wallet) -> None:
    """Only what was burnt after that comes back for the longer time."""
    ends = wallet.now + timedelta(days=2)
    wallet.give("grant", "50", expires_at=ends, rollover=Rollover(Decimal(10), timedelta(days=30)))
    wallet.draw(1, lines={"a": "0.30"})
    wallet.now = ends
    wallet.draw(2, lines={"a": "0.40"})
    wallet.draw(3, lines={})
    lifetimes = {grant.terms.expires_at - wallet.now > timedelta(days=20): grant.free for grant in wallet.grants()}
    assert lifetimes == {True: 10, False: 30}
    assert wallet.problems() == []


def give_many(wallet: Wallet, number: int, amount: Decimal) -> None:
    """As many grants with long terms, in one transfer."""
    crowded = wallet.load()
    terms = Terms("purchase", cost_basis=CostBasis(Decimal("0.123456789"), "USD", Decimal(1)))
    for index in range(number):
        crowded.grants(DEFAULT_KIND).put(Grant(named_id("grant", index), terms, NOW, amount, amount))
    lines = moved(DEFAULT_KIND, ("granted.purchase", -number * amount), ("free", number * amount))
    crowded.record(Transfer(id="txn_many", organization_id=PAYER, type="grant", time=NOW, lines=lines))
    crowded.finish()
    wallet.store(crowded)


def test_a_draw_over_thousands_of_grants_goes_part_of_the_way_and_closes_with_the_rest(wallet: Wallet) -> None:
    give_many(wallet, 4_000, Decimal("0.5"))
    version = 0
    while not version or not wallet.drawn.is_closed:
        version += 1
        drawn = wallet.draw(version, lines={"a": "19.99"}, closes=True)
        assert len(msgspec.json.encode(drawn)) < 600_000
        assert wallet.drawn.is_closed == (wallet.drawn.drawn == 1999)
    assert (version, wallet.available, wallet.drawn.amounts) == (4, 1, {"a": Decimal("19.99")})
    assert wallet.problems() == []


def test_what_was_drawn_in_part_returns_where_nothing_is_due_any_more(wallet: Wallet) -> None:
    give_many(wallet, 1_200, Decimal(1))
    assert 1000 <= wallet.draw(1, lines={"a": "11.50"}).amount < 1150
    assert (wallet.drawn.amounts, wallet.drawn.is_drawn({})) == ({}, False)
    wallet.draw(2, lines={})
    assert (wallet.available, wallet.drawn.is_drawn({})) == (1200, True)
