"""Late pricing: calls that had no price when they were metered get the cost that an alias gives them, once."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.kernel.times import from_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.provider_costs.costs import UNPRICED, CostRules, CostTerms, EventCost
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError
from shared.domain.provider_costs.model_aliases import ModelAlias
from shared.domain.provider_costs.model_names import reported_model
from shared.domain.runs.event_worth import event_worth
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.late_pricing import added_by_price
from shared.domain.usage.recomputation import added_by
from shared.domain.usage.recorded_events import RecordedEvent
from shared.ports.clock import Clock
from shared.ports.late_prices import LatePrice, LatePriceStore, StoredEvent
from shared.ports.usage import EventFilter, Usage
from shared.services.periods.periods import Periods
from shared.services.periods.rebilling import Rebilling
from shared.services.provider_costs.costs import Costs
from shared.services.storage import Outbox, Position, StaleEtagError, retry_lost_races
from shared.services.storage.cursors import cursor_to, position_after, shape_of
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.event_payments import EventPayments
from shared.services.usage.filtered_pages import filtered_page
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.worths import UsedBy, Worths

BUDGET = timedelta(seconds=15)
"""After this a request begins no further page, and answers with a cursor."""
_PAGE = 500
"""Calls that are priced at once."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LatelyPriced:
    """What a request priced, or would price."""

    calls: int = 0
    cost: Decimal = ZERO
    currency: str | None = None
    """That of the organizations whose calls these are."""
    unpriced: int = 0
    """Calls under the name that have no price even so."""
    cursor: str | None = None
    """Where the next request goes on; None at the end."""


@dataclass(frozen=True, slots=True)
class _Place:
    """How far the calls have been looked through. Organizations, their agents and the agents' calls are in order."""

    organizations: str = ""
    """The cursor of the organization in the list of all."""
    agent_id: str = ""
    """Agents before this one are done."""
    after: Position | None = None
    """Where the agent's calls go on. None is after all of them."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some calls of one organization, by their keys."""

    organization: Organization
    keys: Sequence[str]
    end: _Place | None
    """The place behind them; None at the end."""


@dataclass(frozen=True, slots=True)
class _Pricing:
    """What all pages of a request have in common."""

    alias: ModelAlias
    rules: CostRules
    now: datetime
    is_dry_run: bool
    result: LatelyPriced = field(default_factory=LatelyPriced)

    def start(self, organization: Organization) -> datetime:
        """Of the late window; calls before the alias are none of it."""
        return max(self.now - timedelta(days=organization.late_window_days), self.alias.effective_from)

    def concerns(self, organization: Organization, event: RecordedEvent) -> bool:
        """Whether a call is without a cost, and the alias is the one that holds for its name at its time."""
        if not event.cost.is_unpriced:
            return False
        names = reported_model(event.data)
        alias = self.rules.prices.aliases.at(*names, from_text(event.time), organization.id)
        return alias is not None and alias.id == self.alias.id

    def cost(self, organization: Organization, event: RecordedEvent) -> EventCost | None:
        """None where the call has no price even so."""
        terms = CostTerms(takes_terms=not event.standard_terms)
        at, currency = from_text(event.time), organization.currency
        try:
            cost = self.rules.of(event.type, event.data, at, currency, terms, organization.id)
        except NoExchangeRateError:
            return None
        return None if cost.amount is None else cost


