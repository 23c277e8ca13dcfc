"""What follows from the declarations of the endpoints."""

import json
import re
from typing import Annotated, Any

import azure.functions as func
import msgspec
import pytest

import function_app
from shared.domain.access.identity import Permission
from shared.domain.access.project_access import PROJECT_PERMISSIONS
from shared.domain.kernel.errors import NotFoundError
from shared.http import (
    ENDPOINTS,
    Call,
    Endpoint,
    IfMatch,
    JsonBody,
    ListQuery,
    NoBody,
    PathText,
    PathValues,
    Projects,
    Query,
    Reply,
    Schema,
    ThingId,
    endpoint,
    openapi,
)
from shared.http.platform import UndecidedError
from shared.http.project_access import IN_PATH
from tests.doubles.worlds.served_endpoint import ServedEndpoint, request

assert function_app.app, "importing it declares the endpoints"

DOCUMENT: dict[str, Any] = json.loads(openapi.document())

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)


class ThingPath(PathValues):
    thing_id: Annotated[str, ThingId("thing")]
    name: PathText


async def unreached(_: Call[Any, Any, Any]) -> Reply:
    raise AssertionError("the request should have been refused")


THING: dict[str, Any] = {"path": "things/{thing_id}/{name}", "path_values": ThingPath}
PRIVATE: dict[str, Any] = {"access": Permission.AGENTS_READ}


def statuses(**declaration: Any) -> set[int]:
    return {int(error.status) for error in ServedEndpoint(unreached, declaration).declared.errors()}


@every_endpoint
def test_every_value_of_a_path_is_declared(endpoint: Endpoint) -> None:
    assert re.findall(r"\{(\w+)\}", endpoint.path) == list(endpoint.path_values.model_fields)


@every_endpoint
def test_names_are_unique(endpoint: Endpoint) -> None:
    assert [other.name for other in ENDPOINTS].count(endpoint.name) == 1


def test_ids_of_ours_are_constrained_for_the_platform_alone() -> None:
    declared = ServedEndpoint(unreached, THING).declared
    assert declared.route == "api/v1/things/{thing_id}/{name}"
    assert declared.template == "api/v1/things/{thing_id:regex(^thing_)}/{name}"


@pytest.mark.parametrize("thing_id", ["7", "thing", "thing_", "other_7", "thing_" + "7" * 41, "thing_é", "THING_7"])
async def test_what_cannot_be_an_id_is_not_found_also_without_a_credential(thing_id: str) -> None:
    endpoint = ServedEndpoint(unreached, THING | PRIVATE)
    problem = await endpoint.problem(request(thing_id=thing_id, name="x"))
    assert (problem["status"], problem["type"]) == (404, "urn:xyra:problem:not_found")


async def test_what_can_be_one_needs_a_credential() -> None:
    problem = await ServedEndpoint(unreached, THING | PRIVATE).problem(request(thing_id="thing_7", name="x"))
    assert problem["status"] == 401


async def test_an_overlong_free_value_is_not_valid() -> None:
    problem = await ServedEndpoint(unreached, THING).problem(request(thing_id="thing_7", name="x" * 257))
    assert (problem["status"], problem["errors"][0]["pointer"]) == (422, "{name}")


async def test_path_values_arrive_by_name() -> None:
    async def handler(call: Call[NoBody, Query, ThingPath]) -> Reply:
        return Reply({"both": [call.path.thing_id, call.path.name]})

    answer = await ServedEndpoint(handler, THING).answer(request(thing_id="thing_7", name="a%2Fb"))
    assert answer.body == b'{"both":["thing_7","a/b"]}'


class TriedQuery(Query):
    preview: bool = False

    @property
    def is_preview(self) -> bool:
        return self.preview


async def found(_: Call[Any, Any, Any]) -> None:
    """What the path names is there."""


async def missing(_: Call[Any, Any, Any]) -> None:
    raise NotFoundError("There is no such thing")


async def test_a_required_key_is_asked_for_after_what_the_path_names() -> None:
    declaration = {"method": "POST", "requires_key": True}
    without = await ServedEndpoint(unreached, declaration | {"find": found}).problem(request("POST"))
    assert (without["status"], without["errors"][0]["pointer"]) == (422, "Idempotency-Key")
    assert (await ServedEndpoint(unreached, declaration | {"find": missing}).problem(request("POST")))["status"] == 404


async def test_a_preview_needs_no_key() -> None:
    async def handler(call: Call[NoBody, TriedQuery, PathValues]) -> Reply:
        return Reply({"preview": call.query.preview})

    endpoint = ServedEndpoint(handler, {"method": "POST", "requires_key": True, "query": TriedQuery})
    sent = request("POST")
    assert (await endpoint.problem(sent))["status"] == 422
    assert (
        await endpoint.answer(msgspec.structs.replace(sent, params={"preview": "true"}))
    ).body == b'{"preview":true}'


@every_endpoint
def test_the_document_says_where_a_key_is_required(endpoint: Endpoint) -> None:
    operation = DOCUMENT["paths"][f"/{endpoint.route}"][endpoint.method.lower()]
    keys = [each["required"] for each in operation["parameters"] if each["name"] == "Idempotency-Key"]
    assert keys == ([endpoint.needs_key] if endpoint.looks_at_key else [])


@pytest.mark.parametrize("path", ["invoices/{invoice_id}/pay", "subscriptions/{subscription_id}/change", "credits/use"])
def test_what_moves_money_or_credits_requires_a_key(path: str) -> None:
    (declared,) = [each for each in ENDPOINTS if each.path == path]
    assert declared.needs_key


def test_errors_follow_from_the_declaration() -> None:
    assert statuses() == {400, 422}
    assert statuses(**PRIVATE) == {400, 401, 403, 404, 422, 429, 503}
    assert statuses(**PRIVATE, query=ListQuery) == {400, 401, 403, 404, 422, 429, 503}
    assert statuses(**THING) == {400, 404, 422}
    assert statuses(method="POST", body=JsonBody(Schema)) == {400, 411, 413, 415, 422, 503}
    write = {"method": "PUT", **PRIVATE}
    assert statuses(**write, if_match=IfMatch.HONOURED) == {400, 401, 403, 404, 409, 412, 422, 429, 503}
    assert statuses(**write, if_match=IfMatch.REQUIRED) == {400, 401, 403, 404, 409, 412, 422, 428, 429, 503}


def test_a_route_of_projects_says_what_callers_limited_to_them_get() -> None:
    declare = endpoint(
        func.Blueprint(), "GET", "tried", summary="Tried", access=Permission.USAGE_READ, answers={200: Schema}
    )
    with pytest.raises(UndecidedError):
        declare(unreached)


@every_endpoint
def test_what_a_path_names_has_a_project(endpoint: Endpoint) -> None:
    """Else nothing would be found by a caller limited to projects, in silence."""
    if endpoint.projects is Projects.BY_PATH:
        assert IN_PATH.keys() & endpoint.path_values.model_fields.keys()


@every_endpoint
def test_nothing_but_routes_of_projects_is_open_to_callers_limited_to_them(endpoint: Endpoint) -> None:
    assert endpoint.projects is Projects.REFUSED or endpoint.access in PROJECT_PERMISSIONS
