"""Entitlement checks: what an organization's plans allow, and how much of it is used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from shared.containers import TENANTS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.money import ZERO
from shared.domain.rating.figures import ActivityTotals
from shared.domain.tenancy.entitlements import (
    COUNT_OF_FEATURE,
    COUNTED,
    CREDITS,
    EVENTS,
    RUNS,
    SEATS,
    Entitlement,
    Entitlements,
    Mode,
    PassedLimit,
    RunUse,
)
from shared.domain.tenancy.limits import QuotaUse
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.facts import FactsReader
from shared.services.credits.monthly_credits import MonthlyCredits
from shared.services.periods.periods import Periods
from shared.services.storage import Records, Store
from shared.services.storage.quotas import counted_of
from shared.services.storage.recent_reads import RecentReads
from shared.services.tenancy.organizations import Organizations

EVENTS_CACHED = timedelta(seconds=30)
"""How long a number of events may be that a check rests on."""
MAXIMUM_CACHED = 10_000

_SMALLEST = Decimal("0.000001")
"""The fewest credits that can be spent."""
_ID = Entitlements().id
_USE = RunUse().id


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a feature may be used, or one more of it."""

    feature: str
    allowed: bool
    mode: Mode | None
    limit: Decimal | None
    used: Decimal | int | None
    """None for a flag, and for what Xyra does not count."""
    as_of: datetime
    """When what is used was counted."""

    @property
    def remaining(self) -> Decimal | None:
        """None without a limit or a number of what is used."""
        return None if self.limit is None or self.used is None else max(ZERO, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class _Used:
    number: Decimal | int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class _EventLimit:
    passed: PassedLimit | None


class EntitlementChecks:
    """A flag, or a limit on what Xyra does not count, is one point read.

    What is created is counted beside, and comes with the same request. Events are those of the usage totals of the open
    period, at most `EVENTS_CACHED` old.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        facts: FactsReader,
        monthly_credits: MonthlyCredits,
    ) -> None:
        self._store = store
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._facts = facts
        self._monthly_credits = monthly_credits
        self._entitlements = Records(store, TENANTS, Entitlements)
        self._run_uses = Records(store, TENANTS, RunUse)
        self._event_limits = RecentReads[str, _EventLimit](MAXIMUM_CACHED, EVENTS_CACHED, clock)
        self._events = RecentReads[str, _Used](MAXIMUM_CACHED, EVENTS_CACHED, clock)

    async def one(self, organization_id: str, feature: str) -> Check:
        """What plans and counts say of a feature. One that no plan names is not allowed, unless Xyra counts it."""
        if feature in COUNT_OF_FEATURE:
            return await self._of_created(organization_id, feature)
        found = (await self._allowed(organization_id)).get(feature)
        return await self._check(organization_id, feature, found)

    async def all(self, organization_id: str) -> list[Check]:
        """Of all features that the plans name, by name."""
        use, _, entitlements = await counted_of(self._store, organization_id)
        now = self._clock.now()
        checks = []
        for feature, found in sorted(entitlements.at(now).items()):
            if feature in COUNT_OF_FEATURE:
                checks.append(_checked(feature, found, _created(use.entity, feature, now), now))
            else:
                checks.append(await self._check(organization_id, feature, found))
        return checks

    async def passed(self, organization_id: str, feature: str) -> PassedLimit | None:
        """The soft limit that there is more of now than it allows; None where there is none."""
        found = (await self._allowed(organization_id)).get(feature)
        if found is None or found.mode != "soft" or found.limit is None:
            return None
        check = await self.one(organization_id, feature)
        is_passed = check.limit is not None and check.used is not None and check.used > check.limit
        return PassedLimit(feature, check.limit or ZERO, int(check.used or 0)) if is_passed else None

    async def passed_by_seats(self, organization: Organization) -> PassedLimit | None:
        """As `passed`, of the number of seats that was set last, also where that has not begun."""
        found = (await self._allowed(organization.id)).get(SEATS)
        if found is None or found.mode != "soft" or found.limit is None or organization.seats.last <= found.limit:
            return None
        return PassedLimit(SEATS, found.limit, organization.seats.last)

    async def passed_by_events(self, organization_id: str) -> PassedLimit | None:
        """As `passed`, of events: at most `EVENTS_CACHED` old, and None where the store does not answer.

        No event is refused, and none waits, because nobody can say how many there are.
        """
        known = self._event_limits.find(organization_id)
        if known is None:
            try:
                known = _EventLimit(await self.passed(organization_id, EVENTS))
            except UnavailableError:
                known = _EventLimit(None)
            self._event_limits[organization_id] = known
        return known.passed

    async def _allowed(self, organization_id: str) -> Mapping[str, Entitlement]:
        stored = await self._entitlements.find(organization_id, _ID)
        return {} if stored is None else stored.entity.at(self._clock.now())

    async def _of_created(self, organization_id: str, feature: str) -> Check:
        use, _, entitlements = await counted_of(self._store, organization_id)
        now = self._clock.now()
        return _checked(feature, entitlements.at(now).get(feature), _created(use.entity, feature, now), now)

    async def _check(self, organization_id: str, feature: str, found: Entitlement | None) -> Check:
        is_flag = found is not None and found.mode is None
        used = None if is_flag else await self._used(organization_id, feature)
        return _checked(feature, found, used, self._clock.now())

    async def _used(self, organization_id: str, feature: str) -> _Used | None:
        """None for what Xyra does not count."""
        if feature not in (RUNS, EVENTS, SEATS, CREDITS):
            return None
        now = self._clock.now()
        if feature == CREDITS:
            return _Used(await self._monthly_credits.of(organization_id), now)
        if feature == EVENTS and (cached := self._events.find(organization_id)) is not None:
            return cached
        if feature == SEATS:
            return _Used((await self._organizations.get(organization_id)).seats.at(now) or 0, now)
        organization = await self._organizations.cached(organization_id)
        if feature == EVENTS:
            counted = self._events[organization_id] = _Used(await self._number_of_events(organization), now)
            return counted
        period = await self._periods.would_contain(organization, now)
        stored = await self._run_uses.find(organization_id, _USE)
        return _Used(0 if stored is None else stored.entity.within(period.start).used, now)

    async def _number_of_events(self, organization: Organization) -> int:
        """Of those that are metered in the open period."""
        period = await self._periods.would_contain(organization, self._clock.now())
        (totals,) = await self._facts.totals(organization, [period])
        return sum(ActivityTotals.of(usage.totals for usage in totals).counts.values())


def _created(use: QuotaUse, feature: str, now: datetime) -> _Used:
    return _Used(use.of(COUNT_OF_FEATURE[feature]), now)


def _checked(feature: str, found: Entitlement | None, used: _Used | None, now: datetime) -> Check:
    is_flag = found is not None and found.mode is None
    number = None if used is None or is_flag else used.number
    as_of = now if used is None else used.as_of
    if found is None:
        return Check(feature, feature in COUNTED, None, None, number, as_of)
    refuses = found.mode == "hard" and not found.has_room(number or 0, _SMALLEST if feature == CREDITS else 1)
    return Check(feature, found.is_granted and not refuses, found.mode, found.limit, number, as_of)
