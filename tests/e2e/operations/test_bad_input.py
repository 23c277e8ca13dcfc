"""What is wrong is refused with a problem document that names the place, and leaves nothing behind."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Client, Organization, Xyra
from tests.doubles.clients.xyra_process import Tables
from tests.doubles.worlds.bad_billing_models import MISTAKES

Json = dict[str, Any]

EVENT = {"id": "1", "type": "command", "agent": "coder", "time": "2026-11-10T12:00:00Z"}
CHARGE = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}
MODEL = {"name": "Model", "currency": "USD", "charges": [CHARGE]}
AGENT = {"external_id": "new", "name": "New"}
USED_KEY = "used before"


@dataclass(frozen=True)
class Scene:
    """Two organizations with an agent and a model each; everything is sent as the first one."""

    own: Organization
    other: Organization
    agent: Json
    other_agent: Json
    model: Json
    other_model: Json

    @property
    def key(self) -> Client:
        return self.own.key

    @property
    def operator(self) -> Client:
        return self.own.operator


async def set_up(xyra: Xyra) -> Scene:
    own, other = await xyra.organization(), await xyra.organization()
    agents = [await each.agent() for each in (own, other)]
    models = [await each.model(CHARGE) for each in (own, other)]
    await own.key.post("events", EVENT | {"id": "0"}, headers={"Idempotency-Key": USED_KEY}, expect=202)
    await own.project("Taken")
    await own.department("Taken")
    await own.key.post("runs", {"key": "taken"})
    return Scene(own, other, *agents, *models)


@pytest.fixture(scope="session")
def shared_host(small_host: Served) -> Served:
    return small_host


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    """One at most: as no test may change anything, all can have the same."""
    return []


@pytest.fixture
async def scene(xyra: Xyra, shared_host: Served, scenes: list[Scene]) -> AsyncIterator[Scene]:
    """What a test does in it must change nothing in the store."""
    if not scenes:
        scenes.append(await set_up(xyra))
    await xyra.idle()
    before = shared_host.process.tables()
    yield replace(scenes[0], own=xyra.again(scenes[0].own), other=xyra.again(scenes[0].other))
    await xyra.idle()
    assert differences(before, shared_host.process.tables()) == {}


def differences(before: Tables, after: Tables) -> dict[str, list[tuple[object, ...]]]:
    return {
        name: [*(rows - before[name]), *(before[name] - rows)] for name, rows in after.items() if rows != before[name]
    }


def events(*changes: Json) -> list[Json]:
    return [EVENT | {"id": "good"}, *(EVENT | change for change in changes)]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"agent": "nobody"}, ["/1/agent"]),
        ({"agent": ""}, ["/1/agent"]),
        ({"id": "x" * 10_000}, ["/1/id"]),
        ({"id": ""}, ["/1/id"]),
        ({"id": 7}, ["/1/id"]),
        ({"id": "a\nb"}, ["/1/id"]),
        ({"source": "x" * 257}, ["/1/source"]),
        ({"type": "two words"}, ["/1/type"]),
        ({"type": "x" * 201}, ["/1/type"]),
        ({"type": "outcome."}, ["/1/type"]),
        ({"type": "cost.", "data": {"amount": "1"}}, ["/1/type"]),
        ({"type": "workflow."}, ["/1/type"]),
        ({"time": "2026-11-10T12:00:00"}, ["/1/time"]),
        ({"time": "2126-11-10T12:00:00Z"}, ["/1/time"]),
        ({"time": "1926-11-10T12:00:00Z"}, ["/1/time"]),
        ({"time": "2026-11-18T12:00:00Z"}, ["/1/time"]),
        ({"time": "2026-11-31T12:00:00Z"}, ["/1/time"]),
        ({"time": "yesterday"}, ["/1/time"]),
        ({"time": 1_700_000_000}, ["/1/time"]),
        ({"time": "0001-01-01T00:00:00+14:00"}, ["/1/time"]),
        ({"data": {"quantity": "-1"}}, ["/1/data/quantity"]),
        ({"data": {"quantity": -0.5}}, ["/1/data/quantity"]),
        ({"data": {"quantity": "NaN"}}, ["/1/data/quantity"]),
        ({"data": {"quantity": "Infinity"}}, ["/1/data/quantity"]),
        ({"data": {"quantity": True}}, ["/1/data/quantity"]),
        ({"data": {"quantity": None}}, ["/1/data/quantity"]),
        ({"data": {"quantity": "1e40"}}, ["/1/data/quantity"]),
        ({"data": {"quantity": "0.0000000000001"}}, ["/1/data/quantity"]),
        ({"data": []}, ["/1/data"]),
        ({"data": {"text": "x" * 33_000}}, ["/1"]),
        ({"type": "outcome.sale", "data": {"evidence": {"text": "x" * 33_000}}}, ["/1"]),
        ({"type": "cost.llm"}, ["/1/data/amount"]),
        ({"type": "cost.llm", "data": {"amount": "1", "currency": "dollars"}}, ["/1/data/currency"]),
        ({"type": "cost.llm", "data": {"amount": "1", "currency": "XXQ"}}, ["/1/data/currency"]),
        ({"type": "outcome.sale", "data": {"value": "1", "currency": "XXQ"}}, ["/1/data/currency"]),
        ({"type": "outcome.sale", "data": {"value": "1", "currency": {"code": "USD"}}}, ["/1/data/currency"]),
        ({"type": "llm_call", "data": {"cost": "1", "currency": "XAU"}}, ["/1/data/currency"]),
        ({"data": {"currency": "usd"}}, ["/1/data/currency"]),
        ({"type": "outcome.sale", "data": {"value": "-1"}}, ["/1/data/value"]),
        ({"type": "llm_call", "data": {"input_tokens": -1}}, ["/1/data/input_tokens"]),
        (
            {"type": "llm_call", "data": {"input_tokens": 1, "cached_input_tokens": 2}},
            ["/1/data/cached_input_tokens"],
        ),
        ({"type": "llm_call", "data": {"output_tokens": "many"}}, ["/1/data/output_tokens"]),
        ({"quantity": "1"}, ["/1/quantity"]),
        ({"agent": "nobody", "time": "2126-11-10T12:00:00Z"}, ["/1/agent", "/1/time"]),
    ],
)
async def test_one_bad_event_rejects_the_request(scene: Scene, change: Json, pointers: list[str]) -> None:
    answer = await scene.key.send("POST", "events", events(change))
    assert answer.problem(422, "validation") == pointers
    wrapped = await scene.key.send("POST", "events", {"events": events(change)})
    assert wrapped.problem(422, "validation") == [f"/events{pointer}" for pointer in pointers]


async def test_an_agent_of_another_organization_is_no_agent(scene: Scene) -> None:
    answer = await scene.key.send("POST", "events", events({"agent": scene.other_agent["id"]}))
    assert answer.problem(422, "validation") == ["/1/agent"]
    named = await scene.key.send("POST", "events", EVENT | {"organization": scene.other.id})
    named.problem(404, "not_found")
    activity = await scene.key.send(
        "POST", f"agents/{scene.other_agent['id']}/activities", {"activity_type": "command"}
    )
    activity.problem(404, "not_found")


async def test_at_most_1000_events_at_once(scene: Scene) -> None:
    many = [EVENT | {"id": str(number)} for number in range(1001)]
    assert (await scene.key.send("POST", "events", many)).problem(422, "validation") == [""]
    assert (await scene.key.send("POST", "events", {"events": many})).problem(422, "validation") == ["/events"]
    assert (await scene.key.send("POST", "events", [])).problem(422, "validation") == [""]
    assert (await scene.key.send("POST", "events", {"events": {}})).problem(422, "validation") == ["/events"]


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
async def test_at_most_1_mib(scene: Scene, size: int) -> None:
    raw = json.dumps([EVENT]).encode().ljust(size)
    assert (await scene.key.send("POST", "events", raw=raw)).problem(413, "too_large") == [""]


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[1,]",
        b"{'id': 1}",
        b"\xff\xfe",
        b'"\\ud800"',
        b"[" * 100_000,
        b"[" * 900 + b"NaN" + b"]" * 900,
        b'{"id": "1"} x',
        b"nul",
    ],
    ids=repr,
)
async def test_what_is_no_json_is_malformed(scene: Scene, raw: bytes) -> None:
    for path in ("events", "agents", f"agents/{scene.agent['id']}/activities"):
        answer = await scene.key.send("POST", path, raw=raw)
        answer.problem(400, "malformed")


async def test_an_empty_body_is_an_empty_object(scene: Scene) -> None:
    agent = f"agents/{scene.agent['id']}"
    for path, pointers in (
        ("agents", ["/external_id", "/name"]),
        (f"{agent}/activities", ["/activity_type"]),
        (f"{agent}/costs", ["/cost_type", "/amount"]),
        (f"{agent}/outcomes", ["/outcome_type"]),
        (f"{agent}/llm-calls", ["/model"]),
        (f"{agent}/workflows/bulk", ["/workflows"]),
    ):
        for headers in ({}, {"Content-Type": "application/json"}):
            answer = await scene.key.send("POST", path, raw=b"", headers=headers)
            assert answer.problem(422, "validation") == pointers
    for path in ("outcomes/out_1/verify", "runs/run_1", "agents/agt_1"):
        method = "POST" if path.endswith("verify") else "PATCH"
        (await scene.operator.send(method, path, raw=b"", organization_id=scene.own.id)).problem(404, "not_found")
    (await scene.key.send("POST", "events", raw=b"")).problem(400, "malformed")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
async def test_a_literal_that_is_no_number_is_named(scene: Scene, literal: str) -> None:
    raw = json.dumps(events({"data": {"quantity": "?"}})).replace('"?"', literal).encode()
    assert (await scene.key.send("POST", "events", raw=raw)).problem(422, "validation") == ["/1/data/quantity"]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1E-999999999", "1e401", "1" * 402 + ".0"])
async def test_a_number_beyond_all_bounds_is_named(scene: Scene, xyra: Xyra, number: str) -> None:
    def sent(body: Json | list[Json]) -> bytes:
        return json.dumps(body).replace('"?"', number).encode()

    agent, free = f"agents/{scene.agent['id']}", {"data": {"inner": ["?"]}}
    for client, path, body, pointer in (
        (scene.key, "events", events(free), "/1/data/inner/0"),
        (scene.key, "events", {"events": events(free)}, "/events/1/data/inner/0"),
        (scene.key, f"{agent}/costs", {"cost_type": "api", "amount": "?"}, "/amount"),
        (scene.key, f"{agent}/activities", {"activity_type": "a", "metadata": {"x": "?"}}, "/metadata/x"),
        (scene.key, "outcomes/verify", {"ids": ["out_1"], "evidence": {"x": "?"}}, "/evidence/x"),
        (scene.key, "billing-models/calculate", {"model": MODEL, "usage": [{"quantity": "?"}]}, "/usage/0/quantity"),
        (scene.operator, "billing-models", MODEL | {"charges": [CHARGE | {"minimum": "?"}]}, "/charges/0/minimum"),
        (xyra.anonymous, "auth/signup", {"email": "?"}, "/email"),
    ):
        answer = await client.send("POST", path, raw=sent(body))
        assert (path, answer.problem(422, "validation")) == (path, [pointer])
    partial = await scene.key.send("POST", "events", raw=sent(events(free)), partial="true")
    assert partial.problem(422, "validation") == ["/1/data/inner/0"]
    rate = await scene.operator.send("PUT", "exchange-rates/EUR/USD", raw=sent({"rate": "?"}))
    assert rate.problem(422, "validation") == ["/rate"]
    binary = {"specversion": "1.0", "id": "1", "source": "tests", "type": "command", "subject": "coder"}
    encoded = base64.b64encode(sent(free)).decode()
    headers = {"Content-Type": "application/cloudevents+json"}
    answer = await scene.key.send("POST", "events", binary | {"data_base64": encoded}, headers=headers)
    assert answer.problem(422, "validation") == ["/data_base64"]
    cursor = base64.urlsafe_b64encode(sent(["?", "a", "b"])).decode()
    for path in ("events", "runs", "outcomes"):
        (await scene.key.send("GET", path, cursor=cursor)).problem(400, "malformed")


async def test_many_mistakes_below_a_long_name_are_told_briefly(scene: Scene) -> None:
    raw = b'{"%b":[%b1]}' % (b"k" * 400_000, b"NaN," * 100_000)
    answer = await scene.key.send("POST", "events", raw=raw)
    assert len(answer.problem(422, "validation")) == 100
    filtered = CHARGE | {"meter": {"event_type": "command", "filter": {"data." + "k" * 400_000: [{}] * 100}}}
    sketch = {"model": MODEL | {"charges": [filtered]}, "usage": []}
    refused = await scene.key.send("POST", "billing-models/calculate", sketch)
    refused.problem(422, "validation")
    assert max(len(answer.body), len(refused.body)) < 100_000


@pytest.mark.parametrize("value", [None, 1, "text", True, [], [1], [[]]])
async def test_other_json_than_asked_for_is_not_valid(scene: Scene, value: object) -> None:
    raw = json.dumps(value).encode()
    for path in ("events", "agents", f"agents/{scene.agent['id']}/activities"):
        (await scene.key.send("POST", path, raw=raw)).problem(422, "validation")
    (await scene.operator.send("POST", "billing-models", raw=raw)).problem(422, "validation")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", "json", ""])
async def test_another_content_type_is_unsupported(scene: Scene, content_type: str) -> None:
    headers = {"Content-Type": content_type or "/"}
    (await scene.key.send("POST", "events", EVENT, headers=headers)).problem(415, "unsupported_media_type")
    (await scene.key.send("POST", "agents", AGENT, headers=headers)).problem(415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("event", "content_type", "pointers"),
    [
        ({}, "application/cloudevents+json", ["/specversion", "/id", "/source", "/type", "/subject"]),
        ({"specversion": "0.3"}, "application/cloudevents+json", ["/specversion"]),
        ({"subject": "nobody"}, "application/cloudevents+json", ["/agent"]),
    ],
)
async def test_a_bad_cloud_event_is_refused(scene: Scene, event: Json, content_type: str, pointers: list[str]) -> None:
    good = {"specversion": "1.0", "id": "1", "source": "tests", "type": "command", "subject": "coder"}
    body = good | event if event else {}
    expected = [pointer.replace("/agent", "/subject") for pointer in pointers]
    answer = await scene.key.send("POST", "events", body, headers={"Content-Type": content_type})
    assert answer.problem(422, "validation") == expected


async def test_the_detail_of_a_single_mistake_names_the_same_place(scene: Scene) -> None:
    cloud = {"specversion": "1.0", "id": "1", "source": "tests", "type": "two words", "subject": "coder"}
    plain = EVENT | {"type": "two words"}
    for body, content_type, place in (
        (cloud, "application/cloudevents+json", "/type"),
        ([cloud], "application/cloudevents-batch+json", "/0/type"),
        (plain, "application/json", "/type"),
        ([plain], "application/json", "/0/type"),
        ({"events": [plain]}, "application/json", "/events/0/type"),
    ):
        answer = await scene.key.send("POST", "events", body, headers={"Content-Type": content_type})
        assert answer.problem(422, "validation") == [place]
        assert answer.json()["detail"].startswith(f"{place}: ")


async def test_reports_by_name_are_bounded_as_events_are(scene: Scene) -> None:
    agent = f"agents/{scene.agent['id']}"
    for route, body, place in (
        ("activities", {"activity_type": "workflow."}, "/activity_type"),
        ("costs", {"cost_type": "", "amount": "1"}, "/cost_type"),
        ("costs", {"cost_type": "api", "amount": "1", "currency": "XXQ"}, "/currency"),
        ("outcomes", {"outcome_type": ""}, "/outcome_type"),
        ("outcomes", {"outcome_type": "sale", "currency": "XXQ"}, "/currency"),
        ("llm-calls", {"model": "x", "currency": "XXQ"}, "/currency"),
        ("workflows/bulk", {"workflows": {"": "1"}}, "/workflows/"),
        ("activities", {"activity_type": "a", "metadata": {"currency": "XXQ"}}, "/metadata/currency"),
    ):
        answer = await scene.key.send("POST", f"{agent}/{route}", body)
        assert (route, answer.problem(422, "validation")) == (route, [place])


@pytest.mark.parametrize("wanted", ["deal", "outcome.", "cost.llm", "outcomes.deal"])
async def test_outcomes_are_listed_by_types_of_outcomes(scene: Scene, wanted: str) -> None:
    for path in ("outcomes", "outcomes/billing-ready"):
        (await scene.key.send("GET", path, type="outcome.deal")).expect(200)
        assert (await scene.key.send("GET", path, type=wanted)).problem(422, "validation") == ["?type"]
    bulk = await scene.operator.send(
        "POST", "outcomes/verify", {"filter": {"type": wanted}}, organization_id=scene.own.id
    )
    assert bulk.problem(422, "validation") == ["/filter/type"]


def charge(**changes: Any) -> Json:
    return MODEL | {"charges": [CHARGE, CHARGE | {"key": "second"} | changes]}


def tiers(*ends: str | None) -> Json:
    return charge(
        pricing={"type": "graduated", "tiers": [{"up_to": end, "unit_amount": "1"} for end in ends]},
    )


PRICING = "/charges/1/pricing"


@pytest.mark.parametrize(
    ("model", "pointers"),
    [
        (tiers("10", "5", None), [f"{PRICING}/tiers/1/up_to"]),
        (tiers("10", "10", None), [f"{PRICING}/tiers/1/up_to"]),
        (tiers("10"), [f"{PRICING}/tiers/0/up_to"]),
        (tiers(None, None), [f"{PRICING}/tiers/0/up_to"]),
        (tiers(), [f"{PRICING}/tiers"]),
        (charge(type="barter"), ["/charges/1/type"]),
        (charge(pricing={"type": "haggling"}), [f"{PRICING}/type"]),
        (charge(pricing={"type": "per_unit", "unit_amount": "-1"}), [f"{PRICING}/unit_amount"]),
        (charge(pricing={"type": "per_unit", "unit_amount": "NaN"}), [f"{PRICING}/unit_amount"]),
        (charge(pricing={"type": "per_unit"}), [f"{PRICING}/unit_amount"]),
        (charge(minimum="5", maximum="4"), ["/charges/1/minimum"]),
        (charge(included_units="-1"), ["/charges/1/included_units"]),
        (charge(key="commands"), ["/charges/1/key"]),
        (charge(key="Not a key"), ["/charges/1/key"]),
        (charge(surprise=1), ["/charges/1/surprise"]),
        (charge(meter={"event_type": "command", "aggregation": "guess"}), ["/charges/1/meter/aggregation"]),
        (charge(meter={"event_type": "outcome."}), ["/charges/1/meter/event_type"]),
        (MODEL | {"charges": []}, ["/charges"]),
        (MODEL | {"currency": "XAU"}, ["/currency"]),
        (MODEL | {"currency": "dollars"}, ["/currency"]),
        (MODEL | {"name": ""}, ["/name"]),
        (MODEL | {"effective_from": "2026-11-01T00:00:00"}, ["/effective_from"]),
        (MODEL | {"effective_from": "1990-01-01T00:00:00Z"}, ["/effective_from"]),
    ],
)
async def test_a_bad_billing_model_is_refused(scene: Scene, model: Json, pointers: list[str]) -> None:
    for extra in ({"organization_id": scene.own.id}, {}):
        answer = await scene.operator.send("POST", "billing-models", model | extra)
        assert answer.problem(422, "validation") == pointers
    if not {"/effective_from", "/name"} & set(pointers):
        sketch = await scene.key.send("POST", "billing-models/calculate", {"model": model, "usage": []})
        assert sketch.problem(422, "validation") == [f"/model{pointer}" for pointer in pointers]


async def test_each_mistake_in_a_billing_model_is_named(scene: Scene) -> None:
    for mistake in MISTAKES:
        saved = await scene.operator.send("POST", "billing-models", mistake.model)
        assert (mistake.name, saved.problem(422, "validation")) == (mistake.name, list(mistake.places))
        sketch = await scene.key.send("POST", "billing-models/calculate", {"model": mistake.model, "usage": []})
        if mistake.calculable:
            assert sketch.status == 200, mistake.name
        else:
            assert sketch.problem(422, "validation") == [f"/model{place}" for place in mistake.places]


async def test_a_model_has_its_organizations_currency(scene: Scene) -> None:
    body = MODEL | {"currency": "EUR", "organization_id": scene.own.id}
    assert (await scene.operator.send("POST", "billing-models", body)).problem(422, "validation") == ["/currency"]


async def test_a_version_keeps_what_its_keys_mean_and_takes_effect_ahead(scene: Scene) -> None:
    path = f"billing-models/{scene.model['id']}"
    etag = (await scene.operator.send("GET", path)).headers["ETag"]

    async def refused(body: Json) -> list[str]:
        answer = await scene.operator.send("PUT", path, body, headers={"If-Match": etag})
        return answer.problem(422, "validation")

    other_meter = CHARGE | {"meter": {"event_type": "other"}}
    assert await refused(MODEL | {"charges": [other_meter]}) == [
        "/charges/0/meter/event_type",
        "/charges/0/meter/aggregation",
        "/charges/0/meter/value",
    ]
    assert await refused(MODEL | {"charges": [CHARGE | {"scope": "organization"}]}) == ["/charges/0/scope"]
    assert await refused(MODEL | {"effective_from": "2026-11-18T10:05:00Z"}) == ["/effective_from"]
    assert await refused(MODEL | {"currency": "EUR"}) == ["/currency"]


async def test_preconditions_are_held(scene: Scene) -> None:
    model = f"billing-models/{scene.model['id']}"
    (await scene.operator.send("PUT", model, MODEL)).problem(428, "precondition_required")
    stale = {"If-Match": '"an older version"'}
    for method, path, body in (
        ("PUT", model, MODEL),
        ("PATCH", f"agents/{scene.agent['id']}", {"name": "Other"}),
        ("DELETE", f"agents/{scene.agent['id']}", None),
        ("PATCH", f"organizations/{scene.own.id}", {"name": "Other"}),
        ("DELETE", f"organizations/{scene.own.id}", None),
    ):
        (await scene.operator.send(method, path, body, headers=stale)).problem(412, "precondition_failed")


async def test_an_idempotency_key_goes_with_one_request(scene: Scene) -> None:
    used = {"Idempotency-Key": USED_KEY}
    for path, body in (("events", EVENT), ("agents", AGENT)):
        (await scene.key.send("POST", path, body, headers=used)).problem(409, "idempotency_conflict")
    other_body = EVENT | {"id": "0", "data": {"quantity": 2}}
    (await scene.key.send("POST", "events", other_body, headers=used)).problem(409, "idempotency_conflict")
    activity = f"agents/{scene.agent['id']}/activities"
    for wrong in ("", "x" * 256, "a\tb"):
        for path, body in (("agents", AGENT), (activity, {"activity_type": "command"})):
            answer = await scene.key.send("POST", path, body, headers={"Idempotency-Key": wrong})
            assert answer.problem(422, "validation") == ["Idempotency-Key"]


async def test_a_refused_request_uses_up_no_idempotency_key(scene: Scene) -> None:
    key = {"Idempotency-Key": "refused"}
    (await scene.key.send("POST", "agents", AGENT | {"name": ""}, headers=key)).problem(422, "validation")
    (await scene.key.send("POST", "agents", AGENT | {"external_id": "coder"}, headers=key)).problem(409, "conflict")


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"external_id": ""}, ["/external_id"]),
        ({"external_id": "x" * 257}, ["/external_id"]),
        ({"name": " "}, ["/name"]),
        ({"name": "x" * 201}, ["/name"]),
        ({"config": [1]}, ["/config"]),
        ({"config": {"text": "x" * 20_000}}, ["/config"]),
        ({"capabilities": ["x" * 201]}, ["/capabilities/0"]),
        ({"project_id": "prj_00000000000000000000000000"}, ["/project_id"]),
        ({"project_id": "the website"}, ["/project_id"]),
        ({"department_id": "dep_00000000000000000000000000"}, ["/department_id"]),
        ({"billing_model_id": "bm_00000000000000000000000000"}, ["/billing_model_id"]),
        ({"billing_model_from": "2026-11-01T00:00:00Z"}, ["/billing_model_from"]),
        ({"is_superuser": True}, ["/is_superuser"]),
        ({"capabilities": ["x"] * 51}, ["/capabilities"]),
    ],
)
async def test_a_bad_agent_is_refused(scene: Scene, change: Json, pointers: list[str]) -> None:
    assert (await scene.key.send("POST", "agents", AGENT | change)).problem(422, "validation") == pointers


async def test_an_agent_is_priced_by_a_model_that_its_organization_may_use(scene: Scene) -> None:
    body = AGENT | {"billing_model_id": scene.other_model["id"]}
    assert (await scene.key.send("POST", "agents", body)).problem(422, "validation") == ["/billing_model_id"]
    patch = await scene.key.send("PATCH", f"agents/{scene.agent['id']}", {"billing_model_id": body["billing_model_id"]})
    assert patch.problem(422, "validation") == ["/billing_model_id"]


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
async def test_a_bad_query_is_refused(scene: Scene, path: str, pointer: str) -> None:
    route, _, query = path.partition("?")
    name, _, value = query.partition("=")
    wanted: Json = {name: value}
    answer = await scene.key.send("GET", route, **wanted)
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
async def test_a_cursor_of_somebody_else_is_malformed(scene: Scene, path: str, cursor: str) -> None:
    client = scene.operator if path == "organizations" else scene.key
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
async def test_what_is_not_there_is_not_found(scene: Scene, path: str) -> None:
    answer = await scene.key.send("GET", f"/api/v1/{path}")
    answer.problem(404, "not_found")


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"accept_terms": False}, ["/accept_terms"]),
        ({"email": "nobody"}, ["/email"]),
        ({"password": "short"}, ["/password"]),
        ({"currency": "XXX"}, ["/currency"]),
        ({"timezone": "Mars/Olympus"}, ["/timezone"]),
        ({"full_name": ""}, ["/full_name"]),
        ({"is_superuser": True}, ["/is_superuser"]),
        ({"role": "system", "organization_id": "x"}, ["/role", "/organization_id"]),
    ],
)
@pytest.mark.usefixtures("scene")
async def test_a_bad_sign_up_is_refused(xyra: Xyra, change: Json, pointers: list[str]) -> None:
    body = {
        "email": "nobody@example.com",
        "password": "correct horse battery staple",
        "full_name": "Nobody",
        "organization_name": "None",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }
    answer = await xyra.anonymous.send("POST", "auth/signup", body | change)
    assert answer.problem(422, "validation") == pointers


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"username", 400, "malformed"),
        (b"a=1&" * 60 + b"a=1", 400, "malformed"),
        (b"\xff=1", 400, "malformed"),
        (b"", 422, "validation"),
        (b"username=a", 422, "validation"),
        (b"username=a&password=b&grant_type=code", 422, "validation"),
    ],
)
async def test_a_bad_login_form_is_refused(scene: Scene, raw: bytes, status: int, code: str) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    (await scene.key.send("POST", "auth/login", raw=raw, headers=form)).problem(status, code)


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"slug": "Not a slug"}, ["/slug"]),
        ({"currency": "usd"}, ["/currency"]),
        ({"timezone": "localtime"}, ["/timezone"]),
        ({"billing_mode": "prepaid"}, ["/billing_mode"]),
        ({"shard_count": 3}, ["/shard_count"]),
        ({"due_days": -1}, ["/due_days"]),
        ({"settings": {"feature": 1}}, ["/settings/feature"]),
    ],
)
async def test_a_bad_organization_is_refused(scene: Scene, change: Json, pointers: list[str]) -> None:
    body = {"name": "New", "currency": "USD", "timezone": "UTC"}
    assert (await scene.operator.send("POST", "organizations", body | change)).problem(422, "validation") == pointers


async def test_a_taken_name_is_a_conflict(scene: Scene) -> None:
    taken = {"name": "New", "currency": "USD", "slug": scene.own.slug}
    (await scene.operator.send("POST", "organizations", taken)).problem(409, "conflict")
    (await scene.key.send("POST", "agents", AGENT | {"external_id": "coder"})).problem(409, "conflict")


@pytest.mark.parametrize("credential", ["", "x", "Bearer", "xyra_" + "x" * 32, "a.b.c", "é"])
@pytest.mark.usefixtures("scene")
async def test_a_credential_that_is_none_is_refused(xyra: Xyra, credential: str) -> None:
    for headers in ({"Authorization": f"Bearer {credential}"}, {"X-API-Key": credential}):
        answer = await xyra.anonymous.with_headers(**headers).send("GET", "agents")
        answer.problem(401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_an_operator_has_to_name_the_organization(scene: Scene) -> None:
    assert (await scene.operator.send("POST", "agents", AGENT)).problem(422, "validation") == ["?organization_id"]
    (await scene.operator.send("GET", "agents", organization_id="nobody")).problem(404, "not_found")


async def test_what_is_nested_deeply_is_refused(scene: Scene) -> None:
    deep: Json = {}
    for _ in range(100):
        deep = {"deeper": deep}
    refused = await scene.key.send("POST", "agents", AGENT | {"config": deep})
    refused.problem(400, "malformed")


@pytest.mark.parametrize("evidence", [{"text": "x" * 17_000}, {"text": '"' * 400_000}, {"1": [1.5] * 10_000}], ids=len)
async def test_evidence_is_small(scene: Scene, evidence: Json) -> None:
    for path, body in (
        ("outcomes/verify", {"filter": {}}),
        ("outcomes/out_1/verify", {}),
        (f"agents/{scene.agent['id']}/outcomes", {"outcome_type": "sale"}),
    ):
        answer = await scene.key.send("POST", path, body | {"evidence": evidence})
        assert answer.problem(422, "validation") == ["/evidence"]


async def test_an_external_id_does_not_look_like_an_id(scene: Scene) -> None:
    refused = await scene.key.send("POST", "agents", AGENT | {"external_id": scene.agent["id"]})
    assert refused.problem(422, "validation") == ["/external_id"]


async def test_what_begins_far_ahead_is_refused(scene: Scene) -> None:
    body = MODEL | {"effective_from": "9999-12-31T23:59:59.999999Z"}
    refused = await scene.operator.send("POST", "billing-models", body)
    assert refused.problem(422, "validation") == ["/effective_from"]


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
    scene: Scene, path: str, body: Json, status: int, code: str, pointers: list[str]
) -> None:
    place = path.format(agent=scene.agent["id"], other=scene.other_agent["id"])
    assert (await scene.key.send("POST", place, body)).problem(status, code) == pointers
