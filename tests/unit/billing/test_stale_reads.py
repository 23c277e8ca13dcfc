"""A read may not show yet what another host has just written.

Then nothing wrong is answered, and no wrong invoice is issued.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.bootstrap import Application, Ports
from shared.containers import INVOICES, LEDGERS, TENANTS, Container
from shared.domain.access.identity import Permission, Principal
from shared.domain.billing.documents import Invoice
from shared.domain.billing.invoicing import compose, total_of
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.pricing.billing_models import BillingModel, BillingModelDraft
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import event_key
from shared.domain.usage.outcomes import Outcome, Verification, outcome_id
from shared.ports.store import Item, ItemPage, Operation, Replace, Store
from shared.services.agents.agents import AgentDraft
from shared.services.billing.invoice_runs import QUEUE, Task, read_task
from shared.services.storage.retrying import SECOND_LOOK_SECONDS
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.outcomes import OutcomeQuery
from shared.services.usage.reported_event import ReportedEvent
from shared.settings import Settings
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.rated_organization import AGENTS, CHARGES, MODEL, NOW, ORGANIZATION, START, Scene

OPERATOR = Principal("usr_1", None, frozenset(Permission))
NEW_MODEL = "bm_2"
NEW_AGENT = "agt_9"
NEW_ORGANIZATION = "org_9"
SOON = 0.2
"""Seconds, within which replicas are alike again."""


class StaleReplica:
    """The store, with the items of one kind as they once were.

    That is as they were when the replica was made.
    """

    def __init__(self, store: Store, container: Container, kind: str) -> None:
        self._store = store
        self._before: Store = deepcopy(store)
        self._stale = container.name, kind
        self._until = math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def catches_up(self) -> None:
        """Soon, but not before it is read once more."""
        self._until = asyncio.get_running_loop().time() + SOON

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        return (await self.get_many(container, pk, [id])).get(id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        found = await self._store.get_many(container, pk, ids)
        stale = [id_ for id_, item in found.items() if self._is_stale(container, item.document["kind"])]
        shown = {id_: item for id_, item in found.items() if id_ not in stale}
        return shown | await self._before.get_many(container, pk, stale)

    async def query(self, container: str, pk: str, kind: str, **more: Any) -> ItemPage:
        shown = self._before if self._is_stale(container, kind) else self._store
        return await shown.query(container, pk, kind, **more)

    def _is_stale(self, container: str, kind: str) -> bool:
        return (container, kind) == self._stale and asyncio.get_running_loop().time() < self._until


def host_with(scene: Scene, replica: StaleReplica) -> Application:
    return Application(Ports(replica, scene.queue, scene.clock, NoSecrets()), Settings())


async def usage_of_what_is_new(scene: Scene, change: str) -> None:
    """In the period that has ended, so that it is to be invoiced."""
    charges = [*CHARGES, {"key": "fee", "type": "flat_fee", "amount": "7.00"}]
    draft = {"name": "Model", "currency": "USD", "charges": charges, "effective_from": START}
    agent = AGENTS[-1]
    if change == "version":
        scene.clock.set(NOW - timedelta(days=20))
        draft["effective_from"] = NOW - timedelta(days=15)
        await scene.host.billing_models.publish(ORGANIZATION, MODEL, BillingModelDraft.model_validate(draft), None)
        agent = AGENTS[0]
    else:
        await scene.host.billing_models.create(NEW_MODEL, ORGANIZATION, BillingModelDraft.model_validate(draft))
        agent = NEW_AGENT
        new = AgentDraft(external_id="new", name="new", billing_model_id=NEW_MODEL, billing_model_from=START)
        await scene.host.agents.create(agent, ORGANIZATION, new)
    scene.clock.set(NOW + timedelta(hours=1))
    time = NOW - timedelta(days=12)
    event = ReportedEvent(0, "new", "cost.compute", agent, "api", time, None, {"amount": Decimal(10)}, ORGANIZATION)
    await scene.host.events.accept([event], partial=False)
    await scene.rated()


STALE = {"version": BillingModel.kind, "agent": Agent.kind, "model": BillingModel.kind}
"""The kind of which a read may miss what is new, by what that is."""


async def stale_reader(change: str) -> tuple[Scene, StaleReplica, Application]:
    scene = Scene()
    await scene.set_up()
    replica = StaleReplica(scene.store, TENANTS, STALE[change])
    await usage_of_what_is_new(scene, change)
    return scene, replica, host_with(scene, replica)


async def read(host: Application, what: str) -> Any:
    organization = await host.organizations.get(ORGANIZATION)
    period = await host.periods.containing(organization, START)
    match what:
        case "agent":
            agent = await host.summaries.agent(ORGANIZATION, AGENTS[0])
            return await host.summaries.of_agent(organization, agent, [period])
        case "organization":
            return await host.summaries.of_organization(organization, period)
        case _:
            return (await host.bills.preview(organization, period)).lines


@pytest.mark.parametrize("what", ["agent", "organization", "preview"])
@pytest.mark.parametrize("change", STALE)
def test_a_summary_is_never_made_of_a_part_of_what_there_is(change: str, what: str) -> None:
    async def reading() -> None:
        _, _, stale = await stale_reader(change)
        with pytest.raises(UnavailableError):
            await read(stale, what)

    virtual_time.run(reading())


@pytest.mark.parametrize("what", ["agent", "organization", "preview"])
@pytest.mark.parametrize("change", STALE)
def test_what_can_be_read_a_moment_later_is_in_the_summary(change: str, what: str) -> None:
    async def reading() -> None:
        scene, replica, stale = await stale_reader(change)
        replica.catches_up()
        assert await read(stale, what) == await read(scene.host, what)

    virtual_time.run(reading())


@pytest.mark.parametrize("change", STALE)
def test_an_invoice_is_issued_when_all_of_it_can_be_read(change: str) -> None:
    """Until then its message waits, and the job does not say that it has failed."""

    async def issuing() -> None:
        scene, replica, stale = await stale_reader(change)
        job = await scene.host.invoice_runs.request("job_1", ORGANIZATION, "2026-10", finalize=True)
        await scene.host.invoice_runs.run(next_task(scene))
        task = next_task(scene)
        with pytest.raises(UnavailableError):
            await stale.invoice_runs.run(task)
        with pytest.raises(UnavailableError):
            await stale.invoice_runs.run(Task(organization_id=ORGANIZATION))
        assert await invoices(scene) == []
        assert not (await scene.host.invoice_jobs.progress(job.id)).is_done
        due = compose(await read(scene.host, "preview"), "USD").invoice
        replica.catches_up()
        await stale.invoice_runs.run(task)
        (issued,) = await invoices(scene)
        assert (issued.status, issued.total) == ("pending", total_of(due, "USD"))
        assert (await scene.host.invoice_jobs.progress(job.id)).is_done

    virtual_time.run(issuing())


def next_task(scene: Scene) -> Task:
    (message,) = scene.queue.waiting.pop(QUEUE)
    return read_task(message.body)


async def invoices(scene: Scene) -> list[Invoice]:
    return (await scene.host.billing_documents.invoices(ORGANIZATION, None, 10, None)).entities


def test_a_draft_that_another_host_has_just_made_is_waited_for() -> None:
    async def drafting() -> None:
        scene = Scene()
        await scene.set_up()
        await scene.steps(10)
        replica = StaleReplica(scene.store, INVOICES, Invoice.kind)
        made = await scene.host.issuing.draft(await scene.organization(), await scene.period())
        stale = host_with(scene, replica)
        with pytest.raises(UnavailableError):
            await stale.issuing.draft(await scene.organization(), await scene.period())
        replica.catches_up()
        await asyncio.sleep(SOON)
        assert await stale.issuing.draft(await scene.organization(), await scene.period()) == made

    virtual_time.run(drafting())


def test_what_is_named_elsewhere_is_waited_for() -> None:
    """An agent's model, an organization of the list, one that is to be invoiced: there is no 404 for them."""

    async def reading() -> None:
        scene, _, stale = await stale_reader("model")
        agent = await stale.summaries.agent(ORGANIZATION, NEW_AGENT)
        with pytest.raises(UnavailableError):
            await stale.agent_pricing.from_now_on(agent)
        stale = host_with(scene, StaleReplica(scene.store, TENANTS, Organization.kind))
        draft = OrganizationDraft(name="New", currency="USD", timezone="UTC")
        await scene.host.organizations.create(NEW_ORGANIZATION, draft)
        with pytest.raises(UnavailableError):
            await stale.organizations.list(100, None)
        with pytest.raises(UnavailableError):
            await stale.invoice_runs.run(Task(organization_id=NEW_ORGANIZATION))
        with pytest.raises(UnavailableError):
            await stale.invoice_runs.run(Task(job_id="job_1", organization_id=NEW_ORGANIZATION, period="2026-10"))

    virtual_time.run(reading())


