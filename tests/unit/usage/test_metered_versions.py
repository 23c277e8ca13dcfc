"""A version that a host has not read yet never shows as no price.

Usage was metered under it by another host.
"""

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.bootstrap import Application, Ports
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import UnavailableError
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.usage.outcomes import Outcome, Verification, outcome_id
from shared.ports.store import Item, Store
from shared.services.usage.recorded_events import EventQuery
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.rated_organization import AGENTS, CHARGES, FREE, MODEL, NOW, ORGANIZATION, Scene

RUN = "run-1"
AGENT = AGENTS[0]
OPERATOR = Principal("usr_1", None, frozenset(Permission))
DEARER = [
    {"key": "passed_on", "type": "cost", "markup_percent": "50"},
    {
        "key": "sales",
        "type": "outcome",
        "meter": {"event_type": "outcome.sale"},
        "pricing": {"type": "percentage", "rate": "20"},
    },
]


class OldReplica:
    """The store, but it shows a model for ever as it showed it first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first: dict[str, Item] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        item = await self._store.get(container, pk, id)
        return self._first.setdefault(id, item) if id == MODEL and item is not None else item


async def report(scene: Scene, event_id: str, event_type: str, **data: Any) -> None:
    event = ReportedEvent(0, event_id, event_type, AGENT, "api", None, RUN, data, ORGANIZATION)
    await scene.host.events.accept([event], partial=False)
    await scene.rated()


async def rated_by_what_is_new(scene: Scene, behind: Application, change: str) -> None:
    """The other host has read what was before.

    A minute later, and all the time after, it is still that minute.
    """
    await scene.set_up()
    agents = await behind.agents.resolve(ORGANIZATION, set(AGENTS))
    assert agents[AGENT].models.last == MODEL
    await behind.billing_models.cached(ORGANIZATION, MODEL)
    fields = {"name": "Model", "currency": "USD", "charges": DEARER if change == "model" else [*DEARER, *CHARGES[:7]]}
    draft = BillingModelDraft.model_validate(fields)
    if change == "model":
        await scene.host.billing_models.create("bm_2", ORGANIZATION, draft)
        await scene.host.agents.update(ORGANIZATION, AGENT, {"billing_model_id": "bm_2"}, None)
    else:
        await scene.host.billing_models.publish(ORGANIZATION, MODEL, draft, None)
    scene.clock.move(timedelta(minutes=15))
    await report(scene, "cost", "cost.compute", amount=Decimal(10))
    await report(scene, "sale", "outcome.sale", value=Decimal(100))


def another_host(scene: Scene, store: Store) -> Application:
    return Application(Ports(store, scene.queue, SettableClock(NOW + timedelta(minutes=1)), NoSecrets()), Settings())


@pytest.mark.parametrize("change", ["version", "model"])
async def test_a_host_that_is_behind_reads_what_usage_was_rated_by(change: str) -> None:
    scene = Scene()
    behind = another_host(scene, scene.store)
    await rated_by_what_is_new(scene, behind, change)
    organization = await behind.organizations.get(ORGANIZATION)
    assert (await behind.run_figures.of_key(organization, RUN)).price == 15  # 10 and half of it
    page, _ = await behind.recorded_events.page(organization, EventQuery(run=RUN), 10, None)
    model_id = "bm_2" if change == "model" else MODEL
    lines = {details.event.id: details.metered_to.line_keys for details in page}
    assert lines == {"cost": (f"{model_id}/passed_on/{AGENT}",), "sale": ()}
    sale = outcome_id(next(details.event.key for details in page if details.event.id == "sale"))
    verified = (await behind.outcome_decisions.verify(organization, [sale], Verification(), OPERATOR))[sale]
    assert isinstance(verified, Outcome)
    assert verified.on_decision["sales"]["sum"] == "100"
    assert (await behind.run_figures.of_key(organization, RUN)).price == 15 + 20


async def test_what_cannot_be_read_yet_is_asked_for_again() -> None:
    scene = Scene()
    behind = another_host(scene, OldReplica(scene.store))
    await rated_by_what_is_new(scene, behind, "version")
    organization = await behind.organizations.get(ORGANIZATION)
    with pytest.raises(UnavailableError):
        await behind.run_figures.of_key(organization, RUN)
    with pytest.raises(UnavailableError):
        await behind.recorded_events.page(organization, EventQuery(run=RUN), 10, None)
    scene.clock.set(NOW)
    free = ReportedEvent(0, "free", "cost.compute", FREE, "api", None, "run-2", {"amount": Decimal(1)}, ORGANIZATION)
    await scene.host.events.accept([free], partial=False)
    await scene.rated()
    assert (await behind.run_figures.of_key(organization, "run-2")).price == 0


class CountingStore(MemoryStore):
    """It counts the reads of outcomes."""

    reads = 0

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        self.reads += any(id_.startswith("out_") for id_ in ids)
        return await super().get_many(container, pk, ids)


async def test_the_outcomes_of_a_page_are_read_in_one_go() -> None:
    store = CountingStore()
    scene = Scene(store)
    await scene.set_up()
    for _ in range(50):
        await scene.report("outcome.sale", value=Decimal(1))
    await scene.rated()
    organization = await scene.organization()
    store.reads = 0
    page, _ = await scene.host.recorded_events.page(organization, EventQuery(), 50, None)
    assert len(page) == 50
    assert store.reads == organization.largest_shard_count
