"""Changes tell of themselves on the trail: in the batch of the change, once each, by whom, and without secrets."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.bootstrap import Application, Ports
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import Account, user_partition
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.audit import ANONYMOUS_ID, Actor, Target
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.ids import new_id
from shared.ports.store import Delete, Operation, Upsert
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.storage import OPERATOR, Records, noting
from shared.services.storage.audit.acting import acting
from shared.services.storage.audit.entries import AuditEntry, AuditHead
from shared.services.storage.audit.personal import ERASED
from shared.services.tenancy.departments import DepartmentDraft
from shared.settings import Settings
from tests.doubles.fakes.counting_store import CountingStore
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.audited_organization import NOW, Acme
from tests.doubles.worlds.billing_world import NoSecrets

ADA = Actor("user", "usr_ada", session_id="ses_1", ip="203.0.113.0/24")


@pytest.fixture
async def acme() -> Acme:
    return await Acme().made()


async def test_a_change_says_who_changed_what_from_what_to_what(acme: Acme) -> None:
    department_id = await acme.department("Support")
    acme.clock.move(timedelta(seconds=1))
    with acting(ADA):
        await acme.host.departments.update(acme.id, department_id, {"name": "Sales"}, None)
    *_, changed = await acme.entries()
    entry = changed.entry
    assert (entry.actor_type, entry.actor_id, entry.session_id) == ("user", "usr_ada", "ses_1")
    assert (entry.action, entry.target_type, entry.target_id) == ("departments.update", "department", department_id)
    assert (changed.before, changed.after) == ({"name": "Support"}, {"name": "Sales"})
    assert (entry.at, changed.ip) == (acme.clock.now(), "203.0.113.0/24")
    assert await acme.findings() == []


async def test_what_changes_nothing_leaves_no_entry(acme: Acme) -> None:
    department_id = await acme.department("Support")
    before = await acme.actions()
    await acme.host.departments.update(acme.id, department_id, {"name": "Support"}, None)
    assert await acme.actions() == before


async def test_a_deletion_keeps_what_was_deleted(acme: Acme) -> None:
    department_id = await acme.department("Support")
    await acme.host.departments.delete(acme.id, department_id, None)
    deleted = (await acme.entries(action="departments.delete"))[0]
    assert deleted.before is not None
    assert (deleted.before["name"], deleted.after) == ("Support", None)


async def test_an_organization_begins_its_trail_with_its_creation(acme: Acme) -> None:
    (created,) = await acme.entries()
    assert (created.entry.action, created.entry.target_id, created.entry.number) == ("organizations.create", acme.id, 1)
    assert created.after is not None
    assert created.after["billing_email"] == "pay@acme.example"


async def test_a_key_is_shown_without_its_secret_and_by_the_root_of_the_key_that_made_it(acme: Acme) -> None:
    owner = Principal("usr_ada", acme.id, frozenset(Permission))
    draft = ApiKeyDraft(name="CI", scopes=(Permission.AGENTS_READ,))
    key, token = await acme.host.api_keys.create(new_id("key"), acme.id, draft, owner)
    (made,) = await acme.entries(action="api_keys.create")
    assert made.after is not None
    assert (made.after["name"], made.after["fingerprint"]) == ("CI", "(secret)")
    everything = str(acme.store._partitions[TENANTS.name, acme.id])
    assert token not in everything
    assert key.entity.fingerprint not in made.entry.model_dump_json()


async def test_one_operation_joins_the_batch_and_one_request_chains_it(acme: Acme) -> None:
    department_id = await acme.department("Support")
    bare = Acme(CountingStore())
    records = acme.host.departments
    assert isinstance(acme.store, CountingStore)
    before = acme.store.requests
    await records.update(acme.id, department_id, {"name": "Sales"}, None)
    audited = acme.store.requests - before
    plain = Records(bare.store, TENANTS, type((await records.get(acme.id, department_id)).entity))
    department = (await records.get(acme.id, department_id)).entity
    await plain.create(acme.id, department)
    assert isinstance(bare.store, CountingStore)
    before = bare.store.requests
    await plain.change(acme.id, department_id, lambda each: each.changed(description="Calls"))
    assert audited - (bare.store.requests - before) == 1


async def test_changes_at_once_are_chained_together(acme: Acme) -> None:
    assert isinstance(acme.store, CountingStore)
    await acme.department("First")
    before = acme.store.requests
    await asyncio.gather(*(acme.department(f"Team {number}") for number in range(40)))
    assert await acme.findings() == []
    assert len(await acme.entries()) == 42
    print(f"40 at once: {(acme.store.requests - before) / 40:.2f} requests each")  # noqa: T201  figures


async def test_hosts_at_once_share_one_chain(acme: Acme) -> None:
    hosts = [acme.another_host() for _ in range(4)]
    await asyncio.gather(
        *(
            host.departments.create(new_id("dep"), acme.id, DepartmentDraft(name=f"{number} of {index}"))
            for index, host in enumerate(hosts)
            for number in range(10)
        )
    )
    assert await acme.findings() == []
    assert [each.entry.number for each in await acme.entries()] == list(range(1, 42))


class Failing(MemoryStore):
    """Refuses the writes of a trail for as long as it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_failing = False

    async def batch(self, container: str, pk: str, operations: Any) -> list[str]:
        kinds = {each.document.get("kind") for each in operations if not isinstance(each, Delete)}
        if self.is_failing and AuditHead.kind in kinds:
            raise UnavailableError("The store is throttled")
        return await super().batch(container, pk, operations)