# Outcomes


async def verify(host: Application, organization: Organization, *ids: str) -> list[object]:
    return list((await host.outcome_decisions.verify(organization, ids, Verification(), OPERATOR)).values())


async def reverse(host: Application, organization: Organization, id_: str) -> object:
    return await host.outcome_decisions.reverse(organization, id_, "Reversed", OPERATOR)


async def sales(scene: Scene, count: int) -> list[str]:
    """The ids of so many outcomes."""
    keys = [await scene.report("outcome.sale", value=Decimal(100)) for _ in range(count)]
    await scene.rated()
    return [outcome_id(key) for key in keys]


def statuses(results: Iterable[object]) -> list[str]:
    return [result.status if isinstance(result, Outcome) else type(result).__name__ for result in results]


def test_a_decision_is_not_answered_from_a_late_read() -> None:
    """Verified and reversed elsewhere: it can be reversed here at once, and it is not still verified."""

    async def deciding() -> None:
        scene = Scene()
        await scene.set_up()
        organization = await scene.organization()
        first, second = await sales(scene, 2)
        pending = StaleReplica(scene.store, LEDGERS, Outcome.kind)
        await verify(scene.host, organization, first, second)
        verified = StaleReplica(scene.store, LEDGERS, Outcome.kind)
        await reverse(scene.host, organization, second)
        pending.catches_up()
        assert statuses([await reverse(host_with(scene, pending), organization, first)]) == ["reversed"]
        verified.catches_up()
        assert statuses(await verify(host_with(scene, verified), organization, second)) == ["ConflictError"]

    virtual_time.run(deciding())


