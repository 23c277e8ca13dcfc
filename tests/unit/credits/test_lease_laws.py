"""The laws of caps and leases over random histories, and naive ledgers and clients that break them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.domain.credits import leasing
from shared.domain.credits.commands import AnyCommand, Capture, SettleLease
from shared.domain.credits.deciding import decide
from shared.domain.credits.leases import Lease
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from tests.doubles.worlds.credit_ledger import CreditLedger
from tests.doubles.worlds.lease_laws import tried


def test_the_laws_hold() -> None:
    tried(CreditLedger, examples=8)


@dataclass
class SettlesByDifference(CreditLedger):
    """Takes what a report says for what was spent since the last one."""

    def decide(self, wallet: Wallet, command: AnyCommand, now: datetime) -> Transfer:
        if isinstance(command, SettleLease) and (lease := wallet.leases.get(command.lease_id)) is not None:
            command = replace(command, total=lease.reported + command.total)
        return decide(wallet, command, now)


@dataclass
class CapturesInItsOwnWindow(CreditLedger):
    """Counts a capture in the windows of the instant at which it comes."""

    def decide(self, wallet: Wallet, command: AnyCommand, now: datetime) -> Transfer:
        if isinstance(command, Capture) and (hold := wallet.holds.get(command.hold_id)) is not None:
            wallet.holds[hold.id] = msgspec.structs.replace(hold, admitted_at=now)
        return decide(wallet, command, now)


@dataclass
class ReadsCapsOfBefore(CreditLedger):
    """Keeps counters, as a host does that does not see that the head has changed."""

    kept: Wallet | None = None

    def run(self, commands: Sequence[AnyCommand], now: datetime) -> list[Transfer | None]:
        self.kept = self.load() if self.kept is None or len(self.items) % 5 == 0 else self.kept
        return super().run(commands, now)

    def decide(self, wallet: Wallet, command: AnyCommand, now: datetime) -> Transfer:
        assert self.kept is not None
        seen = wallet.copy()
        seen.counters = dict(self.kept.counters)
        refusal = decide(seen, command, now).refusal
        wallet.budgets = () if refusal is None else self.budgets
        try:
            return decide(wallet, command, now)
        finally:
            wallet.budgets = self.budgets


def returns_to_caps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not reported of an expired lease may be spent again."""
    expired = Lease.expired
    free = lambda lease: msgspec.structs.replace(expired(lease), unreported=Decimal(0))  # noqa: E731
    monkeypatch.setattr(Lease, "expired", free)


def spans_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease lasts as long as it is asked for, whichever window ends meanwhile."""
    monkeypatch.setattr(leasing, "_first_end", lambda *_: None)


@pytest.mark.parametrize(
    ("naive", "broken"),
    [(SettlesByDifference, "law 4"), (CapturesInItsOwnWindow, "law 11"), (ReadsCapsOfBefore, "law (5|6|15)")],
)
def test_a_naive_ledger_breaks_them(naive: type[CreditLedger], broken: str) -> None:
    with pytest.raises(AssertionError, match=broken):
        tried(naive, examples=600, is_naive=True)


@pytest.mark.parametrize(("change", "broken"), [(returns_to_caps, "law (6|11)"), (spans_windows, "law 6")])
def test_a_naive_rule_breaks_them(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], Any], broken: str
) -> None:
    change(monkeypatch)
    with pytest.raises(AssertionError, match=broken):
        tried(CreditLedger, examples=600, is_naive=True)


def test_a_client_that_counts_from_the_repeated_answer_breaks_them() -> None:
    with pytest.raises(AssertionError, match="law 6"):
        tried(CreditLedger, examples=600, is_naive=True, deadline_from_repeat=True, lost_answers=0.6)
