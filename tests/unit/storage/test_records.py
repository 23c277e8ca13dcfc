"""Typed records over the store: created once, unique by a claimed name, changed under their ETag."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError, NotFoundError, PreconditionFailedError
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.departments import Department
from shared.domain.tenancy.projects import Project
from shared.ports.store import Item
from shared.services.storage import Operation, Records, UniqueField, creating, name_claim
from shared.services.storage.owners import Owners
from shared.services.storage.retrying import MAXIMUM_ATTEMPTS
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.memory_store import MemoryStore

ORGANIZATION = "org_1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class RacedStore(MemoryStore):
    """Lets somebody else write first, as often as is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.races = 0
        self.batches = 0
        self.race: Callable[[], Awaitable[object]] | None = None

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.batches += 1
        if self.race is not None and self.races:
            self.races -= 1
            race, self.race = self.race, None
            await race()
            self.race = race
        return await super().batch(container, pk, operations)


def department(number: int, name: str = "Support") -> Department:
    return Department(id=f"dep_{number}", organization_id=ORGANIZATION, name=name, created_at=NOW)


def records_of(store: MemoryStore) -> Records[Department]:
    return Records(
        store, TENANTS, Department, prefix="dep", owners=Owners(store), unique=UniqueField("name", name_claim)
    )


def renamed(name: str) -> Callable[[Department], Department]:
    return lambda current: current.changed(name=name)


def described(text: str) -> Callable[[Department], Department]:
    return lambda current: current.changed(description=(current.description or "") + text)


@pytest.fixture
def store() -> RacedStore:
    return RacedStore()


@pytest.fixture
def departments(store: RacedStore) -> Records[Department]:
    return records_of(store)


async def test_what_was_created_is_read_with_its_etag(departments: Records[Department]) -> None:
    created = await departments.create(ORGANIZATION, department(1))
    assert await departments.get(ORGANIZATION, "dep_1") == created
    assert (await departments.get_many(ORGANIZATION, ["dep_1", "dep_2"])) == {"dep_1": created}


async def test_creating_again_with_the_same_id_gives_what_was_created(departments: Records[Department]) -> None:
    created = await departments.create(ORGANIZATION, department(1))
    assert await departments.create(ORGANIZATION, department(1).changed(description="later")) == created


async def test_a_name_is_claimed_once_however_it_is_written(departments: Records[Department]) -> None:
    await departments.create(ORGANIZATION, department(1, "Support"))
    with pytest.raises(ConflictError, match="The name is taken"):
        await departments.create(ORGANIZATION, department(2, "SUPPORT"))
    await departments.create("org_2", department(2, "Support"))


async def test_a_name_that_is_claimed_at_the_same_moment_is_taken(store: RacedStore) -> None:
    departments = records_of(store)
    store.races, store.race = 1, lambda: departments.create(ORGANIZATION, department(2))
    with pytest.raises(ConflictError) as refused:
        await departments.create(ORGANIZATION, department(1))
    assert [place.pointer for place in refused.value.errors] == ["/name"]


async def test_a_changed_name_frees_the_old_one_and_claims_the_new_one(departments: Records[Department]) -> None:
    await departments.create(ORGANIZATION, department(1, "Support"))
    await departments.create(ORGANIZATION, department(2, "Sales"))
    with pytest.raises(ConflictError, match="The name is taken"):
        await departments.change(ORGANIZATION, "dep_2", renamed("Support"))
    await departments.change(ORGANIZATION, "dep_1", renamed("Care"))
    await departments.change(ORGANIZATION, "dep_2", renamed("Support"))
    assert [each.name async for each, _ in departments.all(ORGANIZATION)] == ["Care", "Support"]


async def test_a_deleted_entity_is_gone_and_its_name_is_free(departments: Records[Department]) -> None:
    await departments.create(ORGANIZATION, department(1))
    await departments.delete(ORGANIZATION, "dep_1")
    with pytest.raises(NotFoundError, match="There is no such department"):
        await departments.get(ORGANIZATION, "dep_1")
    await departments.create(ORGANIZATION, department(2))


async def test_another_kind_or_an_impossible_id_is_not_found(store: RacedStore) -> None:
    departments = records_of(store)
    await store.create(TENANTS.name, ORGANIZATION, {"id": "dep_1", "kind": "other"})
    for missing in ("dep_1", "dep_2", "dep/1", "prj_1"):
        assert await departments.find(ORGANIZATION, missing) is None
    assert await departments.get_many(ORGANIZATION, ["dep_1"]) == {}


