"""The limit of a single run: it lies in the run's counter, and is set before there is the run."""

from decimal import Decimal

from shared.domain.credits.budgets import run_budget_id, with_run_limit, without_run_limit
from shared.domain.credits.counters import RunLimit, Unit, counter_id, new_counter
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.kernel.errors import UnavailableError, ValidationError
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.paying import Paying
from shared.services.storage import retry_lost_races


class RunLimits:
    def __init__(self, wallets: Wallets, clock: Clock, paying: Paying) -> None:
        self._wallets = wallets
        self._clock = clock
        self._paying = paying

    async def set(self, organization_id: str, run: str, run_id: str, limit: Decimal, unit: Unit) -> str:
        """Set what the run with this key may spend in all; the id of that budget. Safe to repeat.

        A limit of another request that has created no run within 10 minutes is dropped. Raises `ValidationError` for a
        limit in money where a credit has no value.
        """
        counter = counter_id("run", organization_id, run)
        wanted = Wanted(counters=frozenset({counter}), members=frozenset({organization_id}))

        async def attempt() -> None:
            paid = await self._paying.wallet_of(organization_id)
            payer = await self._paying.organization(paid.payer)
            if unit == "money" and payer.credit_value_at(self._clock.now(), DEFAULT_KIND) is None:
                raise ValidationError.at(
                    "/budget/unit",
                    "a credit has no value in money: set the credit_value of the organization that pays, or limit "
                    "credits",
                )
            stored = await self._wallets.read(paid.payer, wanted)
            stored.wallet.check_member(organization_id)
            await self._paying.shares.complete(stored.wallet, organization_id, wanted.counters)
            counted = stored.wallet.counters.get(counter) or new_counter("run", organization_id, run)
            if any((each.run_id, each.limit, each.unit) == (run_id, limit, unit) for each in counted.limits):
                return
            wallet = stored.wallet.copy()
            wallet.counters[counter] = with_run_limit(counted, RunLimit(run_id, limit, unit, self._clock.now()))
            wallet.finish()
            await self._wallets.commit(stored, wallet)

        await retry_lost_races(attempt, UnavailableError("The wallet is being changed by many at once"))
        return run_budget_id(run)

    async def withdraw(self, organization_id: str, run: str, run_id: str) -> None:
        """Drop the limit of a run that was not created, as another one has its key. Safe to repeat."""
        counter = counter_id("run", organization_id, run)
        wanted = Wanted(counters=frozenset({counter}), members=frozenset({organization_id}))

        async def attempt() -> None:
            paid = await self._paying.wallet_of(organization_id)
            stored = await self._wallets.read(paid.payer, wanted)
            stored.wallet.check_member(organization_id)
            await self._paying.shares.complete(stored.wallet, organization_id, wanted.counters)
            counted = stored.wallet.counters.get(counter)
            if counted is None or not any(limit.run_id == run_id for limit in counted.limits):
                return
            wallet = stored.wallet.copy()
            wallet.counters[counter] = without_run_limit(counted, run_id)
            wallet.finish()
            await self._wallets.commit(stored, wallet)

        await retry_lost_races(attempt, UnavailableError("The wallet is being changed by many at once"))
