"""Bodies, queries, paths and headers that any route refuses with a problem document."""

import base64
import json
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Client, Xyra
from tests.doubles.clients.xyra_process import OPERATOR
from tests.doubles.worlds.two_organizations import AGENT, CHARGE, EVENT, MODEL, TwoOrganizations, events

Json = dict[str, Any]


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[1,]",
        b"{'id': 1}",
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * 10_000,
        b"[" * 900 + b"NaN" + b"]" * 900,
        b'{"id": "1"} x',
        b"nul",
    ],
    ids=repr,
)
async def test_what_is_no_json_is_malformed(unchanged: TwoOrganizations, raw: bytes) -> None:
    for path in ("events", "agents", f"agents/{unchanged.agent['id']}/activities"):
        answer = await unchanged.key.send("POST", path, raw=raw)
        answer.problem(400, "malformed")


async def test_an_empty_body_is_refused_where_something_is_required(unchanged: TwoOrganizations) -> None:
    agent = f"agents/{unchanged.agent['id']}"
    reports = [f"{agent}/{path}" for path in ("activities", "costs", "outcomes", "llm-calls", "workflows/bulk")]
    for path in ("events", "agents", *reports):
        for raw, headers in ((b"", {}), (b"", {"Content-Type": "application/json"}), (b" \n", {})):
            answer = await unchanged.key.send("POST", path, raw=raw, headers=headers)
            answer.problem(400, "malformed")
            assert answer.json()["detail"] == "The body is empty, and this needs one: send JSON"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await unchanged.xyra.anonymous.send("POST", "auth/login", raw=b"", headers=form)
    answer.problem(400, "malformed")
    assert answer.json()["detail"] == "The body is empty, and this needs one: send a form"


async def test_an_empty_body_is_an_empty_object_where_nothing_is_required(unchanged: TwoOrganizations) -> None:
    path = "outcomes/out_1/verify"
    answer = await unchanged.operator.send("POST", path, raw=b"", organization_id=unchanged.own.id)
    answer.problem(404, "not_found")
    described = unchanged.operator.description.document["paths"]["/api/v1/outcomes/{outcome_id}/verify"]["post"]
    assert described["requestBody"]["required"] is False


@pytest.fixture
async def person(xyra: Xyra) -> Client:
    """The operator, signed in: some routes are for people alone."""
    return await xyra.sign_in(*OPERATOR)


async def test_an_empty_patch_is_refused_as_the_document_says(person: Client, unchanged: TwoOrganizations) -> None:
    paths = unchanged.operator.description.document["paths"]
    patched = [path for path, operations in paths.items() if "patch" in operations]
    assert len(patched) >= 5
    for path in patched:
        assert paths[path]["patch"]["requestBody"]["required"] is True
        parameters = {each["name"]: each["schema"] for each in paths[path]["patch"]["parameters"]}
        values = {
            name: schema.get("pattern", "^x").removeprefix("^").partition("_")[0] + "_1"
            for name, schema in parameters.items()
        }
        client = person if path.startswith("/api/v1/users/") else unchanged.operator
        answer = await client.send("PATCH", path.format(**values), raw=b"", organization_id=unchanged.own.id)
        answer.problem(400, "malformed")
        assert answer.json()["detail"] == "The body is empty, and this needs one: send JSON"


@pytest.mark.parametrize("raw", [b"{", b'{"events": [', b'"text', b'{"id": tru'], ids=repr)
async def test_json_that_breaks_off_is_refused_with_its_place(unchanged: TwoOrganizations, raw: bytes) -> None:
    answer = await unchanged.key.send("POST", "events", raw=raw)
    answer.problem(400, "malformed")
    assert "The body is not JSON: line 1, column " in answer.json()["detail"]
    assert "truncated" not in answer.body.decode()


async def test_a_refusal_says_what_to_write(unchanged: TwoOrganizations) -> None:
    """As someone new met them."""
    time = "2026-10-03T12:00:00"
    for client, method, path, body, query, errors in (
        (
            unchanged.key,
            "POST",
            "events",
            EVENT | {"timestamp": f"{time}Z"},
            {},
            ["/timestamp: is not known here; did you mean time?"],
        ),
        (
            unchanged.key,
            "GET",
            "usage",
            None,
            {"perod": "2026-10"},
            ["?perod: is not known here; did you mean period?"],
        ),
        (
            unchanged.operator,
            "POST",
            "invoices/generate/monthly",
            {"period": "October"},
            {},
            ["/period: has to be a month such as 2026-10"],
        ),
    ):
        answer = await client.send(method, path, body, **query)
        answer.problem(422, "validation")
        assert [f"{error['pointer']}: {error['detail']}" for error in answer.json()["errors"]] == errors
    scopes = await unchanged.operator.send("POST", "api-keys", {"name": "Key", "scopes": ["events:rite"]})
    assert scopes.problem(422, "validation") == ["/scopes/0"]
    model = await unchanged.key.send("POST", "billing-models", MODEL)
    model.problem(403, "forbidden")
    assert "self_managed_pricing" in model.json()["detail"]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1E-999999999", "1e401", "1" * 402 + ".0"])
