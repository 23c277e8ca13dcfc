"""The hosts of the ledger with their outbox, so that alerts are listed and what is over returns by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from shared.services.credits.archiving import DueCut
from shared.services.credits.counter_shares import COUNTERS_MOVED
from shared.services.credits.credit_alerts import CREDIT_ALERTS, CreditAlert, CreditAlerts
from shared.services.credits.due_holds import DueHold, DueHolds, DueLease
from shared.services.credits.later_parts import CLAWBACK_GOES_ON, REFUND_GOES_ON
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox
from shared.services.usage.paid_usage import PAYMENT_CHANGED
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.credit_hosts import CreditHosts, OneCalendar
from tests.doubles.worlds.credit_ledger import PAYER


@dataclass
class AlertingHosts(CreditHosts):
    outboxes: list[Outbox] = field(default_factory=list)
    """The last one is that of a host that runs."""

    def _host(self, clock: SettableClock) -> Ledger:
        wallets = self.wallets(self.store)
        wallets.budgets, wallets.children = self.budgets, self.children
        outbox = Outbox(self.store, clock)
        alerts = CreditAlerts(self.store, outbox)
        ledger = Ledger(wallets, clock, OneCalendar(), outbox, alerts=alerts)
        due = DueHolds(ledger, outbox)
        outbox.expect(DueCut)
        others = dict.fromkeys((PAYMENT_CHANGED, REFUND_GOES_ON, CLAWBACK_GOES_ON, COUNTERS_MOVED), _leave)
        outbox.connect(
            {CREDIT_ALERTS: alerts.record, **others},
            {DueHold: due.complete_due, DueLease: due.complete_due, DueCut: _leave},
        )
        self.outboxes.append(outbox)
        return ledger

    def deliver(self, _: Random, now: datetime) -> None:
        """The timer's sweep, on one of the hosts."""
        virtual_time.run(self._sweep(now))

    async def _sweep(self, now: datetime) -> None:
        self.store.fails = not self.is_quiet
        for clock in self.clocks:
            clock.set(now)
        await self.outboxes[-1].sweep()

    def alerts(self) -> Sequence[CreditAlert]:
        """Those that are listed."""
        return virtual_time.run(self._listed())

    async def _listed(self) -> Sequence[CreditAlert]:
        alerts, found = CreditAlerts(self.store, Outbox(self.store, self.clocks[0])), list[CreditAlert]()
        cursor: str | None = None
        while True:
            page = await alerts.page(PAYER, 200, cursor)
            found += page.entities
            cursor = page.cursor
            if cursor is None:
                return found


async def _leave(*_: Any, **__: Any) -> None:
    """What these laws are not about."""
