"""Members: roles, the last owner, and the seats of those who left."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.bootstrap import Application, Ports
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.access.identity import OPERATOR_ONLY, ROLE_PERMISSIONS, Permission, Principal, Role
from shared.domain.access.members import FormerMember, LastOwnerError, member_id
from shared.domain.kernel.errors import ForbiddenError, UnauthenticatedError, ValidationError
from shared.domain.kernel.ids import new_id
from shared.ports.store import every_item
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.tenancy.projects import ProjectDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import NOW

ORGANIZATION = "org_1"
OPERATOR = Principal("usr_0", None, frozenset(Permission))


def principal(user_id: str, role: Role) -> Principal:
    return Principal(user_id, ORGANIZATION, ROLE_PERMISSIONS[role] - OPERATOR_ONLY, user_id=user_id, role=role)


class People:
    """Members of one organization, on a store that two hosts share."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), SettableClock(NOW)
        ports = Ports(self.store, MemoryQueue(), self.clock, NoSecrets())
        self.hosts = [Application(ports, Settings()) for _ in range(2)]

    @property
    def host(self) -> Application:
        return self.hosts[0]

    async def join(self, user_id: str, role: Role, **fields: Any) -> Principal:
        """A member as earlier versions made them, with an account."""
        membership = Membership(id=user_id, role=role, joined_at=self.clock.now(), **fields)
        await self.store.upsert(TENANTS.name, ORGANIZATION, membership.document())
        account = Account(
            id=ACCOUNT,
            user_id=user_id,
            email=f"{user_id}@example.com",
            full_name=user_id,
            password_hash=None,
            status="active",
            organization_ids=(ORGANIZATION,),
            created_at=self.clock.now(),
        )
        await self.store.upsert(DIRECTORY.name, user_partition(user_id), account.document())
        return principal(user_id, role)

    async def change(self, user_id: str, by: Principal, host: Application | None = None, **changes: Any) -> Membership:
        members = (host or self.host).members
        return (await members.change(ORGANIZATION, member_id(user_id), changes, by, None)).entity

    async def remove(self, user_id: str, by: Principal) -> None:
        await self.host.members.remove(ORGANIZATION, member_id(user_id), by, None)

    async def roles(self) -> dict[str, Role]:
        page = await self.host.members.page(ORGANIZATION, 100, None)
        return {membership.id: membership.role for membership in page.entities}

    async def headcount(self) -> list[tuple[timedelta, int]]:
        """The number of members by time since the beginning."""
        counts = await self.host.members.member_counts(ORGANIZATION)
        return [(entry.effective_from - NOW, entry.value) for entry in counts.entries[1:]]


@pytest.fixture
async def people() -> People:
    people = People()
    draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC")
    await people.host.organizations.create(ORGANIZATION, draft)
    return people


@pytest.mark.parametrize("giver", ["admin", "owner"])
async def test_nobody_gives_a_role_above_their_own(people: People, giver: Role) -> None:
    by = await people.join("usr_1", giver)
    await people.join("usr_2", "owner")
    await people.join("usr_3", "viewer")
    assert (await people.change("usr_3", by, role="admin")).role == "admin"
    if giver == "owner":
        assert (await people.change("usr_3", by, role="owner")).role == "owner"
        return
    for user_id, role in (("usr_3", "owner"), ("usr_1", "owner"), ("usr_2", "viewer")):
        with pytest.raises(ForbiddenError):
            await people.change(user_id, by, role=role)
    with pytest.raises(ForbiddenError):
        await people.remove("usr_2", by)
    assert await people.roles() == {"usr_1": "admin", "usr_2": "owner", "usr_3": "admin"}


async def test_a_role_change_ends_the_members_sessions_there_in_the_same_write(people: People) -> None:
    by = await people.join("usr_1", "owner")
    await people.join("usr_2", "viewer")
    people.clock.move(timedelta(hours=1))
    assert (await people.change("usr_2", by, role="developer")).sessions_ended_at == NOW + timedelta(hours=1)
    people.clock.move(timedelta(hours=1))
    unchanged = await people.change("usr_2", by, role="developer")
    assert unchanged.sessions_ended_at == NOW + timedelta(hours=1)


