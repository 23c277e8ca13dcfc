"""Whatever is altered in the stored ledger, verification names it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.credits.commands import GiveGrant, Refund, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.grant_pages import GrantPage
from shared.domain.credits.grants import Terms
from shared.domain.credits.head import Cut
from shared.domain.credits.transfers import Refusal, Transfer, UseEntry
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from tests.doubles.worlds.credit_ledger import PAYER, CreditLedger

NOW = datetime(2026, 11, 30, 10, tzinfo=UTC)
CALENDARS = History[Calendar].starting(Calendar(timezone="UTC"))
ALTERED: dict[str, Any] = {
    "id": "txn_other",
    "organization_id": "org_other",
    "type": "grant",
    "sequence": 77,
    "previous_hash": "f" * 64,
    "hash": "e" * 64,
    "time": NOW + timedelta(hours=5),
    "credit_kind": "other",
    "amount": Decimal(77),
    "lines": (),
    "available_after": {"default": Decimal(77)},
    "parts": (),
    "burnt_at": NOW,
    "admitted_at": NOW,
    "credit_value": Decimal(77),
    "entries": (),
    "corrects": "hold_other",
    "reason": "other",
    "principal": "usr_other",
    "request_hash": "other",
    "answer": {"available": "77"},
    "refusal": Refusal("conflict", "other"),
}


@pytest.fixture
def ledger() -> CreditLedger:
    ledger = CreditLedger()
    ledger.run([GiveGrant(organization_id=PAYER, key="grant", amount=Decimal(50), terms=Terms("bonus"))], NOW)
    entry = UseEntry(Decimal(3), Context(PAYER, agent_id="agt_1"), metadata='{"n": 1}')
    for number in range(4):
        use = Use(organization_id=PAYER, key=f"use {number}", entries=(entry,), calendars=CALENDARS, principal="usr_1")
        (used,) = ledger.run([use], NOW + timedelta(days=number))
        assert used is not None
    refund = Refund(
        organization_id=PAYER, key="refund", transaction_id_refunded=used.id, reason="a test", calendars=CALENDARS
    )
    ledger.run([refund], NOW + timedelta(days=4))
    assert ledger.problems() == []
    return ledger


def put(ledger: CreditLedger, id_: str, thing: msgspec.Struct) -> None:
    ledger.items[id_] = (type(thing), msgspec.json.encode(thing))


def named(ledger: CreditLedger) -> set[str | None]:
    return {problem.transaction_id for problem in ledger.problems()}


@pytest.mark.parametrize("field", msgspec.structs.fields(Transfer), ids=lambda field: field.name)
def test_each_stored_field_of_a_transfer(ledger: CreditLedger, field: msgspec.structs.FieldInfo) -> None:
    transfer = ledger.transfers()[2]
    altered = msgspec.structs.replace(transfer, **{field.name: ALTERED[field.name]})
    assert altered != transfer
    put(ledger, transfer.id, altered)
    assert altered.id in named(ledger)


def test_a_transfer_that_is_gone(ledger: CreditLedger) -> None:
    transfer = ledger.transfers()[2]
    del ledger.items[transfer.id]
    assert (transfer.sequence, "missing") in {(problem.sequence, problem.kind) for problem in ledger.problems()}


def test_the_last_one_that_is_gone(ledger: CreditLedger) -> None:
    transfer = ledger.transfers()[-1]
    del ledger.items[transfer.id]
    assert (transfer.sequence, "missing") in {(problem.sequence, problem.kind) for problem in ledger.problems()}


def test_two_that_are_swapped(ledger: CreditLedger) -> None:
    first, second = ledger.transfers()[1:3]
    put(ledger, first.id, msgspec.structs.replace(first, sequence=second.sequence, time=second.time))
    put(ledger, second.id, msgspec.structs.replace(second, sequence=first.sequence, time=first.time))
    assert {first.id, second.id} <= named(ledger)


def test_one_that_is_altered_with_its_hash(ledger: CreditLedger) -> None:
    transfer = ledger.transfers()[2]
    altered = msgspec.structs.replace(transfer, reason="other", hash="")
    put(ledger, transfer.id, msgspec.structs.replace(altered, hash=altered.computed_hash()))
    following = ledger.transfers()[3]
    assert ("chain_broken", following.id) in {(each.kind, each.transaction_id) for each in ledger.problems()}


def test_a_grant_page(ledger: CreditLedger) -> None:
    (page,) = ledger.all(GrantPage)
    more = msgspec.structs.replace(page.grants[0], free=page.grants[0].free + 1)
    put(ledger, page.id, msgspec.structs.replace(page, grants=(more,)))
    assert {problem.kind for problem in ledger.problems()} == {"grant_page"}


def test_the_balances_of_the_head(ledger: CreditLedger) -> None:
    head = ledger.head
    more = {**head.accounts["default"], "free": Decimal(1000), "debt": Decimal(-1000)}
    put(ledger, "head", msgspec.structs.replace(head, accounts={"default": more}))
    assert "head_differs" in {problem.kind for problem in ledger.problems()}


@pytest.mark.parametrize("altered", [{"hash": "e" * 64}, {"accounts": {}}], ids=["hash", "balances"])
def test_a_cut(altered: dict[str, Any], ledger: CreditLedger) -> None:
    (cut,) = ledger.all(Cut)
    put(ledger, cut.id, msgspec.structs.replace(cut, **altered))
    assert [(problem.kind, problem.sequence) for problem in ledger.problems()] == [("cut_differs", cut.sequence)]


def test_what_comes_after_the_last_cut_alone(ledger: CreditLedger) -> None:
    (cut,) = ledger.all(Cut)
    assert ledger.problems(cut) == []
    transfer = ledger.transfers()[-2]
    put(ledger, transfer.id, msgspec.structs.replace(transfer, reason="other"))
    assert transfer.id in {problem.transaction_id for problem in ledger.problems(cut)}
    before = ledger.transfers()[0]
    put(ledger, before.id, msgspec.structs.replace(before, reason="other"))
    assert before.id not in {problem.transaction_id for problem in ledger.problems(cut)}