def test_an_outcome_that_has_just_been_rated_is_found() -> None:
    async def deciding() -> None:
        scene = Scene()
        await scene.set_up()
        organization = await scene.organization()
        reader, decider = [StaleReplica(scene.store, LEDGERS, Outcome.kind) for _ in range(2)]
        (id_,) = await sales(scene, 1)
        reader.catches_up()
        assert (await host_with(scene, reader).outcomes.get(organization, id_)).outcome.status == "pending"
        decider.catches_up()
        assert statuses(await verify(host_with(scene, decider), organization, id_)) == ["verified"]
        unknown = outcome_id(event_key(ORGANIZATION, "api", "unknown"))
        with pytest.raises(NotFoundError):
            await scene.host.outcomes.get(organization, unknown)
        assert statuses(await verify(scene.host, organization, unknown)) == ["NotFoundError"]

    virtual_time.run(deciding())


def test_many_that_are_decided_already_are_looked_at_once_more_together() -> None:
    async def deciding() -> None:
        scene = Scene()
        await scene.set_up()
        organization = await scene.organization()
        ids = await sales(scene, 30)
        await verify(scene.host, organization, *ids[:20])
        began = asyncio.get_running_loop().time()
        assert statuses(await verify(scene.host, organization, *ids)) == ["verified"] * 30
        assert asyncio.get_running_loop().time() - began < 2 * SECOND_LOOK_SECONDS

    virtual_time.run(deciding())


class SlowStore(MemoryStore):
    """`meanwhile` happens once, before the next decision about an outcome is written."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        act = self.meanwhile
        if act is not None and any(_decides(each) for each in operations):
            self.meanwhile = None
            await act()
        return await super().batch(container, pk, operations)


def _decides(operation: Operation) -> bool:
    return isinstance(operation, Replace) and operation.document["kind"] == Outcome.kind


async def test_what_is_verified_while_its_period_is_billed_is_ready_for_the_next_bill() -> None:
    scene = Scene(store := SlowStore())
    await scene.set_up()
    organization, period = await scene.organization(), await scene.period()
    await scene.steps(10)
    before, meanwhile = await sales(scene, 2)
    await verify(scene.host, organization, before)
    scene.clock.move(timedelta(hours=1))

    async def billed() -> None:
        scene.clock.move(timedelta(seconds=2))
        draft = await scene.host.issuing.draft(organization, period)
        assert draft is not None
        await scene.host.issuing.finalize(organization, draft.id)
        scene.clock.move(timedelta(seconds=2))

    store.meanwhile = billed
    assert statuses(await verify(scene.host, organization, meanwhile)) == ["verified"]
    assert len(await invoices(scene)) == 1
    ready, _ = await scene.host.unbilled_outcomes.page(organization, OutcomeQuery(), 10, None)
    assert [outcome.id for outcome in ready] == [meanwhile]


def test_an_outcome_is_decided_when_that_is_done_and_not_when_it_was_first_tried() -> None:
    async def deciding() -> None:
        scene = Scene()
        await scene.set_up()
        organization = await scene.organization()
        replica = StaleReplica(scene.store, LEDGERS, Outcome.kind)
        (id_,) = await sales(scene, 1)
        replica.catches_up()
        asyncio.get_running_loop().call_later(SOON / 2, scene.clock.move, timedelta(minutes=1))
        (verified,) = await verify(host_with(scene, replica), organization, id_)
        assert isinstance(verified, Outcome)
        assert verified.decided_at == scene.clock.now()

    virtual_time.run(deciding())
