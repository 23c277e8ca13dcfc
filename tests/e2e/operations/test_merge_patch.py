"""PATCH is JSON Merge Patch: objects that callers keep with their things are merged, too."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Answer, Organization, Xyra

Json = dict[str, Any]
Patch = Callable[[Json], Awaitable[Answer]]

FIELDS = [
    ("agents", "config", {"external_id": "coder", "name": "Coder"}),
    ("departments", "metadata", {"name": "Support"}),
    ("projects", "metadata", {"name": "Website"}),
    ("threads", "metadata", {}),
    ("runs", "metadata", {}),
    ("runs", "result", {}),
]
KEPT = {"issue": "XY-12", "limits": {"steps": 40, "cost": 1.50}, "tags": ["a", "b"]}
every_object = pytest.mark.parametrize(("path", "field", "body"), FIELDS, ids=lambda value: str(value)[:20])
every_metadata = pytest.mark.parametrize(
    ("path", "body"), [(path, body) for path, field, body in FIELDS if field == "metadata"]
)


async def patching(organization: Organization, path: str, body: Json) -> Patch:
    made = await organization.key.post(path, body)

    async def patch(changes: Json) -> Answer:
        return await organization.key.send("PATCH", f"{path}/{made['id']}", changes)

    return patch


@every_object
async def test_objects_are_merged_and_what_is_null_is_removed(xyra: Xyra, path: str, field: str, body: Json) -> None:
    organization = await xyra.organization()
    patch = await patching(organization, path, body | {field: KEPT})
    changes = {"issue": None, "limits": {"steps": 50, "hours": 2}, "tags": ["c"], "more": {"x": None}, "none": None}
    left = {"limits": {"steps": 50, "cost": Decimal("1.50"), "hours": 2}, "tags": ["c"], "more": {}}
    answer = await patch({field: changes})
    changed = answer.expect(200)
    assert changed[field] == left
    assert (await organization.key.get(f"{path}/{changed['id']}"))[field] == left
    assert str(changed[field]["limits"]["cost"]) == "1.5"
    assert (await patch({field: {}})).expect(200)[field] == left
    assert (await patch({})).expect(200)[field] == left
    assert (await patch({field: None})).expect(200)[field] == (None if field == "result" else {})


@every_object
async def test_its_bytes_are_bounded_as_they_become(xyra: Xyra, path: str, field: str, body: Json) -> None:
    patch = await patching(await xyra.organization(), path, body | {field: {"a": "x" * 10_000}})
    assert (await patch({field: {"b": "x" * 10_000}})).problem(422, "validation") == [f"/{field}"]
    replaced = await patch({field: {"a": None, "b": "x" * 10_000}})
    assert list(replaced.expect(200)[field]) == ["b"]


@every_metadata
async def test_so_are_the_keys_of_metadata(xyra: Xyra, path: str, body: Json) -> None:
    old, new = ({f"{name} {number}": number for number in range(40)} for name in ("old", "new"))
    patch = await patching(await xyra.organization(), path, body | {"metadata": old})
    assert (await patch({"metadata": new})).problem(422, "validation") == ["/metadata"]
    replaced = await patch({"metadata": new | dict.fromkeys(old)})
    assert replaced.expect(200)["metadata"] == new


@every_metadata
@pytest.mark.parametrize("value", [[], "text", 7, True], ids=repr)
async def test_metadata_are_an_object(xyra: Xyra, path: str, body: Json, value: Any) -> None:
    patch = await patching(await xyra.organization(), path, body | {"metadata": {"a": 1}})
    assert (await patch({"metadata": value})).problem(422, "validation") == ["/metadata"]


async def test_the_settings_of_an_organization_are_merged(xyra: Xyra) -> None:
    organization = await xyra.organization(settings={"self_managed_pricing": True})
    path = f"organizations/{organization.id}"
    for settings, left in (
        ({}, True),
        ({"self_managed_pricing": None}, False),
        ({"self_managed_pricing": True}, True),
        (None, False),
    ):
        etag = (await organization.operator.send("GET", path)).headers["ETag"]
        changed = await organization.operator.send("PATCH", path, {"settings": settings}, headers={"If-Match": etag})
        assert changed.expect(200)["settings"]["self_managed_pricing"] == left
