"""When a key was last used: few writes over several hosts, none within the request, and a fault loses nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.access.api_keys import ApiKey
from shared.domain.kernel.errors import UnavailableError
from shared.ports.store import Operation
from shared.services.access.key_uses import WRITTEN_EVERY, KeyUses
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def key(organization_id: str | None = "org_1", key_id: str = "key_1") -> ApiKey:
    return ApiKey(
        id=key_id,
        organization_id=organization_id,
        name="Key",
        scopes=(),
        key_prefix="xyra_",
        fingerprint=key_id,
        created_at=NOW,
    )


class WritesCounted(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.is_down = False

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        if self.is_down:
            raise UnavailableError("The store is down")
        self.writes += 1
        return await super().batch(container, pk, operations)


class Hosts:
    def __init__(self) -> None:
        self.clock = SettableClock(NOW)
        self.store = WritesCounted()
        self.hosts = [KeyUses(self.store, self.clock) for _ in range(3)]

    async def use(self, used: ApiKey, times: int = 1) -> None:
        for number in range(times):
            self.hosts[number % len(self.hosts)].note(used)
            for host in self.hosts:
                await host.close()

    async def last_used(self, used: ApiKey) -> datetime | None:
        return (await self.hosts[0].of(used.organization_id or "operator", [used.id])).get(used.id)


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


async def test_an_hours_uses_over_three_hosts_are_one_write(hosts: Hosts) -> None:
    for _ in range(59):
        await hosts.use(key(), times=20)
        hosts.clock.move(MINUTE)
    assert hosts.store.writes == 1
    assert await hosts.last_used(key()) == NOW
    hosts.clock.move(MINUTE)
    await hosts.use(key(), times=20)
    assert hosts.store.writes == 2
    assert await hosts.last_used(key()) == NOW + WRITTEN_EVERY


async def test_keys_and_owners_are_apart(hosts: Hosts) -> None:
    await hosts.use(key())
    await hosts.use(key(None, "key_2"))
    assert await hosts.last_used(key()) == await hosts.last_used(key(None, "key_2")) == NOW
    assert await hosts.last_used(key("org_2")) is None


async def test_what_cannot_be_written_is_written_with_a_later_use(hosts: Hosts) -> None:
    hosts.store.is_down = True
    await hosts.use(key())
    hosts.store.is_down = False
    await hosts.hosts[0].close()
    assert await hosts.last_used(key()) is None
    hosts.clock.move(MINUTE)
    await hosts.use(key())
    assert await hosts.last_used(key()) == NOW + MINUTE


async def test_a_deleted_key_leaves_nothing(hosts: Hosts) -> None:
    await hosts.use(key())
    await hosts.hosts[0].forget("org_1", "key_1")
    assert await hosts.last_used(key()) is None
