"""The figures of a run with many events: worked out while few of them are in memory."""

import gc
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.ports.store import Item, ItemPage
from shared.services.runs import figures as figures_of_runs
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.rated_organization import AGENTS, ORGANIZATION, START, Scene

STEP = {"level": 1, "user": "u"}
PAGE, MOST = 20, 400
HELD = 6 * PAGE
"""A page, the one before it, and what is read ahead of 4 shards."""


class Held(dict[str, Any]):
    """A document that is counted while it is in memory."""

    now = 0
    most = 0

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document)
        Held.now += 1
        Held.most = max(Held.most, Held.now)

    def __del__(self) -> None:
        Held.now -= 1


class HoldingStore(MemoryStore):
    """Counts events and outcomes as they are read."""

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        found = await super().get_many(container, pk, ids)
        return {id_: _held(item) for id_, item in found.items()}

    async def query(self, *place: Any, **wanted: Any) -> ItemPage:
        page = await super().query(*place, **wanted)
        return replace(page, items=[_held(item) for item in page.items])


def _held(item: Item) -> Item:
    return Item(Held(item.document), item.etag) if item.document["kind"] in ("event", "outcome") else item


@pytest.mark.parametrize(("events", "is_complete"), [(MOST - 1, True), (MOST, True), (MOST + 1, False)])
async def test_few_of_its_events_are_in_memory_at_a_time(
    monkeypatch: pytest.MonkeyPatch, events: int, is_complete: bool
) -> None:
    monkeypatch.setattr(figures_of_runs, "_EVENTS_PER_PAGE", PAGE)
    monkeypatch.setattr(figures_of_runs, "MAXIMUM_EVENTS_OF_RUN", MOST)
    scene = Scene(HoldingStore())
    await scene.set_up()
    reported = [
        ReportedEvent(
            number, f"{number}", kind, AGENTS[0], "api", START + timedelta(minutes=number), "run", data, ORGANIZATION
        )
        for number in range(events)
        for kind, data in [("outcome.sale", {"value": Decimal(10)}) if number % 2 else ("step", STEP)]
    ]
    await scene.host.events.accept(reported, partial=False)
    await scene.rated()
    gc.collect()
    Held.now = Held.most = 0
    figures = await scene.host.run_figures.of_key(await scene.organization(), "run")
    assert (figures.events.total(), figures.is_complete) == (min(events, MOST), is_complete)
    assert figures.outcomes["pending"] == figures.events["outcome.sale"] > 0
    assert figures.price > 0
    assert PAGE < Held.most < HELD
