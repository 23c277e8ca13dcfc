"""Wallets with thousands of grants: what does not fit into one batch is done in parts, and nobody waits for ever."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.bootstrap import Application
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.accounts import moved
from shared.domain.credits.clawbacks import TAKINGS_AT_ONCE
from shared.domain.credits.commands import Clawback
from shared.domain.credits.grant_pages import PAGE_SIZE
from shared.domain.credits.grants import DEFAULT_KIND, CostBasis, Grant, Terms
from shared.domain.credits.refunds import PARTS_AT_ONCE
from shared.domain.credits.transfers import Transfer
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.ids import named_id
from shared.ports.store import Operation, Store
from shared.ports.wallets import Wanted
from shared.services.credits.spending import Caller, RequestedUse, SpentFor
from tests.doubles.worlds.invoiced_organization import NOW, ORGANIZATION, Scene

PRINCIPAL = Principal("usr_1", ORGANIZATION, frozenset(Permission))
NUMBER = 4_000


def caller(key: str) -> Caller:
    return Caller(ORGANIZATION, PRINCIPAL, key, key)


async def use(host: Application, key: str, amount: str) -> Transfer:
    uses = [RequestedUse(SpentFor(), Decimal(amount))]
    return await host.credits.spending.use(caller(key), uses, "default", is_list=False)


async def prove(host: Application, key: str) -> None:
    verification = await host.credits.verifications.request(named_id("ver", key), ORGANIZATION, from_beginning=True)
    assert verification.ok, verification.problems


async def crowded(terms: Terms) -> Scene:
    scene = await Scene.prepared()
    await crowd(scene, terms)
    return scene


async def crowd(scene: Scene, terms: Terms, number: int = NUMBER) -> None:
    """With 4,000 grants of half a credit."""
    wallets = scene.host().credits.wallets
    stored = await wallets.read(ORGANIZATION, Wanted())
    wallet, half = stored.wallet.copy(), Decimal("0.5")
    for index in range(number):
        wallet.grants(DEFAULT_KIND).put(Grant(named_id("grant", index), terms, NOW, half, half))
    lines = moved(DEFAULT_KIND, (f"granted.{terms.source}", -number * half), ("free", number * half))
    id_, time = named_id("txn", "many"), wallet.advance(NOW)
    wallet.record(Transfer(id=id_, organization_id=ORGANIZATION, type="grant", time=time, lines=lines))
    wallet.finish()
    await wallets.commit(stored, wallet)


async def test_thousands_of_grants_that_end_at_once_lapse_before_the_next_command() -> None:
    ends = NOW + timedelta(hours=1)
    scene = await crowded(Terms("purchase", expires_at=ends, cost_basis=CostBasis(Decimal("0.1"), "USD", Decimal(1))))
    host = scene.host()
    scene.clock.set(ends)
    refused = await use(host, "too late", "1")
    assert refused.refusal is not None
    assert refused.refusal.members == {"available": "0"}
    balance = await host.credits.balances.of(ORGANIZATION, DEFAULT_KIND)
    assert (balance.available, balance.expired) == (0, NUMBER // 2)
    await prove(host, "expired")


@pytest.fixture
async def spent() -> tuple[Scene, Transfer]:
    """All of the grants were burnt by one use."""
    scene = await crowded(Terms("bonus"))
    return scene, await use(scene.host(), "use", str(NUMBER // 2))


async def refund(host: Application, key: str, transfer: Transfer, amount: str | None = None) -> Transfer:
    wanted = None if amount is None else Decimal(amount)
    return await host.credits.spending.refund(caller(key), transfer.id, wanted, "a test")


async def test_a_refund_over_thousands_of_grants_comes_back_in_parts(spent: tuple[Scene, Transfer]) -> None:
    scene, used = spent
    host = scene.host()
    done = await refund(host, "refund", used)
    assert done.answer == {
        "transaction_id": done.id, "amount": "2000", "refunded": "2000", "available": "2000", "revision": 10,
    }  # fmt: skip
    assert await refund(scene.host(), "refund", used) == done
    transfers, _ = await host.credits.statements.page(ORGANIZATION, 100, None)
    parts = [transfer for transfer in transfers if transfer.type == "refund"]
    assert len(parts) == NUMBER // PARTS_AT_ONCE
    assert {transfer.amount for transfer in parts} == {Decimal(250)}
    refused = await refund(host, "once more", used, "1")
    assert refused.refusal is not None
    await prove(host, "refunded")
    await scene.drain()
    assert (await host.credits.balances.of(ORGANIZATION, DEFAULT_KIND)).available == NUMBER // 2


class DyingStore:
    """The store of a host that dies after a few batches of a wallet."""

    def __init__(self, store: Store, batches: int) -> None:
        self._store, self._batches = store, batches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> Sequence[str]:
        if pk.endswith(":wallet"):
            if not self._batches:
                raise UnavailableError("The host died")
            self._batches -= 1
        return await self._store.batch(container, pk, operations)


async def test_what_is_cut_short_comes_back_by_the_sweep(spent: tuple[Scene, Transfer]) -> None:
    scene, used = spent
    dying: Any = DyingStore(scene.store, 2)
    with pytest.raises(UnavailableError):
        await refund(scene.host_with(dying, scene.queue), "refund", used, "1500")
    assert (await scene.host().credits.balances.of(ORGANIZATION, DEFAULT_KIND)).available == 500
    refused = await refund(scene.host(), "more than is left", used, "501")
    assert refused.refusal is not None
    await scene.drain()
    assert (await scene.host().credits.balances.of(ORGANIZATION, DEFAULT_KIND)).available == 1500
    done = await refund(scene.host(), "refund", used, "1500")
    assert done.answer["refunded"] == "1500"
    await refund(scene.host(), "the rest", used)
    assert (await scene.host().credits.balances.of(ORGANIZATION, DEFAULT_KIND)).available == 2000
    await prove(scene.host(), "by the sweep")


async def bought(number: int) -> tuple[Scene, str]:
    """A purchase of 2,100 credits that was spent, with its id, and so many grants of half a credit."""
    scene = await Scene.prepared()
    host = scene.host()
    given = await host.credits.spending.give(caller("purchase"), Decimal(2100), Terms("purchase"), DEFAULT_KIND, None)
    await use(host, "all of it", "2100")
    await crowd(scene, Terms("bonus"), number)
    return scene, str(given.corrects)


async def claw_back(host: Application, grant_id: str, total: int, version: int) -> Transfer:
    command = Clawback(
        organization_id=ORGANIZATION,
        key=f"clawback {version}",
        by_system=True,
        grant_id=grant_id,
        total=Decimal(total),
        version=version,
        reason="charged back",
    )
    return await host.credits.clawbacks.run(ORGANIZATION, command)


async def balance_of(scene: Scene) -> tuple[Decimal, Decimal, Decimal]:
    balance = await scene.host().credits.balances.of(ORGANIZATION, DEFAULT_KIND)
    return balance.available, balance.clawed_back, balance.debt


async def test_a_clawback_over_thousands_of_grants_is_made_in_parts() -> None:
    """What it takes from all of them, and what is debt, comes back in the opposite order."""
    scene, grant_id = await bought(NUMBER)
    before = {grant.id: grant.free for grant in await grants_of(scene)}
    done = await claw_back(scene.host(), grant_id, 2100, 1)
    assert done.answer["amount"] == "2100"
    assert await balance_of(scene) == (-100, 2100, 100)
    assert await grants_of(scene) == []
    assert await claw_back(scene.host(), grant_id, 2100, 1) == done
    await claw_back(scene.host(), grant_id, 1500, 2)
    assert await balance_of(scene) == (500, 1500, 0)
    await claw_back(scene.host(), grant_id, 0, 3)
    assert await balance_of(scene) == (2000, 0, 0)
    assert {grant.id: grant.free for grant in await grants_of(scene)} == before
    await claw_back(scene.host(), grant_id, 1000, 4)  # the pages of what was taken are used again
    assert await balance_of(scene) == (1000, 1000, 0)
    await prove(scene.host(), "clawed back")
    await scene.drain()
    assert await balance_of(scene) == (1000, 1000, 0)


async def grants_of(scene: Scene) -> list[Grant]:
    wallet = (await scene.host().credits.wallets.read(ORGANIZATION, Wanted())).wallet
    return list(wallet.grants(DEFAULT_KIND))


async def test_a_clawback_that_is_cut_short_is_done_by_the_sweep() -> None:
    scene, grant_id = await bought(1600)
    dying: Any = DyingStore(scene.store, 2)
    with pytest.raises(UnavailableError):
        await claw_back(scene.host_with(dying, scene.queue), grant_id, 800, 1)
    available, clawed_back, debt = await balance_of(scene)
    assert (available, debt) == (800 - clawed_back, 0)
    assert 2 * TAKINGS_AT_ONCE <= clawed_back * 2 < 2 * (TAKINGS_AT_ONCE + PAGE_SIZE)
    await scene.drain()
    assert await balance_of(scene) == (0, 800, 0)
    dying = DyingStore(scene.store, 1)
    with pytest.raises(UnavailableError):
        await claw_back(scene.host_with(dying, scene.queue), grant_id, 0, 2)
    await scene.drain()
    assert await balance_of(scene) == (800, 0, 0)
    await prove(scene.host(), "by the sweep")


async def test_a_newer_total_goes_on_from_what_was_done_by_then() -> None:
    scene, grant_id = await bought(1600)
    dying: Any = DyingStore(scene.store, 1)
    with pytest.raises(UnavailableError):
        await claw_back(scene.host_with(dying, scene.queue), grant_id, 800, 1)
    await claw_back(scene.host(), grant_id, 300, 2)
    assert await balance_of(scene) == (500, 300, 0)
    await scene.drain()  # what was left of the older total is nothing any more
    await claw_back(scene.host(), grant_id, 800, 1)
    assert await balance_of(scene) == (500, 300, 0)
    await prove(scene.host(), "a newer total")
