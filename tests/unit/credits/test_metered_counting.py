"""Metered usage in caps: repeated, late and reversed, over 8 shards, it comes to what a plain computation says."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from shared.adapters.usage.metered_sums import METERED_SUMS
from shared.bootstrap import Application
from shared.containers import LEDGERS
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.counters import Context, counter_id
from shared.domain.credits.grants import Terms
from shared.domain.credits.head import Head
from shared.domain.credits.metered_usage import MeteredSums
from shared.domain.credits.usage_counting import count_usage
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import windows_at
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.periods.periods import Calendar
from shared.domain.usage.events import event_key, shard_of
from shared.domain.usage.outcomes import Verification, outcome_id
from shared.ports.wallets import Wanted
from shared.services.agents.agents import AgentDraft
from shared.services.credits import metered_counting
from shared.services.credits.budgets import BudgetDraft
from shared.services.credits.spending import Caller, RequestedUse, SpentFor
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.worlds.invoiced_organization import ORGANIZATION as WITHOUT_VALUE
from tests.doubles.worlds.invoiced_organization import Scene, delivered, model

ORGANIZATION, MODEL = named_id("org", "metered"), named_id("bm", "metered")
PARENT = named_id("org", "parent of metered")
AGENT, OTHER = named_id("agt", "metered"), named_id("agt", "other")
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
SHARDS = 8
VALUE = Decimal("0.25")
PRICE = Decimal("0.5")
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "base_fee": {"amount": "15.00", "per": "agent"},
    "minimum": "100.00",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": str(PRICE)},
}
TIERS = {
    **COMMANDS,
    "pricing": {
        "type": "graduated",
        "tiers": [{"up_to": "10", "unit_amount": "1", "flat_amount": "5"}, {"unit_amount": "0.25"}],
    },
}
UNIQUE = {**COMMANDS, "meter": {"event_type": "command", "aggregation": "unique", "value": "data.user"}}
WON = {
    "key": "won",
    "type": "outcome",
    "meter": {"event_type": "outcome.won"},
    "pricing": {"type": "per_unit", "unit_amount": "2"},
}
OPERATOR = Principal("usr_operator", None, frozenset(Permission))
CALLER = Principal("usr_1", ORGANIZATION, frozenset(Permission))


def event(id_: str, time: datetime, quantity: int = 1, **fields: Any) -> ReportedEvent:
    given = {"type": "command", "agent": "a", "run": None, "data": {"quantity": Decimal(quantity)}} | fields
    return ReportedEvent(index=0, id=id_, source="test", time=time, organization_id=ORGANIZATION, **given)


async def metered(*charges: dict[str, Any]) -> Scene:
    scene = await Scene.prepared()
    host = scene.host()
    draft = OrganizationDraft(
        name="Metered", currency="USD", timezone="America/New_York", shard_count=SHARDS, credit_value=VALUE
    )
    await host.organizations.create(ORGANIZATION, draft)
    priced = model(charges[0]).model_copy(update={"charges": tuple(model(charge).charges[0] for charge in charges)})
    await host.billing_models.create(MODEL, ORGANIZATION, priced)
    for name, id_ in (("a", AGENT), ("b", OTHER)):
        fields = {"external_id": name, "name": name, "billing_model_id": MODEL, "billing_model_from": MARCH}
        await host.agents.create(id_, ORGANIZATION, AgentDraft(**fields))
    caller = Caller(ORGANIZATION, CALLER, "grant", "grant")
    await host.credits.spending.give(caller, Decimal(1000), Terms("purchase"), "default", None)
    return scene


async def report(scene: Scene, events: Sequence[ReportedEvent], random: Random) -> None:
    """In batches of any size, some delivered twice, to two hosts."""
    hosts = [scene.host(), scene.host()]
    waiting = list(events)
    while waiting:
        size = random.randint(1, 5)
        await hosts[0].events.accept(waiting[:size], partial=False)
        waiting = waiting[size:]
    messages = scene.taken("usage")
    again = random.sample(messages, len(messages) // 2)
    for message in random.sample([*messages, *again], len(messages) + len(again)):
        await random.choice(hosts).metering.meter(delivered([message]))
        scene.clock.move(timedelta(seconds=random.choice([0, 1, 4, 11])))
        if random.random() < 0.1:
            await random.choice(hosts).outbox.sweep()


async def windows_of(host: Application, scope: Any, reference: str) -> dict[str, Decimal]:
    id_ = counter_id(scope, ORGANIZATION, reference)
    wallet = (await host.credits.wallets.read(ORGANIZATION, Wanted(counters=frozenset({id_})))).wallet
    windows = wallet.counters[id_].windows["default"]
    for spending in windows.values():
        assert spending.money_metered == spending.metered * VALUE
    return {key: spending.metered for key, spending in windows.items() if spending.metered}


async def plain(host: Application, worths: Sequence[tuple[datetime, Decimal]]) -> dict[str, Decimal]:
    calendars = (await host.organizations.get(ORGANIZATION)).calendars
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for time, worth in worths:
        for window in windows_at(time, calendars):
            sums[window.key] += worth / VALUE
    return sums


@pytest.mark.parametrize("seed", range(3))
async def test_units_come_to_their_sum_over_all_shards(seed: int) -> None:
    random = Random(seed)
    scene = await metered(COMMANDS)
    now = scene.clock.now()
    times = [now - timedelta(minutes=random.randint(0, 3000)) for _ in range(60)]
    events = [
        event(f"e{number}", time, random.randint(1, 9), agent=random.choice("ab"), run=random.choice([None, "run 1"]))
        for number, time in enumerate(times)
    ]
    await report(scene, events, random)
    await scene.drain()
    host = scene.host()
    worth = [(each.time or now, Decimal(each.data["quantity"]) * PRICE, each) for each in events]
    assert await windows_of(host, "organization", ORGANIZATION) == await plain(host, [each[:2] for each in worth])
    of_agent = [each[:2] for each in worth if each[2].agent == "a"]
    assert await windows_of(host, "agent", AGENT) == await plain(host, of_agent)
    of_run = [each[:2] for each in worth if each[2].run == "run 1"]
    assert await windows_of(host, "run", "run 1") == await plain(host, of_run)


async def test_tiers_are_the_fold_of_each_shard_and_flat_amounts_count_nothing() -> None:
    scene = await metered(TIERS)
    now = scene.clock.now()
    events = [event(f"e{number}", now - timedelta(minutes=number), 3) for number in range(40)]
    await report(scene, events, Random(1))
    await scene.drain()
    of_shard: dict[int, int] = defaultdict(int)
    for each in events:
        of_shard[shard_of(event_key(ORGANIZATION, "test", each.id), SHARDS)] += 3
    worth = sum(
        (min(Decimal(10), used) + max(Decimal(0), used - Decimal(10)) / 4 for used in of_shard.values()), Decimal(0)
    )
    assert (await windows_of(scene.host(), "agent", AGENT))["once"] == worth / VALUE


async def test_what_runs_have_counted_is_forgotten_with_them() -> None:
    scene = await metered(COMMANDS)
    now = scene.clock.now()
    await report(scene, [event("of a run", now, run="run 1"), event("of none", now)], Random(6))
    await scene.drain()
    counted = await scene.documents(LEDGERS.name, f"{ORGANIZATION}:wallet", "counted_usage")
    assert sorted(document.get("ttl", 0) for document in counted) == [0, 400 * 86_400]


async def test_distinct_values_are_those_of_each_shard() -> None:
    random = Random(5)
    scene = await metered(UNIQUE)
    now = scene.clock.now()
    events = [
        event(f"e{number}", now, agent=random.choice("ab"), data={"user": f"user {random.randint(1, 9)}"})
        for number in range(60)
    ]
    await report(scene, events, random)
    await scene.drain()
    seen = {
        (each.agent, shard_of(event_key(ORGANIZATION, "test", each.id), SHARDS), str(each.data["user"]))
        for each in events
    }
    of_agent = sum(agent == "a" for agent, _, _ in seen)
    host = scene.host()
    assert (await windows_of(host, "agent", AGENT))["once"] == of_agent * PRICE / VALUE
    assert (await windows_of(host, "organization", ORGANIZATION))["once"] == len(seen) * PRICE / VALUE


async def test_what_is_reversed_counts_no_longer_and_what_is_late_counts_in_its_hour() -> None:
    scene = await metered(WON, COMMANDS)
    now = scene.clock.now()
    host = scene.host()
    won = {"type": "outcome.won", "data": {}}
    await report(scene, [event(f"o{number}", now - timedelta(hours=2), **won) for number in range(4)], Random(2))
    await scene.drain()
    assert (await host.credits.budgets.page(ORGANIZATION, 10, None))[0] == []
    ids = [outcome_id(event_key(ORGANIZATION, "test", f"o{number}")) for number in range(4)]
    organization = await host.organizations.get(ORGANIZATION)
    await host.outcome_decisions.verify(organization, ids, Verification(), OPERATOR)
    await scene.drain()
    hours = [(now - timedelta(hours=2), Decimal(2))] * 4
    assert await windows_of(host, "agent", AGENT) == await plain(host, hours)
    await host.outcome_decisions.reverse(organization, ids[0], "a mistake", OPERATOR)
    await scene.drain()
    assert await windows_of(host, "agent", AGENT) == await plain(host, hours[1:])
    late = now - timedelta(days=2)
    await report(scene, [event("late", late, 10)], Random(3))
    await scene.drain()
    assert await windows_of(host, "agent", AGENT) == await plain(host, [*hours[1:], (late, 10 * PRICE)])


async def test_windows_that_are_over_go_also_where_nothing_but_usage_counts() -> None:
    wallet, sums = Wallet(ORGANIZATION, Head()), MeteredSums(Context(ORGANIZATION))
    calendars = History[Calendar].starting(Calendar(timezone="UTC"))
    for hour in range(24 * 12):
        now = MARCH + timedelta(hours=hour)
        sums = sums.plus(PRICE, VALUE, windows_at(now, calendars), now).next_revision()
        assert count_usage(wallet, "shard", sums, now)
    windows = wallet.counters[counter_id("organization", ORGANIZATION, ORGANIZATION)].windows["default"]
    assert windows["once"].metered == 24 * 12 * PRICE / VALUE
    assert windows.keys() == sums.windows.keys()
    assert len(windows) < 24 * 10


async def test_a_hard_cap_refuses_uses_once_usage_has_passed_it() -> None:
    scene = await metered(COMMANDS)
    host = scene.host()
    draft = BudgetDraft("agent", AGENT, "month", Decimal(30), "credits", "default", "hard", ())
    await host.credits.budgets.put(ORGANIZATION, "cap", draft, None)

    async def use(key: str) -> bool:
        uses = [RequestedUse(SpentFor(agent="a"), Decimal(5))]
        done = await host.credits.spending.use(Caller(ORGANIZATION, CALLER, key, key), uses, "default", is_list=False)
        return done.refusal is None

    assert await use("before")
    await report(scene, [event("many", scene.clock.now(), 20)], Random(4))  # worth 40 credits
    status = await host.credits.budgets.status(ORGANIZATION, "cap", None, None)
    assert status.counted_to <= scene.clock.now()
    await scene.drain()
    status = await host.credits.budgets.status(ORGANIZATION, "cap", None, None)
    shown = status.figures
    assert (shown.spent, shown.metered, shown.left, shown.over, shown.state) == (5, 40, 0, 15, "exhausted")
    assert status.counted_to == scene.clock.now()
    assert not await use("after")
    caller, spent_for = Caller(ORGANIZATION, CALLER, "lease", "lease"), SpentFor(agent="a")
    lease = await host.credits.leases.take(caller, Decimal(1), spent_for, "default", timedelta(minutes=5))
    assert lease.refusal is not None
    assert lease.refusal.members["budget_id"] == "cap"


async def test_usage_counts_once_whoever_pays_for_it() -> None:
    """Sums are cumulative: what the wallet that was left has counted of them is in its share already."""
    scene = await metered(COMMANDS)
    host = scene.host()
    draft = OrganizationDraft(name="Parent", currency="USD", timezone="America/New_York", credit_value=VALUE)
    await host.organizations.create(PARENT, draft)
    cap = BudgetDraft("agent", "each", "once", Decimal(1000), "credits", "default", "hard", ())
    await host.credits.budgets.put(ORGANIZATION, "cap", cap, None)
    for number, payer in enumerate((PARENT, None, PARENT), start=1):
        await report(scene, [event(f"{number} {each}", scene.clock.now(), 2) for each in range(5)], Random(number))
        await scene.drain()
        status = await scene.host().credits.budgets.status(ORGANIZATION, "cap", AGENT, None)
        assert status.figures.metered == number * 10 * PRICE / VALUE
        changed = await scene.host().payer_changes.put(ORGANIZATION, payer)
        scene.clock.set(changed.payers.entries[-1].effective_from + timedelta(hours=1))


async def test_nothing_is_written_where_a_credit_has_no_value() -> None:
    scene = await Scene.prepared()  # an organization without one, that has used something
    partitions = [f"{WITHOUT_VALUE}:usage:{shard}" for shard in range(2)]
    assert any([await scene.documents(LEDGERS.name, partition, "event") for partition in partitions])
    assert not any([await scene.documents(LEDGERS.name, partition, METERED_SUMS) for partition in partitions])


def adds_whatever_comes(wallet: Wallet, shard: str, sums: MeteredSums, now: datetime) -> bool:
    """A naive wallet: it takes what is sent for what is new."""
    fresh = MeteredSums(sums.context, sums.revision, sums.windows)
    wallet.counted_usage = {}
    return count_usage(wallet, shard, fresh, now)


async def test_what_takes_sums_for_differences_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metered_counting, "count_usage", adds_whatever_comes)
    with pytest.raises((AssertionError, UnavailableError)):
        await test_units_come_to_their_sum_over_all_shards(0)
