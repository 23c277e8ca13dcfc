"""Entitlements: what plans allow together, held exactly whatever happens at once, and told with what is used."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.bootstrap import Application, Ports
from shared.containers import TENANTS
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import LimitExceededError
from shared.domain.kernel.ids import named_id
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.plans import PlanDraft
from shared.domain.tenancy.entitlements import PassedLimit
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.agents.agents import AgentDraft
from shared.services.billing.entitlements import Check
from shared.services.billing.subscription_commands import Cancel, Change, Command, Pause, Resume, Subscribe
from shared.services.runs.runs import RunDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.tenancy.projects import ProjectDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ORGANIZATION = named_id("org", "acme")
OWNER = Principal("usr_1", ORGANIZATION, frozenset({Permission.AGENTS_READ}))
FEATURES = ("agents", "projects", "api_keys", "runs")
Json = dict[str, Any]


def hard(feature: str, limit: str | None) -> Json:
    return {"feature": feature, "limit": limit, "mode": "hard"}


def soft(feature: str, limit: str | None) -> Json:
    return {"feature": feature, "limit": limit, "mode": "soft"}


def flag(feature: str, *, value: bool) -> Json:
    return {"feature": feature, "value": value}


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = SettableClock(NOW)
        self.host, self.other = self.new_host(), self.new_host()
        self._commands = 0

    def new_host(self) -> Application:
        return Application(Ports(self.store, MemoryQueue(), self.clock, NoSecrets()), Settings())

    async def plan(self, key: str, *entitlements: Json, kind: str = "base") -> None:
        fee = {"key": "fee", "type": "flat_fee", "amount": "10.00", "timing": "advance"}
        model = BillingModelDraft.model_validate({"name": key, "currency": "USD", "charges": [fee]})
        model_id = named_id("bm", key)
        await self.host.billing_models.create(model_id, None, model)
        draft = {
            "key": key,
            "name": key,
            "kind": kind,
            "prices": {"USD": named_id("bmv", model_id, 1)},
            "entitlements": entitlements,
        }
        await self.host.plans.create(named_id("plan", key), PlanDraft.model_validate(draft))

    async def command(self, command: Command, subscription: str = "base") -> None:
        self._commands += 1
        self.clock.move(timedelta(seconds=1))
        id_ = named_id("sub", subscription)
        name = id_ if isinstance(command, Subscribe) else f"command {self._commands}"
        await self.host.subscriptions.command(ORGANIZATION, id_, command, name)

    async def create(self, feature: str, name: str, host: Application | None = None) -> None:
        """One more of what is counted."""
        host = host or self.host
        match feature:
            case "agents":
                await host.agents.create(named_id("agt", name), ORGANIZATION, AgentDraft(external_id=name, name=name))
            case "projects":
                await host.projects.create(named_id("prj", name), ORGANIZATION, ProjectDraft(name=name))
            case "api_keys":
                draft = ApiKeyDraft(name=name, scopes=(Permission.AGENTS_READ,))
                await host.api_keys.create(named_id("key", name), ORGANIZATION, draft, OWNER)
            case "runs":
                await host.runs.create(named_id("run", name), ORGANIZATION, RunDraft(key=name))

    async def check(self, feature: str, host: Application | None = None) -> Check:
        return await (host or self.host).entitlements.one(ORGANIZATION, feature)

    async def told(self, feature: str) -> tuple[bool, str | None, int | None]:
        check = await self.check(feature)
        return check.allowed, None if check.limit is None else str(check.limit), check.used


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.host.organizations.create(
        ORGANIZATION, OrganizationDraft(name="Acme", slug="acme", currency="USD", timezone="UTC")
    )
    yield made
    await made.host.close()
    await made.other.close()


async def refused(doing: Awaitable[None]) -> tuple[str | None, int, int]:
    with pytest.raises(LimitExceededError) as error:
        await doing
    return error.value.feature, error.value.limit, error.value.used


@pytest.mark.parametrize("feature", FEATURES)
async def test_of_twenty_at_once_below_a_hard_limit_by_one_exactly_one_is_created(world: World, feature: str):
    await world.plan("team", hard(feature, "4"))
    await world.command(Subscribe("team"))
    for number in range(3):
        await world.create(feature, f"first-{number}")
    hosts = (world.host, world.other)
    made = await asyncio.gather(
        *(world.create(feature, f"new-{number}", hosts[number % 2]) for number in range(20)), return_exceptions=True
    )
    refusals = [each for each in made if isinstance(each, LimitExceededError)]
    assert (len(refusals), made.count(None)) == (19, 1)
    assert {(each.feature, each.limit, each.used) for each in refusals} == {(feature, 4, 4)}
    assert await world.told(feature) == (False, "4", 4)


@pytest.mark.parametrize("feature", FEATURES)
async def test_repeating_a_creation_at_the_limit_gives_what_was_created(world: World, feature: str):
    await world.plan("team", hard(feature, "1"))
    await world.command(Subscribe("team"))
    await world.create(feature, "one")
    if feature != "api_keys":  # their token is never shown again
        await world.create(feature, "one")
    assert await refused(world.create(feature, "two")) == (feature, 1, 1)


@pytest.mark.parametrize("feature", FEATURES)
async def test_an_accepted_upgrade_counts_at_the_next_read_and_creation_on_any_host(world: World, feature: str):
    await world.plan("small", hard(feature, "0"))
    await world.plan("large", hard(feature, "1"))
    await world.command(Subscribe("small"))
    assert await refused(world.create(feature, "one", world.other)) == (feature, 0, 0)
    await world.command(Change("large"))
    assert (await world.check(feature, world.other)).allowed
    await world.create(feature, "one", world.other)
    assert not (await world.check(feature)).allowed


async def test_what_is_paused_or_has_ended_allows_nothing_until_it_is_resumed_or_had_again(world: World):
    await world.plan("team", hard("agents", "5"), flag("api_access", value=True), soft("projects", "1"))
    await world.command(Subscribe("team"))
    await world.create("agents", "one")
    assert await world.told("api_access") == (True, None, None)
    for ended in (Pause(), Cancel("now")):
        await world.command(ended)
        assert await world.told("agents") == (False, "0", 1)
        assert await world.told("api_access") == (False, None, None)
        assert await world.told("projects") == (False, "0", 0)
        assert await refused(world.create("agents", "two")) == ("agents", 0, 1)
        if isinstance(ended, Pause):
            await world.command(Resume())
            assert await world.told("agents") == (True, "5", 1)
    await world.command(Subscribe("team"), "again")
    assert await world.told("agents") == (True, "5", 1)
    await world.create("agents", "two")


async def test_what_lies_ahead_counts_from_its_instant_on_without_another_command(world: World):
    await world.plan("small", hard("agents", "0"))
    await world.plan("large", hard("agents", "1"))
    await world.command(Subscribe("small"))
    await world.command(Change("large", at=NOW + timedelta(days=3)))
    world.clock.set(NOW + timedelta(days=3) - timedelta(microseconds=1))
    assert await refused(world.create("agents", "one")) == ("agents", 0, 0)
    world.clock.set(NOW + timedelta(days=3))
    assert await world.told("agents") == (True, "1", 0)
    await world.create("agents", "one")


async def test_limits_of_add_ons_add_to_the_base_and_end_with_them(world: World):
    await world.plan("team", hard("agents", "2"), soft("events", "100"), flag("sso", value=False))
    await world.plan("more", hard("agents", "3"), flag("sso", value=True), kind="addon")
    await world.plan("endless", hard("agents", None), kind="addon")
    await world.command(Subscribe("team"))
    assert [await world.told(feature) for feature in ("agents", "sso")] == [(True, "2", 0), (False, None, None)]
    await world.command(Subscribe("more"), "more")
    assert [await world.told(feature) for feature in ("agents", "sso")] == [(True, "5", 0), (True, None, None)]
    await world.command(Subscribe("endless"), "endless")
    assert await world.told("agents") == (True, None, 0)
    await world.command(Cancel("now"), "endless")
    await world.command(Cancel("now"), "more")
    assert [await world.told(feature) for feature in ("agents", "sso")] == [(True, "2", 0), (False, None, None)]
    assert [each.feature for each in await world.host.entitlements.all(ORGANIZATION)] == ["agents", "events", "sso"]


async def test_limits_of_an_add_on_count_as_often_as_it_is_had(world: World):
    await world.plan("team", hard("agents", "2"))
    await world.plan("more", hard("agents", "3"), kind="addon")
    await world.command(Subscribe("team"))
    await world.command(Subscribe("more", quantity=4), "more")
    assert await world.told("agents") == (True, "14", 0)
    await world.command(Change(quantity=1), "more")
    assert await world.told("agents") == (True, "5", 0)


async def test_a_soft_limit_refuses_nothing_and_is_told_once_passed(world: World):
    await world.plan("team", *(soft(feature, "1") for feature in FEATURES))
    await world.command(Subscribe("team"))
    for feature in FEATURES:
        await world.create(feature, "one")
        assert await world.host.entitlements.passed(ORGANIZATION, feature) is None
        await world.create(feature, "two")
        passed = await world.host.entitlements.passed(ORGANIZATION, feature)
        assert passed == PassedLimit(feature, Decimal(1), 2)
        check = await world.check(feature)
        assert (check.allowed, check.remaining) == (True, 0)


async def test_runs_are_counted_by_the_billing_period(world: World):
    await world.plan("team", hard("runs", "2"))
    await world.command(Subscribe("team"))
    for name in ("one", "two"):
        await world.create("runs", name)
    assert await refused(world.create("runs", "three")) == ("runs", 2, 2)
    world.clock.set(datetime(2026, 12, 1, tzinfo=UTC))
    assert await world.told("runs") == (True, "2", 0)
    await world.create("runs", "three")
    assert await world.told("runs") == (True, "2", 1)


async def test_more_seats_than_the_plan_allows_are_refused_by_every_route(world: World):
    await world.plan("small", hard("seats", "2"))
    await world.plan("large", hard("seats", "5"))
    assert await refused(world.command(Subscribe("small", seats=3))) == ("seats", 2, 0)
    await world.command(Subscribe("small", seats=2))
    assert await refused(world.command(Change(seats=3))) == ("seats", 2, 2)
    assert await refused(updated(world, seats=3)) == ("seats", 2, 2)
    await world.command(Change("large", seats=5))
    assert await refused(world.command(Change(seats=6))) == ("seats", 5, 5)
    await world.command(Change("small"))
    await world.command(Change(seats=4))  # fewer, though still more than the plan allows
    assert await refused(world.command(Change(seats=5))) == ("seats", 2, 4)


async def updated(world: World, **changes: Any) -> None:
    await world.host.organizations.update(ORGANIZATION, changes, None)


async def test_deleted_projects_make_room_and_are_restored_into_room_only(world: World):
    await world.plan("team", hard("projects", "1"))
    await world.command(Subscribe("team"))
    await world.create("projects", "one")
    await world.host.projects.delete(ORGANIZATION, named_id("prj", "one"), None)
    await world.create("projects", "two")

    async def restored() -> None:
        await world.host.projects.restore(ORGANIZATION, named_id("prj", "one"))

    assert await refused(restored()) == ("projects", 1, 1)
    await world.host.projects.archive(ORGANIZATION, named_id("prj", "two"))
    assert await refused(restored()) == ("projects", 1, 1)


async def test_counters_of_before_there_were_projects_in_them_are_counted_again(world: World):
    for name in ("one", "two"):
        await world.create("projects", name)
    item = await world.store.get(TENANTS.name, ORGANIZATION, "quota_use")
    assert item is not None
    del item.document["used"]["projects"]
    await world.store.upsert(TENANTS.name, ORGANIZATION, item.document)
    await world.plan("team", hard("projects", "2"))
    await world.command(Subscribe("team"))
    assert await world.told("projects") == (False, "2", 2)
    assert await refused(world.create("projects", "three")) == ("projects", 2, 2)


async def test_without_a_plan_nothing_is_limited_and_no_feature_is_had(world: World):
    for feature in FEATURES:
        await world.create(feature, "one")
    assert await world.told("agents") == (True, None, 1)
    assert await world.told("events") == (True, None, 0)
    assert await world.told("api_access") == (False, None, None)
    assert await world.host.entitlements.all(ORGANIZATION) == []


async def test_a_limit_on_what_is_not_counted_is_told_and_refuses_nothing(world: World):
    await world.plan("team", hard("tools", "7"))
    await world.command(Subscribe("team"))
    assert await world.told("tools") == (True, "7", None)


@pytest.mark.parametrize(
    "entitlement",
    [
        {"feature": "projects"},
        {"feature": "projects", "limit": "1"},
        {"feature": "projects", "value": True},
        {"feature": "sso", "value": True, "mode": "hard"},
        {"feature": "sso", "value": True, "limit": "1"},
        {"feature": "projects", "limit": "1.5", "mode": "hard"},
        {"feature": "projects", "limit": "-1", "mode": "hard"},
        {"feature": "Projects", "limit": "1", "mode": "hard"},
    ],
)
def test_what_is_neither_a_flag_nor_a_limit_is_refused(entitlement: Json):
    with pytest.raises(ValueError, match="entitlements"):
        PlanDraft.model_validate(
            {"key": "team", "name": "Team", "prices": {"USD": "bmv_1"}, "entitlements": [entitlement]}
        )
