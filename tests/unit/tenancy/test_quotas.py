"""Quotas: exact whatever happens at once, lowered by deletion, counted once for what was stored before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

import function_app
from shared.bootstrap import Application, Ports
from shared.containers import TENANTS
from shared.domain.access.api_keys import ApiKey
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import ForbiddenError, LimitExceededError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.tenancy.limits import (
    DEFAULT_QUOTAS,
    MEASURED_KINDS,
    QUOTA_OF_KIND,
    STORED_BYTES,
    OrganizationLimits,
)
from shared.http import ENDPOINTS
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.agents.agents import AgentDraft
from shared.services.runs.threads import ThreadDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ORGANIZATION = named_id("org", "acme")
OWNER = Principal("usr_1", ORGANIZATION, frozenset({Permission.AGENTS_READ}))

assert function_app.app, "importing it declares the endpoints"


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.host, self.other = self.new_host(), self.new_host()

    def new_host(self) -> Application:
        return Application(Ports(self.store, MemoryQueue(), SettableClock(NOW), NoSecrets()), Settings())

    async def agent(self, name: str, host: Application | None = None) -> str:
        agent_id = named_id("agt", name)
        await (host or self.host).agents.create(agent_id, ORGANIZATION, AgentDraft(external_id=name, name=name))
        return agent_id

    async def limit(self, **quotas: int) -> None:
        await self.host.limits.put(ORGANIZATION, OrganizationLimits(quotas=quotas), None)

    async def used(self, quota: str) -> int:
        return (await self.host.limits.of(ORGANIZATION)).use.of(quota)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.host.organizations.create(
        ORGANIZATION, OrganizationDraft(name="Acme", slug="acme", currency="USD", timezone="UTC")
    )
    yield made
    await made.host.close()
    await made.other.close()


async def test_of_twenty_at_once_the_one_that_there_is_room_for_is_created(world: World):
    await world.limit(agents=5)
    for number in range(4):
        await world.agent(f"agent-{number}")
    hosts = (world.host, world.other)
    made = await asyncio.gather(
        *(world.agent(f"new-{number}", hosts[number % 2]) for number in range(20)), return_exceptions=True
    )
    refused = [each for each in made if isinstance(each, LimitExceededError)]
    assert len(refused) == 19
    assert {(each.quota, each.limit, each.used) for each in refused} == {("agents", 5, 5)}
    assert await world.used("agents") == len(await world.host.agents.all(ORGANIZATION)) == 5


async def test_deletion_makes_room_and_repeating_a_creation_needs_none(world: World):
    await world.limit(agents=1)
    first = await world.agent("first")
    assert await world.agent("first") == first
    with pytest.raises(LimitExceededError):
        await world.agent("second")
    await world.host.agents.delete(ORGANIZATION, first, None)
    assert await world.used("agents") == 0
    await world.agent("second")
    assert await world.used("agents") == 1


async def test_each_quota_counts_its_kind(world: World):
    await create_one_of_each(world)
    found = (await world.host.limits.of(ORGANIZATION)).use.used
    assert {name: found[name] for name in DEFAULT_QUOTAS if name != STORED_BYTES} == {
        "agents": 1,
        "api_keys": 1,
        "threads": 1,
        "billing_models": 1,
    }
    await world.host.api_keys.delete(ORGANIZATION, named_id("key", "one"), None)
    assert await world.used("api_keys") == 0


async def create_one_of_each(world: World) -> None:
    host = world.host
    await world.agent("one")
    await host.threads.create(named_id("thr", "one"), ORGANIZATION, ThreadDraft(title="x" * 300))
    draft = ApiKeyDraft(name="one", scopes=(Permission.AGENTS_READ,))
    await host.api_keys.create(named_id("key", "one"), ORGANIZATION, draft, OWNER)
    charges: Any = [{"key": "fee", "type": "flat_fee", "amount": "1"}]
    model = BillingModelDraft(name="one", currency="USD", charges=charges)
    await host.billing_models.create(named_id("bm", "one"), ORGANIZATION, model)


@pytest.mark.parametrize("quota", [name for name in DEFAULT_QUOTAS if name != STORED_BYTES])
async def test_none_of_a_kind_may_be_allowed(world: World, quota: str):
    await world.limit(**{quota: 0})
    with pytest.raises(LimitExceededError) as refused:
        await create_one_of_each(world)
    assert (refused.value.quota, refused.value.limit, refused.value.used) == (quota, 0, 0)


async def test_what_was_stored_before_there_were_counters_is_counted_once(world: World):
    await create_one_of_each(world)
    counted = (await world.host.limits.of(ORGANIZATION)).use.used
    await world.store.delete(TENANTS.name, ORGANIZATION, "quota_use")
    assert (await world.host.limits.of(ORGANIZATION)).use.used == counted
    await world.limit(agents=2)
    await world.agent("two")
    with pytest.raises(LimitExceededError):
        await world.agent("three")


async def test_bytes_are_those_that_are_stored(world: World):
    await create_one_of_each(world)
    page = await world.host.threads.page(ORGANIZATION, None, 10, None)
    before = await world.used(STORED_BYTES)
    await world.host.threads.update(ORGANIZATION, page.entities[0].id, {"title": "x" * 1_300}, None)
    assert await world.used(STORED_BYTES) - before == 1_000


async def test_beyond_the_bytes_nothing_grows_but_all_can_be_ended(world: World):
    await create_one_of_each(world)
    await world.limit(stored_bytes=await world.used(STORED_BYTES))
    thread = named_id("thr", "one")
    with pytest.raises(LimitExceededError):
        await world.agent("two")
    with pytest.raises(LimitExceededError):
        await world.host.threads.update(ORGANIZATION, thread, {"title": "x" * 1_300}, None)
    await world.host.threads.update(ORGANIZATION, thread, {"title": "y" * 300}, None)
    await world.host.agents.delete(ORGANIZATION, named_id("agt", "one"), None)
    await world.host.billing_models.archive(ORGANIZATION, named_id("bm", "one"))


async def test_agents_that_are_made_on_sight_count_and_their_calls_are_told_why_not(world: World):
    await world.limit(agents=1)
    await world.agent("first")
    made = await world.host.agent_making.make(ORGANIZATION, {"unseen": NOW}, None)
    assert list(made.refused) == ["unseen"]
    draft = BillingModelDraft.model_validate(
        {"name": "one", "currency": "USD", "charges": [{"key": "fee", "type": "flat_fee", "amount": "1"}]}
    )
    await world.host.billing_models.create(named_id("bm", "one"), ORGANIZATION, draft)
    made = await world.host.agent_making.make(ORGANIZATION, {"unseen": NOW}, named_id("bm", "one"))
    assert "may have 1 agents" in made.refused["unseen"]


async def test_the_operators_own_keys_are_not_counted(world: World):
    operator = Principal("usr_2", None, frozenset({Permission.AGENTS_READ}))
    draft = ApiKeyDraft(name="own", scopes=(Permission.AGENTS_READ,))
    await world.host.api_keys.create(named_id("key", "own"), None, draft, operator)
    assert await world.store.get(TENANTS.name, "operator", "quota_use") is None


def test_the_kinds_are_those_of_entities():
    assert ApiKey.kind in MEASURED_KINDS
    assert set(QUOTA_OF_KIND.values()) | {STORED_BYTES} == set(DEFAULT_QUOTAS)
    assert issubclass(LimitExceededError, ForbiddenError)


def test_routes_that_create_what_is_counted_declare_the_refusal():
    declared = {endpoint.name for endpoint in ENDPOINTS if LimitExceededError in endpoint.further_errors}
    assert {"create_agent", "create_api_key", "create_thread", "create_billing_model"} <= declared