async def test_what_cannot_be_chained_at_once_is_swept_once() -> None:
    store = Failing()
    acme = await Acme(store).made()
    store.is_failing = True
    await acme.department("Support")
    assert await acme.actions() == ["organizations.create"]
    store.is_failing = False
    for _ in range(2):
        acme.clock.move(timedelta(minutes=6))
        await acme.another_host().outbox.sweep()
    assert await acme.actions() == ["organizations.create", "departments.create"]
    assert await acme.findings() == []


async def test_an_entry_that_somebody_puts_into_the_outbox_is_not_chained(acme: Acme) -> None:
    store = Failing()
    acme = await Acme(store).made()
    store.is_failing = True
    await acme.department("Support")
    store.is_failing = False
    items = store._partitions[TENANTS.name, acme.id].values()
    (pending,) = [kept.item().document for kept in items if kept.item().document["kind"] == "outbox"]
    forged = pending["payload"]["entries"].replace("departments.create", "departments.forged")
    await store.upsert(TENANTS.name, acme.id, {**pending, "payload": {"entries": forged}})
    acme.clock.move(timedelta(minutes=6))
    await acme.another_host().outbox.sweep()
    assert await acme.actions() == ["organizations.create"]


async def test_no_change_goes_without_its_entry(acme: Acme) -> None:
    class NoVault(NoSecrets):
        async def get(self, name: str) -> str:
            raise UnavailableError(f"{name} cannot be read now")

    host = Application(Ports(acme.store, MemoryQueue(), acme.clock, NoVault()), Settings())
    with pytest.raises(UnavailableError):
        await host.departments.create(new_id("dep"), acme.id, DepartmentDraft(name="Support"))
    assert (await acme.host.departments.page(acme.id, 10, None)).entities == []


async def test_an_account_is_told_of_in_every_organization_of_the_person(acme: Acme) -> None:
    other = new_id("org")
    user_id = new_id("usr")
    accounts = Records(acme.host.audited_store, DIRECTORY, Account)
    account = Account(
        id="account",
        user_id=user_id,
        email="ada@example.com",
        full_name="Ada Lovelace",
        password_hash="one",
        status="active",
        organization_ids=(acme.id, other),
        created_at=NOW,
    )
    stored = await accounts.create(user_partition(user_id), account)
    with acting(Actor("operator", "usr_support")):
        await accounts.write(user_partition(user_id), stored, account.changed(status="disabled"))
    for trail in (acme.id, other):
        (deactivated,) = await acme.entries(trail, action="users.deactivate")
        assert (deactivated.entry.actor_type, deactivated.entry.target_id) == ("operator", user_id)
        assert await acme.findings(trail) == []
    assert not [key for key, items in acme.store._partitions.items() if any("outbox" in name for name in items)]