async def test_a_change_that_lost_a_race_is_decided_again_on_what_is_there_now(store: RacedStore) -> None:
    departments = records_of(store)
    await departments.create(ORGANIZATION, department(1))
    store.races, store.race = 1, lambda: departments.change(ORGANIZATION, "dep_1", described("theirs, "))
    changed = await departments.change(ORGANIZATION, "dep_1", described("ours"))
    assert changed.entity.description == "theirs, ours"
    assert await departments.get(ORGANIZATION, "dep_1") == changed


async def test_a_change_that_names_a_version_loses_to_whoever_was_faster(store: RacedStore) -> None:
    departments = records_of(store)
    created = await departments.create(ORGANIZATION, department(1))
    store.races, store.race = 1, lambda: departments.change(ORGANIZATION, "dep_1", described("theirs"))
    with pytest.raises(PreconditionFailedError):
        await departments.change(ORGANIZATION, "dep_1", described("ours"), created.etag)
    assert (await departments.get(ORGANIZATION, "dep_1")).entity.description == "theirs"


def test_a_change_that_always_loses_ends_as_a_conflict() -> None:
    store = RacedStore()
    departments = records_of(store)

    async def lose() -> None:
        await departments.create(ORGANIZATION, department(1))
        store.races, store.race = 1000, lambda: departments.change(ORGANIZATION, "dep_1", described("x"))
        with pytest.raises(ConflictError, match="is being changed by many"):
            await departments.change(ORGANIZATION, "dep_1", described("ours"))

    virtual_time.run(lose())
    assert store.races == 1000 - MAXIMUM_ATTEMPTS


async def test_a_change_that_changes_nothing_writes_nothing(store: RacedStore) -> None:
    departments = records_of(store)
    created = await departments.create(ORGANIZATION, department(1))
    before = store.batches
    assert await departments.change(ORGANIZATION, "dep_1", renamed("Support")) == created
    assert store.batches == before


async def test_a_change_may_be_decided_with_other_reads(departments: Records[Department]) -> None:
    await departments.create(ORGANIZATION, department(1))
    await departments.create(ORGANIZATION, department(2, "Sales"))

    async def decide(current: Department) -> Department:
        other = await departments.get(ORGANIZATION, "dep_2")
        return current.changed(description=other.entity.name)

    changed = await departments.change(ORGANIZATION, "dep_1", decide)
    assert changed.entity.description == "Sales"


async def test_pages_are_typed_and_continue_at_their_cursor(departments: Records[Department]) -> None:
    for number in range(1, 4):
        await departments.create(ORGANIZATION, department(number, f"Department {number}"))
    first = await departments.page(ORGANIZATION, limit=2)
    rest = await departments.page(ORGANIZATION, limit=2, cursor=first.cursor)
    assert [each.id for each in (*first.entities, *rest.entities)] == ["dep_1", "dep_2", "dep_3"]
    assert rest.cursor is None
    assert first.stored[0] == await departments.get(ORGANIZATION, "dep_1")


class LateStore(MemoryStore):
    """Serves the next read as it was at an earlier time."""

    def __init__(self) -> None:
        super().__init__()
        self.stale: list[Item | None] = []

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        return self.stale.pop() if self.stale else await super().get(container, pk, id)


def test_what_ends_without_a_write_is_decided_twice() -> None:
    """As the read that it rests on may be stale."""
    store = LateStore()
    departments = records_of(store)

    async def history() -> None:
        created = await departments.create(ORGANIZATION, department(1))
        before = await store.get(TENANTS.name, ORGANIZATION, "dep_1")
        store.stale = [None]
        cared = await departments.change(ORGANIZATION, "dep_1", renamed("Care"), created.etag)
        store.stale = [before]
        assert await departments.change(ORGANIZATION, "dep_1", renamed("Care"), cared.etag) == cared, "it is so now"
        store.stale = [before]
        supporting = await departments.change(ORGANIZATION, "dep_1", renamed("Support"))
        assert supporting.entity.name == "Support", "it was so before"
        store.stale = [None]
        await departments.delete(ORGANIZATION, "dep_1")
        with pytest.raises(NotFoundError):
            await departments.change(ORGANIZATION, "dep_1", renamed("Care"))

    virtual_time.run(history())


