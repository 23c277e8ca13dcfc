"""Monthly credits: what an organization has spent in the present month, whoever pays for it."""

from decimal import Decimal

from shared.domain.credits.counters import new_counter
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.windows import windows_at
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.paying import Paying
from shared.services.credits.present_counters import PresentCounters


class MonthlyCredits:
    def __init__(self, wallets: Wallets, clock: Clock, paying: Paying) -> None:
        self._clock = clock
        self._paying = paying
        self._present = PresentCounters(wallets, paying)

    async def of(self, organization_id: str) -> Decimal:
        """Credits of the kind `default` that are spent, set aside or metered, as a budget by the month counts them."""
        counter = new_counter("organization", organization_id, organization_id)
        organization, wallet = await self._paying.read(organization_id, Wanted())
        now = self._clock.now()
        _, counter = await self._present.read(wallet.payer, counter, organization, now)
        month = next(window for window in windows_at(now, organization.calendars) if window.name == "month")
        return counter.spending(DEFAULT_KIND, month).total