async def test_the_last_owner_stays(people: People) -> None:
    by = await people.join("usr_1", "owner")
    for attempt in (people.change("usr_1", by, role="admin"), people.remove("usr_1", by)):
        with pytest.raises(LastOwnerError):
            await attempt
    await people.join("usr_2", "admin")
    await people.change("usr_2", by, role="owner")
    await people.remove("usr_1", by)
    assert await people.roles() == {"usr_2": "owner"}
    with pytest.raises(LastOwnerError):
        await people.remove("usr_2", OPERATOR)


async def test_the_last_owner_of_a_deleted_organization_may_go(people: People) -> None:
    by = await people.join("usr_1", "owner")
    await people.host.organizations.delete(ORGANIZATION, None)
    await people.remove("usr_1", by)
    assert await people.roles() == {}


@pytest.mark.parametrize("attempt", range(5))
async def test_of_two_owners_who_demote_each_other_one_stays(people: People, attempt: int) -> None:
    owners = [await people.join(f"usr_{number}", "owner") for number in (1, 2)]
    results = await asyncio.gather(
        people.change("usr_2", owners[0], people.hosts[0], role="viewer"),
        people.change("usr_1", owners[1], people.hosts[1], role="viewer"),
        return_exceptions=True,
    )
    assert sorted((await people.roles()).values()) == ["owner", "viewer"], attempt
    assert [type(result) for result in results if isinstance(result, Exception)] == [LastOwnerError]


async def test_who_left_counts_for_the_time_of_membership_and_leaves_no_trace(people: People) -> None:
    by = await people.join("usr_1", "owner")
    people.clock.move(timedelta(days=1))
    await people.join("usr_2", "viewer")
    people.clock.move(timedelta(days=1))
    before = await people.headcount()
    await people.remove("usr_2", by)
    after = await people.headcount()
    assert after == [(timedelta(0), 1), (timedelta(days=1), 2), (timedelta(days=2), 1)]
    assert after[: len(before)] == before
    people.clock.move(timedelta(days=1))
    await people.join("usr_2", "viewer")
    assert (await people.headcount())[-1] == (timedelta(days=3), 2)
    left = every_item(people.store, TENANTS.name, ORGANIZATION, FormerMember.kind)
    (former,) = [item.document async for item in left]
    assert former.keys() == {"id", "kind", "joined_at", "left_at"}
    assert former["id"] != member_id("usr_2")


async def test_the_account_of_who_left_lists_the_organization_no_longer(people: People) -> None:
    by = await people.join("usr_1", "owner")
    await people.join("usr_2", "viewer")
    await people.remove("usr_2", by)
    accounts = await people.host.members.accounts_of(["usr_1", "usr_2"])
    assert {id_: account.organization_ids for id_, account in accounts.items()} == {
        "usr_1": (ORGANIZATION,),
        "usr_2": (),
    }
    assert await people.host.outbox.sweep() == 0


async def test_projects_limit_a_member_to_what_they_allow(people: People) -> None:
    by = await people.join("usr_1", "owner")
    await people.join("usr_2", "admin")
    project_id = new_id("prj")
    await people.host.projects.create(project_id, ORGANIZATION, ProjectDraft(name="Website"))
    limited = await people.change("usr_2", by, projects=[{"id": project_id, "role": "developer"}])
    assert limited.permissions() == {
        Permission.AGENTS_READ,
        Permission.AGENTS_WRITE,
        Permission.EVENTS_READ,
        Permission.EVENTS_WRITE,
        Permission.OUTCOMES_READ,
        Permission.USAGE_READ,
        Permission.PROJECTS_READ,
        Permission.API_KEYS_READ,
    }
    assert limited.project_permissions() == {project_id: limited.permissions()}
    lifted = await people.change("usr_2", by, projects=None)
    assert lifted.permissions() == ROLE_PERMISSIONS["admin"]
    for user_id, projects in (
        ("usr_1", [{"id": project_id, "role": "viewer"}]),
        ("usr_2", [{"id": new_id("prj"), "role": "viewer"}]),
        ("usr_2", [{"id": project_id, "role": "viewer"}] * 2),
    ):
        with pytest.raises(ValidationError):
            await people.change(user_id, by, projects=projects)


SCOPES = (Permission.EVENTS_WRITE, Permission.AGENTS_WRITE)
End = Callable[[People, Principal], Any]


async def key_of(people: People, maker: Principal, **fields: Any) -> tuple[str, str]:
    draft = ApiKeyDraft(name="Key", scopes=fields.pop("scopes", SCOPES), **fields)
    stored, token = await people.host.api_keys.create(new_id("key"), ORGANIZATION, draft, maker)
    return stored.entity.id, token


