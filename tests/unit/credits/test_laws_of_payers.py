"""The laws of wallets, caps and keys while payers change, and naive handovers that break them."""

import logging
import os
from collections.abc import Callable
from typing import Any

import pytest

from shared.domain.credits.counters import Counter
from shared.services.credits.counter_shares import CounterShares
from shared.services.credits.paying import Paying
from tests.doubles.worlds.payer_laws import tried


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "shared")  # to format hundreds of warnings takes most of the time


def test_the_laws_hold() -> None:
    """`XYRA_CREDIT_HISTORIES` says how many histories, where it is set."""
    tried(range(int(os.environ.get("XYRA_CREDIT_HISTORIES", "4"))))


async def _nothing(*_: object) -> None:
    return None


def leaves_counters_behind(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CounterShares, "complete", _nothing)


def counts_usage_anew(patch: pytest.MonkeyPatch) -> None:
    """Does not look at what was metered before the change."""
    patch.setattr(CounterShares, "newest_usage", _nothing)


def keeps_the_first_share(patch: pytest.MonkeyPatch) -> None:
    """Takes what a wallet counted when it was left for the first time for all that it ever counts."""
    patch.setattr(Counter, "lacks_share", lambda self, payer, _: payer not in self.shares)


def tells_nothing_later(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(CounterShares, "entries", lambda *_: [])


def forgets_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Paying, "_answered_earlier", _nothing)


@pytest.mark.parametrize(
    ("change", "broken", "first", "steps"),
    [
        (leaves_counters_behind, "law (5|11)", 0, 60),
        (counts_usage_anew, "law 11", 0, 60),
        (keeps_the_first_share, "law (5|11)", 9, 150),
        (tells_nothing_later, "law (11|15)", 0, 60),
        (forgets_keys, "law 7", 3, 60),
    ],
)
def test_a_naive_handover_breaks_them(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], Any], broken: str, first: int, steps: int
) -> None:
    """`first` is a history that breaks one soon."""
    change(monkeypatch)
    with pytest.raises(AssertionError, match=broken):
        tried(range(first, first + 60), steps)
