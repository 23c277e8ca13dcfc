"""The ledger on a store: packs, races of hosts, lost answers, clocks, and what a command costs in requests."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared import json
from shared.adapters.credits.item_wallets import ItemWallets
from shared.adapters.credits.wallet_items import head_document, page_document, partition_of
from shared.containers import LEDGERS
from shared.domain.credits.commands import GiveGrant, Refund, Release, Reserve, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.grant_pages import GrantPage
from shared.domain.credits.grants import Grant, Terms
from shared.domain.credits.head import Head
from shared.domain.credits.transfers import UseEntry
from shared.domain.kernel.errors import (
    IdempotencyConflictError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from shared.domain.kernel.histories import History
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import StoreTime
from shared.ports.store import Delete, Operation
from shared.ports.wallets import Wanted
from shared.services.credits.ledger import Ledger
from shared.services.storage import Outbox
from shared.services.tenancy.organizations import Organizations
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 11, 18, 10, tzinfo=UTC)
CALENDARS = History[Calendar].starting(Calendar(timezone="UTC"))
ORGANIZATION = "org_1"


class SlowStore(MemoryStore):
    """Gives way at each request, and counts them; some batches fail, or are stored without an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.largest_batch = 0
        self.most_bytes = 0
        self.loses_answer = False
        self.loses_batch = False

    async def get_many(self, *place: Any) -> Any:
        self.requests += 1
        await asyncio.sleep(0)
        return await super().get_many(*place)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.requests += 1
        self.largest_batch = max(self.largest_batch, len(operations))
        written = [operation.document for operation in operations if not isinstance(operation, Delete)]
        self.most_bytes = max(self.most_bytes, sum(len(json.encode(document)) for document in written))
        await asyncio.sleep(0)
        if self.loses_batch:
            self.loses_batch = False
            raise UnavailableError("The host died before it was stored")
        etags = await super().batch(container, pk, operations)
        if self.loses_answer:
            self.loses_answer = False
            raise UnavailableError("The answer was lost")
        return etags


class Scene:
    def __init__(self) -> None:
        self.store = SlowStore()
        self.clock = SettableClock(NOW)
        self.hosts = [self.host(), self.host()]

    def host(self, clock: SettableClock | None = None, store_time: StoreTime | None = None) -> Ledger:
        clock = clock or self.clock
        return Ledger(ItemWallets(self.store), clock, _Organizations(), Outbox(self.store, clock), store_time)

    async def give(self, amount: str, key: str = "grant") -> None:
        grant = GiveGrant(organization_id=ORGANIZATION, key=key, amount=Decimal(amount), terms=Terms("purchase"))
        await self.hosts[0].run(ORGANIZATION, grant)

    async def available(self) -> Decimal:
        return (await ItemWallets(self.store).read(ORGANIZATION, Wanted())).wallet.available("default")


class _Organizations(Organizations):
    """With one calendar for all."""

    def __init__(self) -> None:
        pass

    async def cached(self, organization_id: str, *, reload: bool = False) -> Any:  # noqa: ARG002
        return Organization.model_construct(calendars=CALENDARS)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def use(number: int, amount: str = "3", **context: str) -> Use:
    entries = (UseEntry(Decimal(amount), Context(ORGANIZATION, **context)),)
    return Use(organization_id=ORGANIZATION, key=f"use {number}", entries=entries, calendars=CALENDARS)


async def test_two_hosts_spend_a_wallet_to_the_credit(scene: Scene) -> None:
    await scene.give("1000")
    done = await asyncio.gather(
        *(scene.hosts[number % 2].run(ORGANIZATION, use(number, agent_id="agt_1")) for number in range(400))
    )
    assert sum(transfer.refusal is None for transfer in done) == 333
    assert await scene.available() == 1