async def test_a_note_joins_a_batch_without_an_item_of_its_own(acme: Acme) -> None:
    note = noting("sessions.lock", Target("user", "usr_ada"), [acme.id], actor_id="usr_ada", details={"failures": 5})
    with acting(Actor("system", ANONYMOUS_ID, ip="198.51.100.0/24")):
        etags = await acme.host.audited_store.batch(DIRECTORY.name, "user:usr_ada", [note])
    assert etags == [""]
    (locked,) = await acme.entries(action="sessions.lock")
    assert (locked.entry.actor_type, locked.entry.actor_id, locked.after) == ("user", "usr_ada", {"failures": 5})
    assert locked.ip == "198.51.100.0/24"
    assert acme.store._partitions[DIRECTORY.name, "user:usr_ada"] == {}


async def test_personal_values_are_sealed_and_gone_with_their_key_while_the_chain_stays_whole(acme: Acme) -> None:
    with acting(ADA):
        await acme.host.organizations.update(acme.id, {"billing_email": "ada@example.com"}, None)
    text = str(acme.store._partitions[TENANTS.name, acme.id])
    trail = "".join(part for part in text.split("_Kept") if "audit_entry" in part)
    for personal in ("pay@acme.example", "ada@example.com", "203.0.113"):
        assert personal not in trail
    (changed,) = await acme.entries(action="organizations.update")
    assert changed.after == {"billing_email": "ada@example.com"}
    email = changed.entry.sealed["after/billing_email"]
    assert not isinstance(email, tuple)
    await acme.host.audited_store.personal.destroy(email.subject)
    await acme.host.audited_store.personal.destroy("usr_ada")
    (changed,) = await acme.entries(action="organizations.update")
    assert (changed.before, changed.after) == ({"billing_email": "pay@acme.example"}, {"billing_email": ERASED})
    assert (changed.ip, changed.entry.actor_id) == (ERASED, "usr_ada")
    assert await acme.findings() == []
    with acting(ADA):
        await acme.another_host().departments.create(new_id("dep"), acme.id, DepartmentDraft(name="Support"))
    (later,) = await acme.entries(action="departments.create")
    assert later.ip is None  # no other key takes the place of one that was destroyed


@pytest.mark.parametrize(
    "operation",
    [
        Upsert({"id": "aud_1", "kind": AuditEntry.kind}),
        Upsert({"id": "audit_head", "kind": AuditHead.kind}),
        Delete("aud_1"),
        Delete("audit_head"),
    ],
)
async def test_no_service_writes_a_trail(acme: Acme, operation: Operation) -> None:
    with pytest.raises(TypeError):
        await acme.host.audited_store.batch(TENANTS.name, acme.id, [operation])


async def test_it_is_filtered_by_who_what_which_and_when(acme: Acme) -> None:
    acme.clock.move(timedelta(hours=1))
    department_id = await acme.department("Support")
    acme.clock.move(timedelta(hours=1))
    with acting(ADA):
        await acme.host.departments.delete(acme.id, department_id, None)
    assert await acme.actions(actor="usr_ada") == ["departments.delete"]
    assert await acme.actions(target=department_id) == ["departments.create", "departments.delete"]
    assert await acme.actions(action="departments.create") == ["departments.create"]
    start, end = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    assert await acme.actions(start=start, end=end) == ["departments.create"]
    assert await acme.actions(start=start, actor="system") == ["departments.create"]
    assert await acme.actions(OPERATOR) == []
