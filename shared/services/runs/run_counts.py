"""Counts of runs by the billing period, for the limits of plans: changed in the batch that creates one."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError, LimitExceededError
from shared.domain.tenancy.entitlements import RUNS, Entitlements, RunUse
from shared.ports.clock import Clock
from shared.services.periods.periods import Periods
from shared.services.storage import Operation, Records, Store, look_twice, replacing, retry_lost_races
from shared.services.storage.locks import NamedLocks
from shared.services.tenancy.organizations import Organizations

T = TypeVar("T")

_ENTITLEMENTS = Entitlements().id
_USE = RunUse().id


class RunCounts:
    """Runs are counted while a plan limits them: where none does, creating one writes no counter."""

    def __init__(self, store: Store, clock: Clock, organizations: Organizations, periods: Periods) -> None:
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._entitlements = Records(store, TENANTS, Entitlements)
        self._uses = Records(store, TENANTS, RunUse)
        self._locks = NamedLocks()

    async def counted(self, organization_id: str, create: Callable[..., Awaitable[T]]) -> T:
        """What `create` makes, given the operation that counts it in the same batch.

        The counter is guarded by its ETag, so that of creations at the same time no more succeed than there is room
        for. Raises `LimitExceededError` beyond a hard limit, `ConflictError` where many are created at once.
        """
        otherwise = ConflictError("Many runs are created in this organization at once; try again")

        async def attempt() -> T:
            counting = await self._counting(organization_id)
            return await create(*counting)

        async with self._locks.held(organization_id):
            return await look_twice(lambda: retry_lost_races(attempt, otherwise), errors=(LimitExceededError,))

    async def _counting(self, organization_id: str) -> list[Operation]:
        """The operation that counts one more; none where no plan limits runs."""
        now = self._clock.now()
        stored = await self._entitlements.find(organization_id, _ENTITLEMENTS)
        allowed = None if stored is None else stored.entity.at(now).get(RUNS)
        if allowed is None:
            return []
        organization = await self._organizations.cached(organization_id)
        period = await self._periods.would_contain(organization, now)
        current = await self._uses.find(organization_id, _USE)
        if current is None:
            await self._uses.ensure(organization_id, RunUse())
            current = await self._uses.get_created(organization_id, _USE)
        use = current.entity.within(period.start)
        allowed.check_room(use.used)
        return [replacing(current, use.changed(used=use.used + 1))]