async def test_commands_that_wait_share_batches(scene: Scene) -> None:
    await scene.give("1000")
    scene.store.requests = 0
    await asyncio.gather(*(scene.hosts[0].run(ORGANIZATION, use(number, run="run")) for number in range(90)))
    assert scene.store.requests <= 8
    scene.store.requests = 0
    for number in range(90, 93):
        await scene.hosts[0].run(ORGANIZATION, use(number, run="run"))
    assert scene.store.requests == 3


async def test_a_batch_never_has_more_operations_than_a_store_takes(scene: Scene) -> None:
    await scene.give("1000")
    contexts = [{"run": f"run {number}", "agent_id": f"agt_{number}"} for number in range(60)]
    commands = [use(number, **context) for number, context in enumerate(contexts)]
    await asyncio.gather(*(scene.hosts[0].run(ORGANIZATION, command) for command in commands))
    assert 90 <= scene.store.largest_batch <= 100
    assert await scene.available() == 820


async def test_a_lost_answer_is_found_by_its_key(scene: Scene) -> None:
    await scene.give("10")
    scene.store.loses_answer = True
    with pytest.raises(UnavailableError):
        await scene.hosts[0].run(ORGANIZATION, use(1))
    first, second = [await host.run(ORGANIZATION, use(1)) for host in scene.hosts]
    assert first == second
    assert await scene.available() == 7


@dataclass
class OffBy:
    """A store whose clock differs from that of its hosts."""

    difference: timedelta

    def clock_difference(self) -> timedelta:
        return self.difference


@pytest.mark.parametrize("seconds", [-61, 61])
async def test_a_host_whose_clock_is_off_the_stores_commits_nothing(scene: Scene, seconds: int) -> None:
    await scene.give("10")
    store = OffBy(timedelta(seconds=seconds))
    host = scene.host(store_time=store)
    with pytest.raises(UnavailableError):
        await host.run(ORGANIZATION, use(1))
    store.difference = timedelta(seconds=20)
    assert (await host.run(ORGANIZATION, use(1))).refusal is None
    assert await scene.available() == 7


async def test_one_key_at_once_on_both_hosts_has_one_effect(scene: Scene) -> None:
    await scene.give("10")
    done = await asyncio.gather(*(scene.hosts[number % 2].run(ORGANIZATION, use(1)) for number in range(10)))
    assert {transfer.hash for transfer in done} == {done[0].hash}
    assert await scene.available() == 7


async def test_a_key_belongs_to_one_request(scene: Scene) -> None:
    await scene.give("10")
    await scene.hosts[0].run(ORGANIZATION, use(1))
    entries = (UseEntry(Decimal(3), Context(ORGANIZATION)),)
    other = Use(organization_id=ORGANIZATION, key="use 1", entries=entries, calendars=CALENDARS, principal="usr_other")
    for host in scene.hosts:
        with pytest.raises(IdempotencyConflictError):
            await host.run(ORGANIZATION, other)


async def test_what_is_not_there_is_not_final(scene: Scene) -> None:
    await scene.give("10")
    reserve = Reserve(
        organization_id=ORGANIZATION,
        key="reserve",
        amount=Decimal(4),
        context=Context(ORGANIZATION),
        expires_in=timedelta(hours=1),
        calendars=CALENDARS,
    )
    release = Release(organization_id=ORGANIZATION, key="release", hold_id=reserve.hold_id, calendars=CALENDARS)
    with pytest.raises(NotFoundError):
        await scene.hosts[1].run(ORGANIZATION, release)
    await scene.hosts[0].run(ORGANIZATION, reserve)
    assert (await scene.hosts[1].run(ORGANIZATION, release)).answer["available"] == "10"


async def test_a_refusal_first_takes_back_holds_whose_time_is_over(scene: Scene) -> None:
    await scene.give("10")
    reserve = Reserve(
        organization_id=ORGANIZATION,
        key="reserve",
        amount=Decimal(8),
        context=Context(ORGANIZATION),
        expires_in=timedelta(minutes=1),
        calendars=CALENDARS,
    )
    await scene.hosts[0].run(ORGANIZATION, reserve)
    assert (await scene.hosts[1].run(ORGANIZATION, use(1))).refusal is not None
    scene.clock.move(timedelta(minutes=2))
    assert (await scene.hosts[1].run(ORGANIZATION, use(2))).refusal is None
    assert await scene.available() == 7


