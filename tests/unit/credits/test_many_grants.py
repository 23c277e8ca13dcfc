"""Wallets with thousands of grants: what does not fit into one batch is done in parts, and nobody waits for ever."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.bootstrap import Application
from shared.domain.access.identity import Permission, Principal
from shared.domain.credits.accounts import moved
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
    """With 4,000 grants of half a credit."""
    scene = await Scene.prepared()
    wallets = scene.host().credits.wallets
    stored = await wallets.read(ORGANIZATION, Wanted())
    wallet, half = stored.wallet.copy(), Decimal("0.5")
    for number in range(NUMBER):
        wallet.grants(DEFAULT_KIND).put(Grant(named_id("grant", number), terms, NOW, half, half))
    lines = moved(DEFAULT_KIND, (f"granted.{terms.source}", -NUMBER * half), ("free", NUMBER * half))
    wallet.record(
        Transfer(id=named_id("txn", "many"), organization_id=ORGANIZATION, type="grant", time=NOW, lines=lines)
    )
    wallet.finish()
    await wallets.commit(stored, wallet)
    return scene


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
        "transaction_id": done.id, "amount": "2000", "refunded": "2000", "available": "2000",
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
