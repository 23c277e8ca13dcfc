"""An organization whose changes are audited, on hosts over memory."""

from datetime import UTC, datetime
from typing import Any, Self

from shared.bootstrap import Application, Ports
from shared.domain.kernel.ids import new_id
from shared.services.access.audit import AuditQuery, ReadEntry
from shared.services.storage.audit.verification import Verification, Verified
from shared.services.tenancy.departments import DepartmentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.settings import Settings
from tests.doubles.fakes.counting_store import CountingStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Acme:
    """An organization on a host over memory."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.id = new_id("org")
        self.store = CountingStore() if store is None else store
        self.clock = SettableClock(NOW)
        self.host = self.another_host()

    def another_host(self, store: Any = None) -> Application:
        return Application(Ports(store or self.store, MemoryQueue(), self.clock, NoSecrets()), Settings())

    async def made(self) -> Self:
        draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", billing_email="pay@acme.example")
        await self.host.organizations.create(self.id, draft)
        return self

    async def department(self, name: str) -> str:
        department_id = new_id("dep")
        await self.host.departments.create(department_id, self.id, DepartmentDraft(name=name))
        return department_id

    async def entries(self, trail: str | None = None, **query: Any) -> list[ReadEntry]:
        """Oldest first."""
        entries, cursor = await self.another_host().audit.page(
            self.id if trail is None else trail, AuditQuery(**query), 200, None
        )
        assert cursor is None
        return list(reversed(entries))

    async def actions(self, trail: str | None = None, **query: Any) -> list[str]:
        return [each.entry.action for each in await self.entries(trail, **query)]

    async def findings(self, trail: str | None = None) -> list[str]:
        checked = Verification(self.store, self.host.audited_store.keys)
        return [each.detail async for each in checked.findings(trail or self.id, Verified())]