async def test_a_refund_is_done_once_on_whichever_host(scene: Scene) -> None:
    await scene.give("10")
    used = await scene.hosts[0].run(ORGANIZATION, use(1))
    refunds = [
        Refund(
            organization_id=ORGANIZATION,
            key=f"refund {number}",
            transaction_id_refunded=used.id,
            reason="a test",
            calendars=CALENDARS,
        )
        for number in range(4)
    ]
    done = await asyncio.gather(*(scene.hosts[n % 2].run(ORGANIZATION, refund) for n, refund in enumerate(refunds)))
    assert sum(transfer.refusal is None for transfer in done) == 1
    assert await scene.available() == 10


async def test_a_host_whose_clock_is_far_behind_commits_nothing(scene: Scene) -> None:
    await scene.give("10")
    behind = scene.host(SettableClock(NOW - timedelta(seconds=20)))
    assert (await behind.run(ORGANIZATION, use(1))).refusal is None
    far_behind = scene.host(SettableClock(NOW - timedelta(seconds=61)))
    with pytest.raises(UnavailableError):
        await far_behind.run(ORGANIZATION, use(2))
    assert await scene.available() == 7


async def store_many_grants(scene: Scene, number: int) -> None:
    """Open grants of half a credit, in full pages."""
    grants = [
        Grant(f"grant_{index:05}", Terms("bonus"), NOW, Decimal("0.5"), Decimal("0.5")) for index in range(number)
    ]
    pages = [GrantPage("default", 1 + at // 100, tuple(grants[at : at + 100])) for at in range(0, number, 100)]
    amount = Decimal(number) / 2
    head = Head(
        sequence=1,
        time=NOW,
        accounts={"default": {"granted.bonus": -amount, "free": amount}},
        pages={"default": tuple(page.reference() for page in pages)},
        next_page={"default": len(pages) + 1},
    )
    for document in (head_document(head), *map(page_document, pages)):
        await scene.store.upsert(LEDGERS.name, partition_of(ORGANIZATION), document)


@pytest.mark.parametrize("number", [120, 1000, 4000])
async def test_many_grants_burn_in_one_batch_or_not_at_all(scene: Scene, number: int) -> None:
    await store_many_grants(scene, number)
    command = use(1, str(Decimal(number) / 2), agent_id="agt_1", run="run")
    scene.store.loses_batch = True
    with pytest.raises(UnavailableError):
        await scene.hosts[0].run(ORGANIZATION, command)
    assert await scene.available() == Decimal(number) / 2
    scene.store.loses_answer = True
    with pytest.raises(UnavailableError):
        await scene.hosts[0].run(ORGANIZATION, command)
    assert await scene.available() == 0
    first, second = [await host.run(ORGANIZATION, command) for host in scene.hosts]
    assert first == second
    assert len(first.parts) == number
    assert scene.store.largest_batch <= 100
    assert scene.store.most_bytes <= 900_000


async def test_a_use_of_more_counters_than_a_batch_takes_is_refused_alone(scene: Scene) -> None:
    await scene.give("1000")
    entries = tuple(UseEntry(Decimal(1), Context(ORGANIZATION, run=f"run {number}")) for number in range(120))
    too_large = Use(organization_id=ORGANIZATION, key="too large", entries=entries, calendars=CALENDARS)
    done = await asyncio.gather(
        *(scene.hosts[0].run(ORGANIZATION, command) for command in (use(1), too_large, use(2))), return_exceptions=True
    )
    assert [isinstance(each, ValidationError) for each in done] == [False, True, False]
    assert await scene.available() == 994