class LatePricing:
    """Looks for unpriced calls only where totals say that there are some."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: LatePriceStore,
        usage: Usage,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        costs: Costs,
        metered_versions: MeteredVersions,
        rebilling: Rebilling,
        worths: Worths,
        outbox: Outbox,
        payments: EventPayments,
    ) -> None:
        self._worths = worths
        self._payments = payments
        self._store = store
        self._usage = usage
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._costs = costs
        self._metered_versions = metered_versions
        self._rebilling = rebilling
        self._outbox = outbox

    async def price(
        self, alias: ModelAlias, organization: Organization | None, cursor: str | None, *, dry_run: bool
    ) -> LatelyPriced:
        """Price what an alias says about calls of the late window, of one organization or of all.

        Each call gets a cost at most once, at the prices of its time; one that has a cost is left alone. It may end
        early, with a cursor: after a time, and before organizations with another currency. Raises `UnavailableError`;
        repeating is safe. Raises `MalformedError` for a cursor of another request.
        """
        shape = shape_of(alias.id, organization and organization.id, dry_run)
        start = _Place() if cursor is None else _place_at(position_after(cursor, shape))
        place: _Place | None = start
        rules, now = await self._costs.rules(), self._clock.now()
        if not rules.prices.aliases.knows(alias):
            raise UnavailableError("The alias was made a moment ago and cannot be read yet")
        pricing = _Pricing(alias, rules, now, dry_run)
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + BUDGET.total_seconds()
        result = pricing.result
        result.currency = None if organization is None else organization.currency
        async for chunk in self._chunks(pricing, organization, start):
            if chunk.keys and result.calls and result.currency != chunk.organization.currency:
                break
            await self._price_chunk(pricing, chunk)
            place = chunk.end
            if loop.time() > give_up_at:
                break
        else:
            place = None
        result.cursor = None if place is None else cursor_to(_position_of(place), shape)
        return result

    async def _chunks(
        self, pricing: _Pricing, organization: Organization | None, place: _Place
    ) -> AsyncIterator[_Chunk]:
        if organization is not None:
            async for chunk in self._chunks_of(pricing, organization, place, None):
                yield chunk
            return
        following: _Place | None = place
        while following is not None:
            place = following
            ids, cursor = await self._organizations.list_ids(1, place.organizations or None)
            following = None if cursor is None else _Place(cursor)
            for organization_id in ids:
                found = await self._organizations.made(organization_id)
                async for chunk in self._chunks_of(pricing, found, place, following):
                    yield chunk

    async def _chunks_of(
        self, pricing: _Pricing, organization: Organization, place: _Place, following: _Place | None
    ) -> AsyncIterator[_Chunk]:
        """Of one organization, from a place in it on. The last one ends at the `following` place."""

        def is_wanted(event: RecordedEvent) -> bool:
            return pricing.concerns(organization, event)

        start = pricing.start(organization)
        agents = await self._agents_with_unpriced(organization, start)
        remaining = sorted(agent for agent in agents if agent > place.agent_id)
        if place.after is not None:
            remaining = [place.agent_id, *remaining]
        after = place.after
        for agent_id in remaining:
            wanted = EventFilter(agent_id=agent_id, start=start)
            while True:
                events = self._usage.events(
                    organization.id, organization.largest_shard_count, wanted, after, page=_PAGE
                )
                page, after = await filtered_page(events, is_wanted, lambda each: Position(each.time, each.key), _PAGE)
                yield _Chunk(organization, [each.key for each in page], replace(place, agent_id=agent_id, after=after))
                if after is None:
                    break
        yield _Chunk(organization, [], following)

    async def _agents_with_unpriced(self, organization: Organization, start: datetime) -> set[str]:
        agents: set[str] = set()
        for period in await self._periods.created(organization.id):
            if period.end <= start:
                continue
            shards = organization.largest_shard_count
            for total in await self._usage.totals(organization.id, shards, period.start, distinct=False):
                reading = total.totals.reading(UNPRICED)
                if isinstance(reading, CountAndSum) and reading.count:
                    agents.add(total.key.agent_id)
        return agents

    async def _price_chunk(self, pricing: _Pricing, chunk: _Chunk) -> None:
        """Optimistic concurrency: what has changed meanwhile is read and decided again."""
        organization, waiting = chunk.organization, chunk.keys

        async def attempt() -> None:
            nonlocal waiting
            shard_counts = organization.shard_counts_until(self._clock.now())
            stored = await self._store.find(organization.id, shard_counts, waiting)
            prices = await self._prices(pricing, organization, list(stored.values()))
            if pricing.is_dry_run:
                _count(pricing, organization, prices)
                return
            result = await self._store.commit(prices)
            _count(pricing, organization, result.committed)
            for price, reason in result.refused:
                _log.warning("a late cost is refused", extra={"event": price.id, "reason": reason})
                pricing.result.unpriced += 1
            for entry in sorted(result.outbox_entries):
                await self._outbox.attempt(*entry)
            waiting = [price.id for price in result.superseded]
            if waiting:
                raise StaleEtagError("The events have changed meanwhile")

        if waiting:
            await retry_lost_races(attempt, UnavailableError("The calls are being priced by many at once"))

    async def _prices(
        self, pricing: _Pricing, organization: Organization, stored: Sequence[StoredEvent]
    ) -> list[LatePrice]:
        prices = []
        for each in stored:
            event = each.event
            if not pricing.concerns(organization, event):  # priced by somebody else meanwhile
                continue
            cost = pricing.cost(organization, event)
            if cost is None:
                pricing.result.unpriced += 1
                continue
            version = await self._metered_versions.of(organization.id, event.total.agent_id, event.total.version_id)
            charges = None if version is None else version.charges
            added = added_by_price(event, cost, charges, organization.currency)
            period = await self._periods.containing(organization, event.total.period)
            used_by = UsedBy(event.total.agent_id, from_text(event.time), event.run, event.reporter)
            worth = await self._worths.of(organization, used_by, version, period)
            entry = self._rebilling.entry(organization, period, pricing.now)
            if event.paid_with is not None and event.is_paid:
                unpaid = msgspec.structs.replace(event, paid_with=None, cost=cost)
                priced = added_by(unpaid, charges, organization.currency)
                alone = event_worth(priced, event.total.agent_id, version, period, organization.currency)
                entry = await self._payments.entry(organization, event.paid_with, event.key, used_by.at, alone)
            prices.append(LatePrice(each, cost, added, entry, worth))
        return prices


def _count(pricing: _Pricing, organization: Organization, prices: Sequence[LatePrice]) -> None:
    result = pricing.result
    for price in prices:
        result.calls += 1
        result.cost = EXACT.add(result.cost, price.cost.amount or ZERO)
        result.currency = organization.currency


def _position_of(place: _Place) -> Position:
    after = place.after or Position("", "")
    return Position(f"{place.agent_id} {after.value} {place.organizations}", after.id)


def _place_at(position: Position) -> _Place:
    agent_id, time, organizations = position.value.split(" ", 2)
    return _Place(organizations, agent_id, Position(time, position.id) if time else None)
