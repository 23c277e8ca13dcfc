"""No stranger's sign-up captures what an operator means by a name, and no request names two organizations."""

import re
from typing import Any
from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import Xyra

Json = dict[str, Any]

CHARGE = {"key": "platform", "type": "flat_fee", "amount": "1.00"}


async def test_a_sign_up_does_not_capture_the_name_of_an_organization(xyra: Xyra) -> None:
    name = f"globex{uuid4().hex[:8]}"
    own = await xyra.organization(slug=f"{name}-corp", external_id=name)
    await own.agent("coder")
    stranger = (await xyra.sign_up(organization_name=name.title()))["organization"]
    assert re.fullmatch(rf"{name}-[a-z2-7]{{6}}", stranger["slug"])
    strangers_key = await xyra.key_of(stranger["id"])
    await strangers_key.post("agents", {"external_id": "coder", "name": "Coder"})
    event = {"id": "call-1", "type": "command", "agent": "coder", "organization": name}
    await xyra.operator.report(event)
    await xyra.idle()
    assert (await xyra.operator.get(f"organizations/{name}"))["id"] == own.id
    assert [each["id"] for each in (await own.key.get("events"))["data"]] == ["call-1"]
    assert (await strangers_key.get("events"))["data"] == []
    made = await xyra.operator.post("projects", {"name": "Website", "organization_id": name})
    assert made["organization_id"] == own.id


@pytest.mark.parametrize("word", ["operator", "Admin", "unknown"])
async def test_reserved_words_are_refused(xyra: Xyra, word: str) -> None:
    body = {"name": "New", "currency": "USD"}
    slug = await xyra.operator.send("POST", "organizations", body | {"slug": word.lower()})
    assert slug.problem(422, "validation") == ["/slug"]
    external_id = await xyra.operator.send("POST", "organizations", body | {"external_id": word})
    assert external_id.problem(422, "validation") == ["/external_id"]
    signed_up = (await xyra.sign_up(organization_name=word))["organization"]
    assert re.fullmatch(rf"{word.lower()}-[a-z2-7]{{6}}", signed_up["slug"])


async def test_names_are_taken_in_both_directions(xyra: Xyra) -> None:
    one, other = f"one{uuid4().hex[:8]}", f"other{uuid4().hex[:8]}"
    first = await xyra.organization(slug=one, external_id=other)
    body = {"name": "New", "currency": "USD"}
    for change, pointer in (
        ({"slug": one}, "/slug"),
        ({"slug": other}, "/slug"),
        ({"external_id": one}, "/external_id"),
        ({"external_id": other}, "/external_id"),
    ):
        assert (await xyra.operator.send("POST", "organizations", body | change)).problem(409, "conflict") == [pointer]
    taken = await xyra.operator.send("POST", "organizations", body | {"external_id": first.id})
    assert taken.problem(422, "validation") == ["/external_id"]


async def test_path_body_and_query_name_one_organization(xyra: Xyra) -> None:
    first, second = await xyra.organization(), await xyra.organization()
    await first.agent("coder")
    model = await first.model(CHARGE)
    etag = (await xyra.operator.send("GET", f"billing-models/{model['id']}")).headers["ETag"]
    charges = {"currency": "USD", "name": "Other", "charges": [CHARGE]}
    requests: list[tuple[str, str, Json | None]] = [
        ("PATCH", f"organizations/{first.id}", {"description": "Another's"}),
        ("DELETE", f"organizations/{first.slug}", None),
        ("GET", f"organizations/{first.id}", None),
        ("GET", f"organizations/{first.id}/stats", None),
        ("POST", "agents", {"external_id": "writer", "name": "Writer", "organization_id": first.id}),
        ("POST", "projects", {"name": "Website", "organization_id": first.slug}),
        ("POST", "departments", {"name": "Support", "organization_id": first.id}),
        ("POST", "threads", {"title": "Help", "organization_id": first.id}),
        ("POST", "runs", {"key": "run-7", "agent": "coder", "organization_id": first.id}),
        ("POST", "api-keys", {"name": "Key", "scopes": ["events:write"], "organization_id": first.id}),
        ("POST", "billing-models", {"name": "M", "currency": "USD", "charges": [CHARGE], "organization_id": first.id}),
        ("POST", "invoices/generate/monthly", {"period": "2026-10", "organization_id": first.id}),
        ("POST", "events", {"id": "e", "type": "command", "agent": "coder", "organization": first.id}),
    ]
    for method, path, body in requests:
        answer = await xyra.operator.send(method, path, body, organization_id=second.slug)
        assert answer.problem(422, "validation") == ["?organization_id"], (method, path)
    put = await xyra.operator.send(
        "PUT", f"billing-models/{model['id']}", charges, headers={"If-Match": etag}, organization_id=second.id
    )
    put.problem(404, "not_found")
    agreeing = await xyra.operator.send(
        "PATCH", f"organizations/{first.id}", {"description": "Own"}, organization_id=first.slug
    )
    assert agreeing.expect(200)["description"] == "Own"


async def test_what_is_for_all_organizations_is_not_written_for_one(xyra: Xyra) -> None:
    own = await xyra.organization()
    for method, path, body in (
        ("POST", "organizations", {"name": "New", "currency": "USD"}),
        ("POST", "llm-prices", {"model": f"m{uuid4().hex}", "prices": {"input": "1", "output": "1"}}),
        ("PUT", "exchange-rates/HUF/NOK", {"rate": "0.03"}),
    ):
        answer = await xyra.operator.send(method, path, body, organization_id=own.id)
        assert answer.problem(422, "validation") == ["?organization_id"], path
    (listed,) = (await xyra.operator.get("organizations", organization_id=own.slug))["data"]
    assert listed["id"] == own.id