async def test_a_number_beyond_all_bounds_is_named(unchanged: TwoOrganizations, number: str) -> None:
    def sent(body: Json | list[Json]) -> bytes:
        return json.dumps(body).replace('"?"', number).encode()

    agent, free = f"agents/{unchanged.agent['id']}", {"data": {"inner": ["?"]}}
    for client, path, body, pointer in (
        (unchanged.key, "events", events(free), "/1/data/inner/0"),
        (unchanged.key, "events", {"events": events(free)}, "/events/1/data/inner/0"),
        (unchanged.key, f"{agent}/costs", {"cost_type": "api", "amount": "?"}, "/amount"),
        (unchanged.key, f"{agent}/activities", {"activity_type": "a", "metadata": {"x": "?"}}, "/metadata/x"),
        (unchanged.key, "outcomes/verify", {"ids": ["out_1"], "evidence": {"x": "?"}}, "/evidence/x"),
        (
            unchanged.key,
            "billing-models/calculate",
            {"model": MODEL, "usage": [{"quantity": "?"}]},
            "/usage/0/quantity",
        ),
        (unchanged.operator, "billing-models", MODEL | {"charges": [CHARGE | {"minimum": "?"}]}, "/charges/0/minimum"),
        (unchanged.xyra.anonymous, "auth/signup", {"email": "?"}, "/email"),
    ):
        answer = await client.send("POST", path, raw=sent(body))
        assert (path, answer.problem(422, "validation")) == (path, [pointer])
    partial = await unchanged.key.send("POST", "events", raw=sent(events(free)), partial="true")
    assert partial.problem(422, "validation") == ["/1/data/inner/0"]
    rate = await unchanged.operator.send("PUT", "exchange-rates/EUR/USD", raw=sent({"rate": "?"}))
    assert rate.problem(422, "validation") == ["/rate"]
    binary = {"specversion": "1.0", "id": "1", "source": "tests", "type": "command", "subject": "coder"}
    encoded = base64.b64encode(sent(free)).decode()
    headers = {"Content-Type": "application/cloudevents+json"}
    answer = await unchanged.key.send("POST", "events", binary | {"data_base64": encoded}, headers=headers)
    assert answer.problem(422, "validation") == ["/data_base64"]
    cursor = base64.urlsafe_b64encode(sent(["?", "a", "b"])).decode()
    for path in ("events", "runs", "outcomes"):
        (await unchanged.key.send("GET", path, cursor=cursor)).problem(400, "malformed")


async def test_many_mistakes_below_a_long_name_are_told_briefly(unchanged: TwoOrganizations) -> None:
    raw = b'{"%b":[%b1]}' % (b"k" * 400_000, b"NaN," * 10_000)
    answer = await unchanged.key.send("POST", "events", raw=raw)
    assert len(answer.problem(422, "validation")) == 20
    filtered = CHARGE | {"meter": {"event_type": "command", "filter": {"data." + "k" * 400_000: [{}] * 100}}}
    sketch = {"model": MODEL | {"charges": [filtered]}, "usage": []}
    refused = await unchanged.key.send("POST", "billing-models/calculate", sketch)
    refused.problem(422, "validation")
    assert max(len(answer.body), len(refused.body)) < 10_000


@pytest.mark.parametrize("value", [None, 1, "text", True, [], [1], [[]]])
async def test_other_json_than_asked_for_is_not_valid(unchanged: TwoOrganizations, value: object) -> None:
    raw = json.dumps(value).encode()
    for path in ("events", "agents", f"agents/{unchanged.agent['id']}/activities"):
        (await unchanged.key.send("POST", path, raw=raw)).problem(422, "validation")
    (await unchanged.operator.send("POST", "billing-models", raw=raw)).problem(422, "validation")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", "json", ""])
async def test_another_content_type_is_unsupported(unchanged: TwoOrganizations, content_type: str) -> None:
    headers = {"Content-Type": content_type or "/"}
    (await unchanged.key.send("POST", "events", EVENT, headers=headers)).problem(415, "unsupported_media_type")
    (await unchanged.key.send("POST", "agents", AGENT, headers=headers)).problem(415, "unsupported_media_type")


