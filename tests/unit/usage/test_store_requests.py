"""How often the store is asked: what a large deployment pays for and waits for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.adapters.usage.item_usage import ItemUsage
from shared.domain.kernel.times import to_text
from shared.domain.metering.readings import Distinct
from shared.domain.usage.events import AcceptedEvent, TotalKey, content_hash, event_key
from shared.domain.usage.totals import Contribution, unpriced_contribution
from shared.ports.usage import MeteredEvent
from tests.doubles.fakes.counting_store import CountingStore
from tests.doubles.worlds.rated_organization import Scene

NOW = datetime(2026, 10, 5, tzinfo=UTC)
EVENTS = 4000
"""Of 64 full messages: what one delivery carries."""
AGENTS = 200


def metered(number: int) -> MeteredEvent:
    agent = f"agt_{number % AGENTS}"
    data = {"quantity": Decimal(1)}
    event = AcceptedEvent(
        key=event_key("org_1", "api", str(number)),
        id=str(number),
        source="api",
        type="command",
        agent=agent,
        time=to_text(NOW + timedelta(seconds=number)),
        run=None,
        data=data,
        content=content_hash("command", agent, None, data),
    )
    return MeteredEvent(event, TotalKey(NOW, agent, "version"), unpriced_contribution(event), rebilling=None)


async def test_at_most_12_requests_record_1000_events() -> None:
    """The first time, when no total is there, and the next, when all are."""
    store = CountingStore()
    usage = ItemUsage(store, retention_seconds=1000)
    for delivery in range(2):
        store.requests = 0
        events = [metered(delivery * EVENTS + number) for number in range(EVENTS)]
        assert len((await usage.record("org_1", [1], events)).recorded) == EVENTS
        assert store.requests * 1000 / EVENTS <= 12


async def test_distinct_values_cost_nothing_where_they_are_not_asked_for() -> None:
    """Otherwise a query for each 1,000 of them."""
    shards, values = 4, 12_000
    store = CountingStore()
    usage = ItemUsage(store, retention_seconds=1000)
    seen = [frozenset(f"user-{number}" for number in range(first, first + 50)) for first in range(0, values, 50)]
    events = [
        replace(metered(number), contribution=Contribution("command", to_text(NOW), (("users", Distinct(users)),)))
        for number, users in enumerate(seen)
    ]
    await usage.record("org_1", [shards], events)
    store.queries.clear()
    found = await usage.totals("org_1", shards, NOW, distinct=False)
    assert sum(each.totals.counts()["command"] for each in found) == len(events)
    assert store.queries == {"total": shards}
    store.queries.clear()
    await usage.totals("org_1", shards, NOW)
    assert store.queries["total"] == shards
    assert store.queries["unique"] >= values // 1000


async def test_distinct_values_are_read_only_where_their_number_does_not_say_all() -> None:
    store = CountingStore()
    usage = ItemUsage(store, retention_seconds=1000)
    for pooled in (False, True):
        events = [
            replace(
                metered(number),
                total=TotalKey(NOW, f"agt_{number % 2}", f"version {pooled}"),
                contribution=Contribution("command", to_text(NOW), ((f"users {pooled}", user(number, pooled=pooled)),)),
            )
            for number in range(100 * pooled, 100 * pooled + 100)
        ]
        await usage.record("org_1", [1], events)
    store.queries.clear()
    await usage.totals("org_1", 1, NOW)
    assert store.queries == {"total": 1}
    other = replace(events[0], event=metered(200).event, total=TotalKey(NOW, "agt_1", "another version"))
    await usage.record("org_1", [1], [other])
    store.queries.clear()
    await usage.totals("org_1", 1, NOW)
    assert store.queries == {"total": 1, "unique": 2}  # for each of the two agents of the pooled line


def user(number: int, *, pooled: bool) -> Distinct:
    return Distinct(frozenset({f"user-{number % 30}"}), pooled=pooled)


async def test_figures_by_which_nobody_is_billed_read_no_distinct_values() -> None:
    store = CountingStore()
    scene = Scene(store)
    await scene.set_up()
    await scene.steps(40)
    await scene.report("llm_call", model="no such model", input_tokens=100, output_tokens=7)
    await scene.report("outcome.sale", value=Decimal(70))
    await scene.rated()
    organization, period = await scene.organization(), await scene.period()
    store.queries.clear()
    (unpriced,) = await scene.host.unpriced_models.of(organization, period)
    statistics = await scene.host.outcomes.statistics(organization, None, None)
    assert (unpriced.calls, statistics.by_status["pending"].count) == (1, 1)
    assert store.queries["total"] > 0
    assert store.queries["unique"] == 0
