"""The laws of the credits ledger, of caps and of leases on two hosts over one store, and hosts that break them."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from shared.adapters.credits import item_wallets
from shared.ports.store import Create, Operation, Replace, Upsert
from tests.doubles.worlds import lease_laws
from tests.doubles.worlds.credit_hosts import MOST_BEHIND, CreditHosts, FaultyStore
from tests.doubles.worlds.credit_laws import tried


def test_the_laws_hold() -> None:
    tried(CreditHosts, examples=6)


def test_the_laws_of_leases_hold_although_clocks_differ() -> None:
    lease_laws.tried(CreditHosts, examples=2, clock_difference=timedelta(seconds=MOST_BEHIND))


class UnguardedStore(FaultyStore):
    """Writes the head whatever it is meanwhile, as a store without ETags would."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        head, *others = operations
        assert isinstance(head, Create | Replace)
        return await super().batch(container, pk, [Upsert(head.document), *others])


class UnguardedHosts(CreditHosts):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.store = UnguardedStore(self.random)
        self.hosts = [self._host(clock) for clock in self.clocks]


class OverwritingStore(FaultyStore):
    """Replaces what is there under a key, instead of finding it."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        upserts = [
            Upsert(operation.document)
            if isinstance(operation, Create) and operation.document["kind"] == item_wallets.TRANSFER
            else operation
            for operation in operations
        ]
        return await super().batch(container, pk, upserts)


class OverwritingHosts(CreditHosts):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.store = OverwritingStore(self.random)
        self.hosts = [self._host(clock) for clock in self.clocks]


@pytest.mark.parametrize("naive", [UnguardedHosts, OverwritingHosts])
def test_naive_hosts_break_them(naive: type[CreditHosts]) -> None:
    with pytest.raises(AssertionError, match="law"):
        tried(naive, examples=30, is_naive=True)


def test_a_host_that_does_not_guard_the_head_breaks_those_of_leases() -> None:
    with pytest.raises(AssertionError, match="law"):
        lease_laws.tried(UnguardedHosts, examples=60, is_naive=True, clock_difference=timedelta(seconds=MOST_BEHIND))
