"""Law 12 over random histories, on the pure ledger and on two hosts, and naive alerts that break it."""

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

import msgspec
import pytest

from shared.domain.credits import alerts
from shared.domain.credits.wallet import Wallet
from tests.doubles.worlds.alert_laws import AlertingLedger, AlertLaws
from tests.doubles.worlds.alerting_hosts import AlertingHosts
from tests.doubles.worlds.credit_hosts import MOST_BEHIND
from tests.doubles.worlds.lease_laws import tried


def test_each_crossing_is_told_once_and_again_after_it_was_armed() -> None:
    tried(AlertingLedger, examples=6, laws=AlertLaws)


def test_it_is_so_on_two_hosts_whose_outbox_is_cut_short() -> None:
    tried(AlertingHosts, examples=1, laws=AlertLaws, clock_difference=timedelta(seconds=MOST_BEHIND))


@dataclass
class ForgetsWhatItHasTold(AlertingLedger):
    """Looks at the level only, as a check that runs after each batch would."""

    def finish(self, before: Wallet, wallet: Wallet) -> None:
        wallet.head = msgspec.structs.replace(wallet.head, alerted=())
        for id_, counter in wallet.counters.items():
            wallet.counters[id_] = msgspec.structs.replace(counter, alerted=())
        super().finish(before, wallet)


@dataclass
class TellsBeforeItIsStored(AlertingLedger):
    """Sends its alerts itself instead of storing them with the batch that crosses."""

    def finish(self, before: Wallet, wallet: Wallet) -> None:
        super().finish(before, wallet)
        self.outbox |= {alert.id + str(len(self.outbox)): alert for alert in wallet.alerts}
        wallet.alerts = []


@pytest.mark.parametrize("naive", [ForgetsWhatItHasTold, TellsBeforeItIsStored])
def test_a_naive_ledger_breaks_it(naive: type[AlertingLedger]) -> None:
    with pytest.raises(AssertionError, match="law 12"):
        tried(naive, examples=100, is_naive=True, laws=AlertLaws)


@pytest.mark.parametrize(
    ("name", "value"), [("_ARMED_BELOW", 0), ("_ARMED_BELOW", 1000), ("_FORECAST_AFTER", Fraction(1, 100))]
)
def test_a_naive_rule_breaks_it(monkeypatch: pytest.MonkeyPatch, name: str, value: Fraction) -> None:
    """Armed again at the edge itself, or never, and a forecast of the first minutes."""
    monkeypatch.setattr(alerts, name, value)
    with pytest.raises(AssertionError, match="law 12"):
        tried(AlertingLedger, examples=100, is_naive=True, laws=AlertLaws)
