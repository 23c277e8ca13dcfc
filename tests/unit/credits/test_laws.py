"""The laws of the credits ledger over random histories, and naive ledgers that break them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
import pytest

from shared.domain.credits.commands import AnyCommand
from shared.domain.credits.counters import Counter
from shared.domain.credits.deciding import decide
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import seconds_of
from tests.doubles.worlds.credit_laws import tried
from tests.doubles.worlds.credit_ledger import CreditLedger


def test_the_laws_hold() -> None:
    tried(CreditLedger, examples=15)


@dataclass
class ForgetsAnswers(CreditLedger):
    """Keeps answers for an hour, as a cache with a time to live would."""

    def known(self, command: AnyCommand, now: datetime) -> Transfer | None:
        transfer = super().known(command, now)
        return None if transfer is None or transfer.time < now - timedelta(hours=1) else transfer


@dataclass
class ResetsCounters(CreditLedger):
    """Begins each counter anew when its window ends."""

    now: datetime | None = None

    def run(self, commands: list[AnyCommand], now: datetime) -> list[Transfer | None]:
        self.now = now
        return super().run(commands, now)

    def counters(self) -> list[Counter]:
        return [msgspec.structs.replace(counter, windows=self._open(counter)) for counter in super().counters()]

    def _open(self, counter: Counter) -> dict[str, dict[str, object]]:
        assert self.now is not None
        present = seconds_of(self.now)
        return {
            kind: {key: spending for key, spending in windows.items() if not spending.end or spending.end > present}
            for kind, windows in counter.windows.items()
        }


@dataclass
class ReadsCaps(CreditLedger):
    """Looks at the counters once for a whole pack, and holds all its commands against what it read."""

    read: dict[str, Counter] = field(default_factory=dict)

    def load(self) -> Wallet:
        wallet = super().load()
        self.read = dict(wallet.counters)
        return wallet

    def decide(self, wallet: Wallet, command: AnyCommand, now: datetime) -> Transfer:
        seen = wallet.copy()
        seen.counters = dict(self.read)
        refusal = decide(seen, command, now).refusal
        wallet.budgets = () if refusal is None else self.budgets
        transfer = decide(wallet, command, now)
        wallet.budgets = self.budgets
        return transfer


@dataclass
class StoresGrantsOneByOne(CreditLedger):
    """Has an item for each grant instead of pages."""

    def operations_of(self, wallet: Wallet) -> int:
        before = {grant.id: grant for page in wallet.pages.values() for grant in page.grants}
        after = {grant.id: grant for kind in wallet.head.accounts for grant in wallet.grants(kind)}
        changed = [id_ for id_ in before.keys() | after.keys() if before.get(id_) != after.get(id_)]
        return 1 + len(changed) + len(self._changed_items(wallet))


@pytest.mark.parametrize(
    ("naive", "broken"),
    [
        (ForgetsAnswers, "law (7|10)"),
        (ResetsCounters, "law (5|11)"),
        (ReadsCaps, "law 5"),
        (StoresGrantsOneByOne, "law 0"),
    ],
)
def test_a_naive_ledger_breaks_them(naive: type[CreditLedger], broken: str) -> None:
    with pytest.raises(AssertionError, match=broken):
        tried(naive, examples=100, is_naive=True)