@pytest.mark.parametrize(
    "end",
    [
        lambda people, by: people.remove("usr_2", by),
        lambda people, by: people.change("usr_2", by, role="billing"),
        lambda people, by: people.change("usr_2", by, projects=[{"id": "prj_1", "role": "admin"}]),
    ],
    ids=["removed", "loses a scope", "limited to a project"],
)
async def test_a_key_stops_with_its_maker_until_an_owner_adopts_it(people: People, end: End) -> None:
    owner, admin = await people.join("usr_1", "owner"), await people.join("usr_2", "admin")
    await people.host.projects.create("prj_1", ORGANIZATION, ProjectDraft(name="Website"))
    key_id, token = await key_of(people, admin, scopes=(*SCOPES, Permission.API_KEYS_WRITE))
    caller = await people.host.authentication.authenticate(token, for_events=False)
    _, child = await key_of(people, caller)
    await end(people, owner)
    for stopped in (token, child):
        with pytest.raises(UnauthenticatedError):
            await people.host.authentication.authenticate(stopped, for_events=False)
    with pytest.raises(ForbiddenError):
        await people.host.api_keys.adopt(ORGANIZATION, key_id, OPERATOR)
    adopted, _ = await people.host.api_keys.adopt(ORGANIZATION, key_id, owner)
    assert (adopted.created_by, adopted.maker) == ("usr_2", "usr_1")
    assert (await people.host.authentication.authenticate(token, for_events=False)).id == key_id


async def test_events_stop_at_most_ten_seconds_after_the_maker_left(people: People) -> None:
    owner, admin = await people.join("usr_1", "owner"), await people.join("usr_2", "admin")
    _, token = await key_of(people, admin)
    await people.host.authentication.authenticate(token, for_events=True)
    await people.remove("usr_2", owner)
    await people.host.authentication.authenticate(token, for_events=True)
    with pytest.raises(UnauthenticatedError):
        await people.host.authentication.authenticate(token, for_events=False)
    people.clock.move(timedelta(seconds=10))
    with pytest.raises(UnauthenticatedError):
        await people.host.authentication.authenticate(token, for_events=True)


async def test_a_deactivated_key_works_no_more(people: People) -> None:
    owner = await people.join("usr_1", "owner")
    key_id, token = await key_of(people, owner)
    deactivated, _ = await people.host.api_keys.deactivate(ORGANIZATION, key_id)
    assert not deactivated.is_active
    with pytest.raises(UnauthenticatedError):
        await people.hosts[1].authentication.authenticate(token, for_events=False)
    await people.host.api_keys.deactivate(ORGANIZATION, key_id)
    assert await people.host.outbox.sweep() == 0


async def test_a_limited_members_keys_carry_the_same_projects(people: People) -> None:
    owner = await people.join("usr_1", "owner")
    await people.join("usr_2", "viewer")
    for project_id in ("prj_1", "prj_2", "prj_3"):
        await people.host.projects.create(project_id, ORGANIZATION, ProjectDraft(name=project_id))
    grants = [{"id": "prj_1", "role": "admin"}, {"id": "prj_2", "role": "viewer"}]
    membership = await people.change("usr_2", owner, projects=grants)
    limited = Principal(
        "usr_2",
        ORGANIZATION,
        membership.permissions(),
        user_id="usr_2",
        role="viewer",
        projects=membership.project_permissions(),
    )
    key_id, token = await key_of(people, limited, scopes=(Permission.AGENTS_READ,))
    assert (await people.host.api_keys.get(ORGANIZATION, key_id)).entity.projects == ("prj_1", "prj_2")
    caller = await people.host.authentication.authenticate(token, for_events=False)
    assert caller.projects_with(Permission.AGENTS_READ) == {"prj_1", "prj_2"}
    assert caller.permissions == {Permission.AGENTS_READ}
    await key_of(people, limited, scopes=SCOPES, projects=("prj_1",))
    for scopes, projects in ((SCOPES, None), (SCOPES, ("prj_2",)), ((Permission.AGENTS_READ,), ("prj_3",))):
        with pytest.raises(ForbiddenError):
            await key_of(people, limited, scopes=scopes, projects=projects)
    with pytest.raises(ValidationError):
        await key_of(people, owner, scopes=(Permission.INVOICES_READ,), projects=("prj_1",))