async def test_what_is_there_is_left_as_it_is_by_an_ensuring_write(departments: Records[Department]) -> None:
    assert await departments.ensure(ORGANIZATION, department(1))
    assert not await departments.ensure(ORGANIZATION, department(1).changed(description="later"))
    assert (await departments.get(ORGANIZATION, "dep_1")).entity == department(1)


def counted(current: Department | None) -> Department:
    known = current or department(1)
    return known.changed(description=f"{known.description or ''}|")


async def test_a_change_may_create_what_is_not_there(store: RacedStore) -> None:
    departments = records_of(store)
    store.races, store.race = 1, lambda: departments.change_or_create(ORGANIZATION, "dep_1", counted)
    changed = await departments.change_or_create(ORGANIZATION, "dep_1", counted)
    assert changed.entity.description == "||"
    with pytest.raises(PreconditionFailedError):
        await departments.change_or_create(ORGANIZATION, "dep_1", counted, "another")


def test_a_version_of_what_is_not_there_cannot_be_changed() -> None:
    departments = records_of(MemoryStore())
    with pytest.raises(PreconditionFailedError):
        virtual_time.run(departments.change_or_create(ORGANIZATION, "dep_1", counted, "any"))


async def test_many_are_put_in_batches_and_removed_one_by_one(store: RacedStore) -> None:
    plain = Records(store, TENANTS, Department)
    await plain.put(ORGANIZATION, *(department(number, f"Department {number}") for number in range(250)))
    assert store.batches == 3
    for _ in range(2):
        await plain.remove(ORGANIZATION, "dep_7")
    assert len([each async for each in plain.all(ORGANIZATION)]) == 249


async def test_a_claim_expires_with_its_entity(store: RacedStore) -> None:
    projects = Records(store, TENANTS, Project, unique=UniqueField("name", name_claim))
    project = Project(id="prj_1", organization_id=ORGANIZATION, name="Site", created_at=NOW)
    claim_id = name_claim(project).id

    async def lifetimes() -> list[object]:
        items = await store.get_many(TENANTS.name, ORGANIZATION, ["prj_1", claim_id])
        return [items[id_].document.get("ttl") for id_ in ("prj_1", claim_id)]

    await projects.create(ORGANIZATION, project)
    assert await lifetimes() == [None, None]
    await projects.change(ORGANIZATION, "prj_1", lambda current: current.changed(status="deleted"))
    expiring, claimed = await lifetimes()
    assert expiring == claimed
    assert expiring is not None
    await projects.change(ORGANIZATION, "prj_1", lambda current: current.changed(status="active"))
    assert await lifetimes() == [None, None]


async def test_an_entity_is_created_with_when_it_expires_and_is_due(store: RacedStore) -> None:
    departments = records_of(store)
    await departments.create(ORGANIZATION, department(1), expires_in=timedelta(hours=1), due_at=NOW)
    item = await store.get(TENANTS.name, ORGANIZATION, "dep_1")
    assert item is not None
    assert (item.document["ttl"], item.document["due_at"]) == (3600, to_text(NOW))
    await departments.change(ORGANIZATION, "dep_1", renamed("Care"))
    item = await store.get(TENANTS.name, ORGANIZATION, "dep_1")
    assert item is not None
    assert not {"ttl", "due_at"} & item.document.keys()


async def test_what_belongs_to_a_change_is_stored_with_it_or_not_at_all(store: RacedStore) -> None:
    departments = records_of(store)
    await departments.create(ORGANIZATION, department(1), creating(department(5, "Other")))
    assert await departments.find(ORGANIZATION, "dep_5") is not None
    await departments.create(ORGANIZATION, department(2, "Sales"))

    def beside(before: Department, after: Department) -> list[Operation]:
        return [creating(department(3, f"{before.name} and {after.name}"))]

    await departments.change(ORGANIZATION, "dep_1", renamed("Care"), beside=beside)
    assert (await departments.get(ORGANIZATION, "dep_3")).entity.name == "Support and Care"
    with pytest.raises(ConflictError):
        await departments.change(ORGANIZATION, "dep_1", renamed("Sales"), beside=lambda *_: [creating(department(4))])
    assert await departments.find(ORGANIZATION, "dep_4") is None
