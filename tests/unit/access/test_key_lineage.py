"""Keys that keys make: no child outlives or outranks those that it descends from."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.bootstrap import Application, Ports
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.api_keys import MAXIMUM_GENERATIONS, ApiKey, key_partition
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import ForbiddenError, UnauthenticatedError, ValidationError
from shared.domain.kernel.ids import fingerprint, new_id
from shared.services.access.api_keys import ApiKeyDraft
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ORGANIZATION = "org_1"
SCOPES = (Permission.API_KEYS_WRITE, Permission.EVENTS_WRITE, Permission.OUTCOMES_VERIFY)
PERSON = Principal("usr_1", ORGANIZATION, frozenset(SCOPES))
OPERATOR = Principal("usr_2", None, frozenset(Permission))


class Keys:
    """API keys on a store in memory."""

    def __init__(self) -> None:
        self.clock = SettableClock(NOW)
        self.store = MemoryStore()
        self.host = Application(Ports(self.store, MemoryQueue(), self.clock, NoSecrets()), Settings())

    async def make(
        self, creator: Principal | str, owner: str | None = ORGANIZATION, **fields: Any
    ) -> tuple[ApiKey, str]:
        """Made by a principal, or by the holder of a token."""
        by = await self.caller(creator) if isinstance(creator, str) else creator
        draft = ApiKeyDraft(**({"name": "Key", "scopes": SCOPES} | fields))
        stored, token = await self.host.api_keys.create(new_id("key"), owner, draft, by, force=True)
        return stored.entity, token

    async def caller(self, token: str, *, for_events: bool = False) -> Principal:
        return await self.host.authentication.authenticate(token, for_events=for_events)

    async def assert_dead(self, *tokens: str, for_events: bool = False) -> None:
        for token in tokens:
            with pytest.raises(UnauthenticatedError):
                await self.caller(token, for_events=for_events)


@pytest.fixture
def keys() -> Keys:
    return Keys()


async def test_a_key_that_expires_makes_none_that_outlives_it(keys: Keys) -> None:
    soon = NOW + timedelta(seconds=3)
    _, parent = await keys.make(PERSON, expires_at=soon)
    child, token = await keys.make(parent)
    assert child.expires_at == soon
    grandchild, youngest = await keys.make(token, expires_at=soon - timedelta(seconds=1))
    assert grandchild.expires_at == soon - timedelta(seconds=1)
    with pytest.raises(ValidationError) as refused:
        await keys.make(parent, expires_at=soon + timedelta(microseconds=1))
    assert [error.pointer for error in refused.value.errors] == ["/expires_at"]
    keys.clock.move(timedelta(seconds=2))
    await keys.assert_dead(youngest)
    await keys.caller(token)
    keys.clock.move(timedelta(seconds=1))
    await keys.assert_dead(parent, token, youngest)


async def test_no_scope_is_given_that_the_parent_lacks(keys: Keys) -> None:
    _, narrow = await keys.make(PERSON, scopes=(Permission.API_KEYS_WRITE, Permission.EVENTS_WRITE))
    with pytest.raises(ForbiddenError, match="outcomes:verify"):
        await keys.make(narrow)


@pytest.mark.parametrize("generation", range(3))
async def test_with_a_key_all_that_descend_from_it_die(keys: Keys, generation: int) -> None:
    line = [await keys.make(PERSON)]
    for _ in range(3):
        line.append(await keys.make(line[-1][1]))
    _, sister = await keys.make(PERSON)
    tokens = [token for _, token in line]
    for token in tokens:
        await keys.caller(token, for_events=True)
    await keys.host.api_keys.delete(ORGANIZATION, line[generation][0].id, None)
    await keys.assert_dead(*tokens[generation:])
    for token in [*tokens[:generation], sister]:
        await keys.caller(token)
    keys.clock.move(timedelta(seconds=10))
    await keys.assert_dead(*tokens[generation:], for_events=True)


async def test_a_line_has_an_end(keys: Keys) -> None:
    _, token = await keys.make(PERSON)
    for _ in range(MAXIMUM_GENERATIONS - 1):
        _, token = await keys.make(token)
    await keys.caller(token)
    with pytest.raises(ForbiddenError, match="descends from at most 9 others"):
        await keys.make(token)


async def test_lineage_is_among_the_keys_of_one_owner(keys: Keys) -> None:
    """What the operator makes for an organization stays when the operator's key goes."""
    mother, operators = await keys.make(OPERATOR, owner=None, expires_at=NOW + timedelta(hours=1))
    sister, _ = await keys.make(operators, owner=None)
    customers, token = await keys.make(operators)
    assert (sister.root_id, sister.parent_id) == (mother.id, mother.id)
    assert (customers.root_id, customers.parent_id, customers.expires_at) == (customers.id, None, None)
    await keys.host.api_keys.delete("operator", mother.id, None)
    await keys.caller(token)


async def test_a_key_knows_its_root_and_who_calls_with_it_is_known_by_that(keys: Keys) -> None:
    root, token = await keys.make(PERSON)
    child, second = await keys.make(token)
    grandchild, third = await keys.make(second)
    assert [(key.root_id, key.parent_id) for key in (root, child, grandchild)] == [
        (root.id, None),
        (root.id, root.id),
        (root.id, child.id),
    ]
    assert [(await keys.caller(each)).root_id for each in (token, second, third)] == [root.id] * 3
    assert PERSON.root_id == PERSON.id


async def test_a_key_from_before_there_was_lineage_is_a_root(keys: Keys) -> None:
    """As it was stored then, in both of its places."""
    token = "xyra_" + "o" * 32
    key = {
        "id": "key_01kdmyz8eefmj9mfgxg5stz9aa",
        "kind": "api_key",
        "organization_id": ORGANIZATION,
        "name": "Old",
        "scopes": [scope.value for scope in SCOPES],
        "key_prefix": token[:11],
        "fingerprint": fingerprint(token),
        "created_at": "2026-01-02T03:04:05.000000Z",
        "expires_at": None,
    }
    await keys.store.create(TENANTS.name, ORGANIZATION, key)
    working = {"id": "key", "kind": "key", "key": key}
    await keys.store.create(DIRECTORY.name, key_partition(fingerprint(token)), working)
    caller = await keys.caller(token)
    assert caller.root_id == caller.id == key["id"]
    child, childs = await keys.make(token)
    assert (child.root_id, child.parent_id) == (key["id"], key["id"])
    old, _ = await keys.host.api_keys.get(ORGANIZATION, child.root_id)
    assert (old.root_id, old.parent_id, old.reporting.agent_wait_seconds) == (key["id"], None, 300)
    await keys.host.api_keys.update(ORGANIZATION, old.id, {"agent_wait_seconds": 5}, PERSON, None)
    caller = await keys.caller(token)
    assert caller.key is not None
    assert caller.key.reporting.agent_wait_seconds == 5
    await keys.host.api_keys.delete(ORGANIZATION, old.id, None)
    await keys.assert_dead(token, childs)
