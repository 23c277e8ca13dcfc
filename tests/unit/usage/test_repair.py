"""Totals against the events and outcomes that they came from: nothing is found on healthy data, and what is damaged is
found, alone, and mended; while events flow, too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.usage.documents import total_id, unique_value_id
from shared.containers import LEDGERS
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import ValidationError
from shared.domain.metering.readings import CountAndSum
from shared.domain.usage.events import TotalKey, shard_of
from shared.domain.usage.outcomes import Verification, outcome_id
from shared.domain.usage.totals import MAXIMUM_TYPES
from shared.ports.store import Delete, Document, ItemPage, Operation, Upsert
from shared.services.usage import repair
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.rated_organization import (
    AGENTS,
    EARLY,
    FREE,
    MODEL,
    NOW,
    ORGANIZATION,
    SHARDS,
    START,
    Scene,
    gauges,
    metered,
    partition,
)

Json = dict[str, Any]


VISITORS = metered("visitors", "unique", "data.user", scope="organization")


@pytest.fixture
async def scene() -> Scene:
    made = Scene(more_charges=[VISITORS])
    await made.set_up()
    return made


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_PAUSE_SECONDS", 0.0)


async def every_kind(scene: Scene) -> None:
    await scene.steps(120)
    await scene.report("search")
    await scene.report("search", FREE, quantity=Decimal("2.5"))
    await scene.report("cost.compute", amount=Decimal("1.25"))
    await scene.report("llm_call", model="no such model", input_tokens=100, output_tokens=7, cost=Decimal("0.1"))
    await scene.report("llm_call", model="gpt-4o", input_tokens=1000, output_tokens=70)
    await scene.rated()


async def test_healthy_totals_are_as_they_should_be(scene: Scene) -> None:
    await every_kind(scene)
    reports = await scene.repaired()
    assert gauges(reports) == []
    assert [report.unsteady for report in reports] == [[]] * SHARDS
    assert sum(report.events for report in reports) == 125
    assert min(report.totals for report in reports) >= len(AGENTS)


async def decided(scene: Scene) -> None:
    """Outcomes in every state that there is."""
    organization = await scene.organization()
    made = [outcome_id(await scene.report("outcome.sale", value=Decimal(100 * number))) for number in range(1, 9)]
    await scene.report("outcome.sale", FREE, value=Decimal(7))
    await scene.rated()
    operator = Principal("usr_1", None, frozenset(Permission))
    await scene.host.outcome_decisions.verify(organization, made[:5], Verification(), operator)
    await scene.host.outcome_decisions.verify(organization, made[5:6], Verification(value=Decimal("12.5")), operator)
    await scene.host.outcome_decisions.reject(organization, made[6], "no", operator)
    for each in (made[0], made[4]):
        await scene.host.outcome_decisions.reverse(organization, each, "it came back", operator)


async def test_outcomes_count_as_what_they_have_become(scene: Scene) -> None:
    await decided(scene)
    assert gauges(await scene.repaired()) == []
    before = await sums(scene)
    assert before["$outcome_value"] == before["sales"] == Decimal("912.5")
    where = {
        shard: item.document
        for shard in range(SHARDS)
        for item in (await scene.store.query(LEDGERS.name, partition(shard), "total", limit=10)).items
        if "sales" in item.document["totals"]["meters"]
    }
    shard, document = next(iter(where.items()))
    document["totals"]["meters"]["sales"]["sum"] = "99"
    await scene.store.upsert(LEDGERS.name, partition(shard), document)
    assert gauges(await scene.repaired(mend=True)) == ["sales"]
    assert gauges(await scene.repaired()) == []
    assert await sums(scene) == before


async def sums(scene: Scene) -> dict[str, Decimal]:
    """Of the first agent, over all shards."""
    totals = await scene.host.usage.totals(ORGANIZATION, SHARDS, START)
    (own,) = [each.totals for each in totals if each.key.agent_id == AGENTS[0]]
    readings = {name: own.reading(name) for name in own.meters()}
    return {name: Decimal(reading.sum) for name, reading in readings.items() if isinstance(reading, CountAndSum)}


async def test_levels_after_a_return_are_compared_with_their_own_events(scene: Scene) -> None:
    for hour, model in ((3, None), (6, MODEL)):
        scene.clock.set(START + timedelta(hours=hour - 1))
        moved = {"billing_model_id": model, "billing_model_from": START + timedelta(hours=hour)}
        await scene.host.agents.update(ORGANIZATION, AGENTS[0], moved, None)
    scene.clock.set(NOW)
    await scene.steps(120)
    assert gauges(await scene.repaired()) == []
    await scene.damage(lambda totals: totals["meters"]["weighted"].pop("last"))  # as totals of before are
    assert gauges(await scene.repaired()) == []
    await scene.damage(lambda totals: totals["meters"]["weighted"].pop("returns"))
    assert gauges(await scene.repaired(mend=True)) == ["weighted"]
    assert gauges(await scene.repaired()) == []


DAMAGES: dict[str, tuple[Callable[[Json], object], list[str]]] = {
    "a count": (lambda totals: totals["meters"]["counted"].update(count=1), ["counted"]),
    "a sum": (lambda totals: totals["meters"]["level"].update(sum="0.001"), ["level"]),
    "a highest": (lambda totals: totals["meters"]["highest"].update(value="99"), ["highest"]),
    "a last": (lambda totals: totals["meters"]["latest"].update(value="99"), ["latest"]),
    "a weighted sum": (lambda totals: totals["meters"]["weighted"].update(moments="1"), ["weighted"]),
    "an order": (lambda totals: totals["meters"]["share#events"]["first"].pop(), ["share#events"]),
    "one too many": (
        lambda totals: totals["meters"].update({"$cost.api": {"kind": "tally", "count": 1, "sum": "3"}}),
        ["$cost.api"],
    ),
    "one that is missing": (lambda totals: totals["meters"].pop("counted"), ["counted"]),
    "events by type": (lambda totals: totals["counts"].update(step=1000), ["counts step"]),
    "what no charge wanted": (lambda totals: totals["unmatched"].update(step=1), ["unmatched step"]),
    "the last event": (lambda totals: totals.update(last_event_at=None), ["last_event_at"]),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_exactly_what_is_damaged_is_found_and_mended(scene: Scene, damage: str) -> None:
    change, found = DAMAGES[damage]
    await scene.steps(120)
    _, before = await scene.total()
    await scene.damage(change)
    assert gauges(await scene.repaired()) == found
    assert gauges(await scene.repaired()) == found
    (mended,) = [each for report in await scene.repaired(mend=True) for each in report.wrong]
    assert mended.mended
    assert mended.key.agent_id == AGENTS[0]
    assert (await scene.total())[1].document == before.document
    assert gauges(await scene.repaired()) == []


async def test_a_total_without_a_model_is_proved_as_well(scene: Scene) -> None:
    await scene.steps(60)
    _, before = await scene.total(FREE)
    await scene.damage(lambda totals: totals["meters"]["step"].update(count=1), FREE)
    assert gauges(await scene.repaired(mend=True)) == ["step"]
    assert (await scene.total(FREE))[1].document == before.document


async def test_a_total_that_is_gone_is_made_again_and_one_without_events_is_removed(scene: Scene) -> None:
    await scene.steps(60)
    pk, before = await scene.total()
    await scene.store.delete(LEDGERS.name, pk, before.document["id"], before.etag)
    nobodys = before.document | {"id": total_id(TotalKey(START, "agt_9", "-")), "agent_id": "agt_9", "version_id": "-"}
    await scene.store.create(LEDGERS.name, pk, nobodys)
    found = [each for report in await scene.repaired(mend=True) for each in report.wrong]
    assert sorted(each.key.agent_id for each in found) == ["agt_1", "agt_9"]
    again = await scene.store.get(LEDGERS.name, pk, before.document["id"])
    assert again is not None
    assert again.document == before.document
    assert await scene.store.get(LEDGERS.name, pk, nobodys["id"]) is None
    assert gauges(await scene.repaired()) == []


@pytest.fixture
def strict() -> Iterator[SqliteStore]:
    """It has the limits of Cosmos DB."""
    database = Database(":memory:")
    yield SqliteStore(database, SettableClock(NOW))
    database.close()


async def values_in(scene: Scene, pk: str) -> list[Document]:
    page = await scene.store.query(LEDGERS.name, pk, "unique", limit=1000)
    return [
        item.document
        for item in page.items
        if (item.document["agent_id"], item.document["meter"]) == (AGENTS[0], "users")
    ]


async def test_distinct_values_are_added_and_removed_in_as_many_batches_as_it_takes(strict: SqliteStore) -> None:
    scene = Scene(strict)
    await scene.set_up()
    for number in range(800):
        await scene.report("step", level=1, user=f"u{number}")
    await scene.rated()
    pk = partition(0)
    before = await values_in(scene, pk)
    assert len(before) > 150
    await scene.store.batch(LEDGERS.name, pk, [Delete(each["id"]) for each in before[:60]])
    await scene.store.batch(LEDGERS.name, pk, [Delete(each["id"]) for each in before[60:110]])
    for number in range(40):
        needless = before[0] | {"value": f"needless {number}"}
        await scene.store.create(LEDGERS.name, pk, needless | {"id": value_id(needless)})
    (found,) = [each for report in await scene.repaired(mend=True) for each in report.wrong]
    (difference,) = found.differences
    assert (difference.stored, difference.recomputed) == ("40 values too many", "110 values missing")
    assert {each["id"]: each for each in await values_in(scene, pk)} == {each["id"]: each for each in before}
    assert gauges(await scene.repaired()) == []


def value_id(document: Document) -> str:
    key = TotalKey(START, document["agent_id"], document["version_id"])
    return unique_value_id(key, document["meter"], document["value"])


async def test_numbers_of_distinct_values_are_found_and_put_right(scene: Scene) -> None:
    await scene.steps(60)
    _, before = await scene.total()
    await scene.damage(lambda totals: totals["distinct"].update(users=1, nobody=3))
    assert gauges(await scene.repaired()) == ["nobody", "users"]
    assert gauges(await scene.repaired(mend=True)) == ["nobody", "users"]
    assert (await scene.total())[1].document["totals"]["distinct"] == before.document["totals"]["distinct"]
    assert gauges(await scene.repaired()) == []


async def pooled_line(scene: Scene) -> tuple[str, Document, list[Document]]:
    """The partition, the total and the values of a pooled line."""
    for shard in range(SHARDS):
        pk = partition(shard)
        totals = (await scene.store.query(LEDGERS.name, pk, "pooled_total", limit=10)).items
        if totals:
            values = (await scene.store.query(LEDGERS.name, pk, "pooled_unique", limit=1000)).items
            return pk, totals[0].document, [item.document for item in values]
    raise AssertionError("there is no pooled line")


async def test_what_a_pooled_line_has_wrong_is_found_and_put_right(scene: Scene) -> None:
    await scene.steps(90)
    assert gauges(await scene.repaired()) == []
    pk, total, values = await pooled_line(scene)
    await scene.store.delete(LEDGERS.name, pk, values[0]["id"])
    needless = values[1] | {"value": "needless", "id": "val_needless"}
    needless["id"] = unique_value_id(TotalKey(START, "-", needless["version_id"]), needless["meter"], "needless")
    await scene.store.create(LEDGERS.name, pk, needless)
    (found,) = [each for report in await scene.repaired(mend=True) for each in report.wrong]
    assert (found.key.agent_id, [each.gauge for each in found.differences]) == ("-", ["visitors"])
    assert gauges(await scene.repaired()) == []
    _, again, values_again = await pooled_line(scene)
    assert (again, {each["id"] for each in values_again}) == (total, {each["id"] for each in values})
    await scene.store.upsert(LEDGERS.name, pk, total | {"totals": total["totals"] | {"distinct": {"visitors": 1}}})
    assert gauges(await scene.repaired(mend=True)) == ["visitors"]
    assert (await pooled_line(scene))[1] == total


async def test_totals_begun_before_values_were_counted_are_healthy(scene: Scene) -> None:
    """Also beside a line that counts, and where they are mended for something else."""
    await scene.steps(60)
    await scene.damage(lambda totals: [totals.pop(name) for name in ("distinct", "pooled")])
    await scene.steps(30)
    assert gauges(await scene.repaired()) == []
    await scene.damage(lambda totals: totals["meters"]["level"].update(sum="1"))
    assert gauges(await scene.repaired(mend=True)) == ["level"]
    _, item = await scene.total()
    assert "distinct" not in item.document["totals"]
    assert gauges(await scene.repaired()) == []


async def test_names_beyond_those_that_are_told_apart_are_no_difference(scene: Scene) -> None:
    """Which names are told apart depends on what came first.

    The events are read in another order.
    """
    for agent in (AGENTS[0], FREE):
        for number in range(5 * MAXIMUM_TYPES):
            await scene.report(f"type-{number}", agent)
        await scene.rated()
        _, total = await scene.total(agent)
        assert total.document["totals"]["counts"]["*"] > 0
    assert gauges(await scene.repaired()) == []


async def test_a_mended_period_that_has_ended_is_unsettled(scene: Scene) -> None:
    await scene.steps(30)
    period = await scene.period()
    item, _ = await scene.host.periods.item(ORGANIZATION, period.start)
    await scene.damage(lambda totals: totals["meters"]["counted"].update(count=1))
    await scene.repaired()
    assert (await scene.host.periods.item(ORGANIZATION, period.start))[0].changes_after_end == item.changes_after_end
    await scene.repaired(mend=True)
    assert (await scene.host.periods.item(ORGANIZATION, period.start))[
        0
    ].changes_after_end == item.changes_after_end + 1


async def test_a_period_whose_events_may_be_gone_is_refused(scene: Scene) -> None:
    await scene.steps(3)
    scene.clock.set(START + timedelta(days=scene.host.settings.event_retention_days - 1, seconds=1))
    with pytest.raises(ValidationError):
        await scene.repaired()
    scene.clock.set(START + timedelta(days=scene.host.settings.event_retention_days - 1))
    assert gauges(await scene.repaired()) == []


class InterruptedStore(MemoryStore):
    """Before a page of events is read, something may happen."""

    meanwhile: Callable[[str], Awaitable[None]] | None = None

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> ItemPage:
        if kind == "event" and self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens(pk)
            self.meanwhile = happens
        return await super().query(container, pk, kind, **how)


@dataclass
class Some:
    """So many events, one at a time."""

    scene: Scene
    left: int

    async def __call__(self, _: str) -> None:
        if self.left:
            self.left -= 1
            await self.scene.report("step", level=3, user=f"new {self.left}")
            await self.scene.rated()


class TestWhileEventsFlow:
    @pytest.fixture
    async def scene(self) -> Scene:
        made = Scene(InterruptedStore())
        await made.set_up()
        return made

    async def test_what_comes_in_meanwhile_is_no_difference(self, scene: Scene) -> None:
        await scene.steps(60)
        more = Some(scene, 4)

        assert isinstance(scene.store, InterruptedStore)
        scene.store.meanwhile = more
        reports = await scene.repaired(mend=True)
        assert more.left == 0
        assert gauges(reports) == []
        assert [report.unsteady for report in reports] == [[]] * SHARDS

    async def test_what_comes_in_meanwhile_hides_no_damage(self, scene: Scene) -> None:
        """A total has an event that is not there.

        As it is looked at, just that event comes.
        """
        await scene.steps(60)
        key = await scene.report("search", event_id=EARLY)
        await scene.rated()
        pk = partition(shard_of(key, SHARDS))
        await scene.store.delete(LEDGERS.name, pk, key)
        assert isinstance(scene.store, InterruptedStore)

        async def comes(where: str) -> None:
            if where == pk and await scene.store.get(LEDGERS.name, pk, key) is None:
                await scene.report("search", event_id=EARLY)
                await scene.rated()

        scene.store.meanwhile = comes
        assert gauges(await scene.repaired()) == ["counts search", "unmatched search"]

    async def test_a_total_that_never_stands_still_is_named(self, scene: Scene) -> None:
        await scene.steps(60)

        async def more(pk: str) -> None:
            """An event in just this shard."""
            while True:
                key = await scene.report("step", level=3, user="u")
                if partition(shard_of(key, SHARDS)) == pk:
                    break
            await scene.rated()

        assert isinstance(scene.store, InterruptedStore)
        scene.store.meanwhile = more
        reports = await scene.repaired(mend=True)
        assert gauges(reports) == []
        assert {key.agent_id for report in reports for key in report.unsteady} == {AGENTS[0]}

    async def test_what_is_damaged_is_mended_beside_it_and_nothing_is_lost(self, scene: Scene) -> None:
        await scene.steps(60)
        await scene.damage(lambda totals: totals["meters"]["counted"].update(count=1))
        more = Some(scene, 4)

        assert isinstance(scene.store, InterruptedStore)
        scene.store.meanwhile = more
        assert gauges(await scene.repaired(mend=True)) == ["counted"]
        assert more.left == 0
        scene.store.meanwhile = None
        assert gauges(await scene.repaired()) == []
        totals = await scene.host.usage.totals(ORGANIZATION, SHARDS, START)
        counts = [each.totals.reading("counted") for each in totals if each.key.agent_id == AGENTS[0]]
        assert [each.count for each in counts if isinstance(each, CountAndSum)] == [24]  # 20 of the steps, and 4


class ForgetfulStore(MemoryStore):
    """Its next reads of events miss the last one: a replica that lags."""

    forgets = 0

    async def query(self, container: str, pk: str, kind: str, **how: Any) -> ItemPage:
        page = await super().query(container, pk, kind, **how)
        if kind == "event" and page.items and self.forgets:
            self.forgets -= 1
            return ItemPage(page.items[:-1], page.cursor)
        return page


def test_what_only_one_look_has_seen_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_PAUSE_SECONDS", 0.3)

    async def looked() -> tuple[list[str], float]:
        store = ForgetfulStore()
        scene = Scene(store)
        await scene.set_up()
        await scene.steps(60)
        store.forgets = 1
        start = asyncio.get_running_loop().time()
        found = gauges(await scene.repaired(mend=True))
        return found, asyncio.get_running_loop().time() - start

    found, waited = virtual_time.run(looked())
    assert found == []
    assert waited >= 0.3


class JealousStore(MemoryStore):
    """Moves a total at the moment when it would be put right, once."""

    armed = False

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        for each in operations:
            document = getattr(each, "document", {"kind": None})
            if self.armed and document["kind"] == "total":
                self.armed = False
                item = await self.get(container, pk, document["id"])
                assert item is not None
                await super().batch(container, pk, [Upsert(item.document)])
        return await super().batch(container, pk, operations)


async def test_a_total_that_moves_as_it_is_mended_is_computed_again() -> None:
    store = JealousStore()
    scene = Scene(store)
    await scene.set_up()
    await scene.steps(60)
    _, before = await scene.total()
    await scene.damage(lambda totals: totals["meters"]["counted"].update(count=1))
    store.armed = True
    assert gauges(await scene.repaired(mend=True)) == ["counted"]
    assert not store.armed
    assert (await scene.total())[1].document == before.document
