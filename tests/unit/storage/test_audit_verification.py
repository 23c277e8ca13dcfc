"""Whatever is altered, inserted, moved or removed in the store is named."""

import hmac
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any, Self

import pytest

from shared.containers import TENANTS
from shared.services.storage.audit.entries import HEAD, AuditEntry, AuditHead
from shared.services.storage.audit.keys import AuditKey
from shared.services.tenancy.departments import DepartmentDraft
from tests.doubles.worlds.audited_organization import Acme

Json = dict[str, Any]


class Tampered(Acme):
    """An organization with seven entries, and somebody who can write the store but has no key."""

    async def made(self) -> Self:
        await super().made()
        for number in range(6):
            await self.department(f"Team {number}")
        return self

    async def entry(self, number: int) -> Json:
        (document,) = [each for each in self._documents("audit_entry") if each["number"] == number]
        return document

    async def head(self) -> Json:
        (document,) = self._documents("audit_head")
        return document

    def _documents(self, kind: str) -> list[Json]:
        items = self.store._partitions[TENANTS.name, self.id].values()
        return [kept.item().document for kept in items if kept.item().document["kind"] == kind]

    async def put(self, document: Json) -> None:
        await self.store.upsert(TENANTS.name, self.id, document)

    async def remove(self, document: Json) -> None:
        await self.store.delete(TENANTS.name, self.id, document["id"])


@pytest.fixture
async def acme() -> Tampered:
    return await Tampered().made()


async def test_what_nobody_touched_is_as_it_was_written(acme: Tampered) -> None:
    assert await acme.findings() == []


@pytest.mark.parametrize(
    "altered",
    [
        {"action": "departments.delete"},
        {"actor_id": "usr_somebody"},
        {"after": '{"name": "Another"}'},
        {"at": "2020-01-01T00:00:00.000000Z"},
        {"ip": "198.51.100.0/24"},
        {"correlation_id": "another"},
        {"mac": "00"},
        {"key_id": "another"},
        {"trail": "org_another"},
        {"hash": "00"},
        {"place": "2020-01-01T00:00:00.000000Z 000000000003"},
        {"actor_type": "nobody"},
    ],
    ids=str,
)
async def test_an_altered_entry_is_named(acme: Tampered, altered: Json) -> None:
    entry = await acme.entry(3)
    await acme.put({**entry, **altered})
    assert any(found.startswith(f"{entry['id']}: ") for found in await acme.findings())


async def test_an_inserted_entry_is_named(acme: Tampered) -> None:
    entry = await acme.entry(3)
    for number in (3, 8):
        await acme.put({**entry, "id": "aud_inserted", "number": number})
        assert any(found.startswith("aud_inserted: ") for found in await acme.findings())


async def test_a_copy_of_an_entry_of_another_organization_is_named(acme: Tampered) -> None:
    another = await Tampered(acme.store).made()
    entry = await another.entry(3)
    await acme.put(entry)
    assert any(found.startswith(f"{entry['id']}: ") for found in await acme.findings())
    assert await another.findings() == []


async def test_entries_that_changed_places_are_named(acme: Tampered) -> None:
    one, other = await acme.entry(3), await acme.entry(4)
    places = ("number", "previous", "hash", "place")
    await acme.put({**one, **{field: other[field] for field in places}})
    await acme.put({**other, **{field: one[field] for field in places}})
    found = await acme.findings()
    assert [any(each.startswith(f"{entry['id']}: ") for each in found) for entry in (one, other)] == [True, True]


async def test_an_entry_that_is_removed_in_the_middle_is_named(acme: Tampered) -> None:
    await acme.remove(await acme.entry(3))
    assert await acme.findings() == ["number 3 is missing"]


async def test_entries_that_are_removed_at_the_end_are_named(acme: Tampered) -> None:
    await acme.remove(await acme.entry(6))
    await acme.remove(await acme.entry(7))
    assert await acme.findings() == ["numbers 6 to 7 are missing"]


async def test_a_head_that_is_turned_back_is_named(acme: Tampered) -> None:
    await acme.remove(await acme.entry(7))
    last = await acme.entry(6)
    await acme.put({**await acme.head(), "count": 6, "hash": last["hash"]})
    assert await acme.findings() == [f"the head of {acme.id} was altered"]


async def test_a_head_that_is_removed_is_named(acme: Tampered) -> None:
    await acme.remove(await acme.head())
    assert await acme.findings() == ["1 to 7: are more entries than the head counts"]


async def test_a_chain_that_is_hashed_again_without_the_key_is_named(acme: Tampered) -> None:
    """With a key of their own, in just our way."""
    forged = AuditKey("test", hmac.digest(b"guessed", b"key", sha256))
    previous = ""
    ids = []
    for number in range(1, 8):
        entry = AuditEntry.read(await acme.entry(number)).changed(action="nothing.happened", previous=previous)
        entry = entry.changed(mac=forged.mac_of(entry))
        entry = entry.changed(hash=forged.hash_of(entry))
        previous = entry.hash
        ids.append(entry.id)
        await acme.put(entry.document())
    head = AuditHead.read(await acme.head()).changed(hash=previous)
    await acme.put(head.changed(mac=forged.mac_of_head(acme.id, head)).document())
    found = await acme.findings()
    assert f"the head of {acme.id} was altered" in found
    assert all(any(each.startswith(f"{entry_id}: ") for each in found) for entry_id in ids)


async def test_nothing_goes_on_from_a_head_that_was_altered(acme: Tampered) -> None:
    """That would sign what somebody else wrote. What changes meanwhile waits in the outbox."""
    head = await acme.head()
    await acme.put({**head, "count": 3})
    await acme.another_host().departments.create("dep_later", acme.id, DepartmentDraft(name="Later"))
    assert await acme.findings() == [f"the head of {acme.id} was altered"]
    await acme.put(head)
    acme.clock.move(timedelta(minutes=6))
    await acme.another_host().outbox.sweep()
    assert await acme.findings() == []
    assert len(await acme.entries()) == 8


async def test_the_head_says_how_many_there_are(acme: Tampered) -> None:
    assert (await acme.head())["count"] == 7
    assert (await acme.head())["id"] == HEAD
    assert json.dumps(await acme.head()).count("hash") == 1