async def test_preconditions_are_held(unchanged: TwoOrganizations) -> None:
    model = f"billing-models/{unchanged.model['id']}"
    (await unchanged.operator.send("PUT", model, MODEL)).problem(428, "precondition_required")
    stale = {"If-Match": '"an older version"'}
    for method, path, body in (
        ("PUT", model, MODEL),
        ("PATCH", f"agents/{unchanged.agent['id']}", {"name": "Other"}),
        ("DELETE", f"agents/{unchanged.agent['id']}", None),
        ("PATCH", f"organizations/{unchanged.own.id}", {"name": "Other"}),
        ("DELETE", f"organizations/{unchanged.own.id}", None),
    ):
        (await unchanged.operator.send(method, path, body, headers=stale)).problem(412, "precondition_failed")


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("usage?period=2026-13", "?period"),
        ("usage?period=October", "?period"),
        ("usage?period=9999-12", "?period"),
        ("usage?period=2150-01", "?period"),
        ("usage?limit=0", "?limit"),
        ("agents?limit=201", "?limit"),
        ("agents?limit=many", "?limit"),
        ("agents?active=perhaps", "?active"),
        ("agents?surprise=1", "?surprise"),
        ("projects?status=lost", "?status"),
        ("departments?limit=0", "?limit"),
        ("threads?surprise=1", "?surprise"),
        ("runs?status=lost", "?status"),
        ("events?from=yesterday", "?from"),
        ("events?type=two words", "?type"),
        ("invoices?status=lost", "?status"),
        ("invoices/preview?period=2026-1", "?period"),
        ("invoices/preview?period=2150-01", "?period"),
    ],
)
async def test_a_bad_query_is_refused(unchanged: TwoOrganizations, path: str, pointer: str) -> None:
    route, _, query = path.partition("?")
    name, _, value = query.partition("=")
    wanted: Json = {name: value}
    answer = await unchanged.key.send("GET", route, **wanted)
    assert answer.problem(422, "validation") == [pointer]


@pytest.mark.parametrize(
    "path",
    [
        "agents",
        "organizations",
        "invoices",
        "api-keys",
        "billing-models",
        "projects",
        "departments",
        "threads",
        "runs",
        "events",
    ],
)
@pytest.mark.parametrize("cursor", ["nonsense", "99.x", "own.nonsense", "operator.x", "0.x", "é", "-1"])
async def test_a_cursor_of_somebody_else_is_malformed(unchanged: TwoOrganizations, path: str, cursor: str) -> None:
    client = unchanged.operator if path == "organizations" else unchanged.key
    (await client.send("GET", path, cursor=cursor)).problem(400, "malformed")


@pytest.mark.parametrize(
    "path",
    [
        "agents/agt_nobody",
        "agents/external/nobody",
        "projects/prj_nobody",
        "departments/dep_nobody",
        "threads/thr_nobody",
        "runs/run_nobody",
        "runs/by-key/nobody",
        "runs/by-key/%F0%9F%92%A9",
        "events/evt_nobody",
        "invoices/inv_nobody",
        "invoices/inv_nobody/lines",
        "billing-models/bm_nobody",
        "organizations/nobody",
        "agents/agt_%00",
        "agents/external/%F0%9F%92%A9",
    ],
)
async def test_what_is_not_there_is_not_found(unchanged: TwoOrganizations, path: str) -> None:
    answer = await unchanged.key.send("GET", f"/api/v1/{path}")
    answer.problem(404, "not_found")


async def test_what_is_nested_deeply_is_refused(unchanged: TwoOrganizations) -> None:
    deep: Json = {}
    for _ in range(100):
        deep = {"deeper": deep}
    refused = await unchanged.key.send("POST", "agents", AGENT | {"config": deep})
    refused.problem(400, "malformed")


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "pointers"),
    [
        ("projects", {"name": "TAKEN"}, 409, "conflict", ["/name"]),
        ("projects", {"name": ""}, 422, "validation", ["/name"]),
        ("departments", {"name": "taken"}, 409, "conflict", ["/name"]),
        ("departments", {"name": "New", "metadata": 1}, 422, "validation", ["/metadata"]),
        ("threads", {"project_id": "prj_0"}, 422, "validation", ["/project_id"]),
        ("runs", {"key": "taken"}, 409, "conflict", ["/key"]),
        ("runs", {"agent": "nobody"}, 422, "validation", ["/agent"]),
        ("runs", {"thread_id": "thr_0"}, 422, "validation", ["/thread_id"]),
        ("runs", {"error": "It broke"}, 422, "validation", ["/error"]),
        ("agents/{agent}/costs", {"cost_type": "api"}, 422, "validation", ["/amount"]),
        ("agents/{agent}/costs", {"cost_type": "api", "amount": "-1"}, 422, "validation", ["/amount"]),
        ("agents/{agent}/llm-calls", {"model": "x", "input_tokens": "many"}, 422, "validation", ["/input_tokens"]),
        ("agents/{agent}/workflows/bulk", {"workflows": {"a": 1, "b": -1}}, 422, "validation", ["/workflows/b"]),
        ("agents/{other}/costs", {"cost_type": "api", "amount": "1"}, 404, "not_found", []),
        ("agents/{other}/llm-calls", {"model": "x"}, 404, "not_found", []),
        ("agents/{other}/workflows/bulk", {"workflows": {"a": 1}}, 404, "not_found", []),
    ],
    ids=str,
)
async def test_what_cannot_be_made_is_refused(  # noqa: PLR0913  a request and what is wrong with it
    unchanged: TwoOrganizations, path: str, body: Json, status: int, code: str, pointers: list[str]
) -> None:
    place = path.format(agent=unchanged.agent["id"], other=unchanged.other_agent["id"])
    assert (await unchanged.key.send("POST", place, body)).problem(status, code) == pointers
