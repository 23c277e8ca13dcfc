"""When an organization's own credentials learn that it was deleted."""

from datetime import timedelta

import pytest

from shared.bootstrap import Application, Ports
from shared.domain.access.identity import AFTER_DELETION, Permission, Principal
from shared.domain.kernel.errors import UnauthenticatedError
from shared.domain.kernel.ids import named_id
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import NOW

ORGANIZATION = named_id("org", "own")
OPERATOR = Principal("usr_operator", None, frozenset(Permission))


async def test_events_within_ten_seconds_and_all_else_at_once() -> None:
    clock, store = SettableClock(NOW), MemoryStore()
    ports = Ports(store, MemoryQueue(), clock, NoSecrets())
    host, other_host = Application(ports, Settings()), Application(ports, Settings())
    await host.organizations.create(ORGANIZATION, OrganizationDraft(name="Acme", currency="USD", timezone="UTC"))
    draft = ApiKeyDraft(name="Key", scopes=(Permission.EVENTS_WRITE, Permission.EVENTS_READ))
    _, token = await host.api_keys.create(named_id("key", "own"), ORGANIZATION, draft, OPERATOR)

    async def permissions(*, for_events: bool) -> frozenset[Permission]:
        return (await host.authentication.authenticate(token, for_events=for_events)).permissions

    assert Permission.EVENTS_WRITE in await permissions(for_events=True)
    await other_host.organizations.delete(ORGANIZATION, None)
    assert await permissions(for_events=False) <= AFTER_DELETION
    clock.set(NOW + timedelta(seconds=9))
    assert Permission.EVENTS_WRITE in await permissions(for_events=True)
    clock.set(NOW + timedelta(seconds=10))
    assert await permissions(for_events=True) == {Permission.EVENTS_READ}
    clock.set(NOW + timedelta(days=30))
    with pytest.raises(UnauthenticatedError):
        await permissions(for_events=False)
