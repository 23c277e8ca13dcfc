"""What answers an unknown path, or a method that a path lacks."""

import json
from collections.abc import Iterator
from itertools import product

import pytest

import function_app
from local.host.configuration import AppSettings
from local.host.indexing import index
from local.host.routes import Router
from shared.domain.kernel.ids import is_id
from shared.http import ENDPOINTS, Endpoint
from shared.http.routes import UNKNOWN_ROUTE, allowed_methods, answer_unknown
from tests.doubles.worlds.served_endpoint import request

assert function_app.app, "importing it declares the endpoints"


def path_of(endpoint: Endpoint) -> str:
    values = dict.fromkeys(endpoint.path_values.model_fields, "x")
    values |= {name: f"{prefix}_7" for name, prefix in endpoint.id_prefixes.items()}
    return endpoint.route.format(**values)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_each_path_has_the_methods_of_its_endpoints(endpoint: Endpoint) -> None:
    allowed = allowed_methods(path_of(endpoint))
    siblings = [other for other in ENDPOINTS if other.path == endpoint.path]
    assert {method for other in siblings for method in other.methods} <= set(allowed)
    assert "OPTIONS" in allowed


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("api/v1/agents", ["GET", "HEAD", "OPTIONS", "POST"]),
        ("API/V1/Agents/", ["GET", "HEAD", "OPTIONS", "POST"]),
        ("api/v1/agents/agt_7", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH"]),
        ("api/v1/invoices/preview", ["GET", "HEAD", "OPTIONS"]),
        ("api/v1/events/parked/park_7/discard", ["OPTIONS", "POST"]),
        ("health", ["GET", "HEAD", "OPTIONS"]),
        ("api/v1/agents/7", []),
        ("api/v1/invoices/inv_7/lines/8", []),
        ("api/v1", []),
        ("", []),
    ],
)
def test_these_paths_have_these_methods(path: str, methods: list[str]) -> None:
    assert allowed_methods(path) == methods


async def test_a_method_that_the_path_does_not_have_is_refused_with_those_that_it_has() -> None:
    answer = await answer_unknown(request("DELETE", headers={"x-correlation-id": "mine"}), "api/v1/agents")
    problem = json.loads(answer.body)
    assert (answer.status, problem["type"]) == (405, "urn:xyra:problem:method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert answer.headers["X-Correlation-Id"] == problem["correlation_id"] == "mine"


async def test_options_names_them() -> None:
    answer = await answer_unknown(request("OPTIONS"), "api/v1/agents")
    assert (answer.status, answer.headers["Allow"], answer.body) == (204, "GET, HEAD, OPTIONS, POST", b"")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
async def test_a_path_that_leads_nowhere_is_not_found(method: str) -> None:
    answer = await answer_unknown(request(method), "api/v1/agents/7")
    assert answer.status == 404
    assert "Allow" not in answer.headers
    assert (answer.body == b"") == (method == "HEAD")


def test_its_function_is_tried_last() -> None:
    assert max([UNKNOWN_ROUTE, *(endpoint.name for endpoint in ENDPOINTS)], key=str.upper) == UNKNOWN_ROUTE


SEGMENTS = ["x", "X", "a%20b", "%0A", "a%2Fb", "AGT_7", "7", ".", "external", "templates", "by-key"]
IDS = ["{}_7", "{}_A", "{}_!", "{}_7%0A", "{}_"]
AROUND = ["/{}", "/{}/", "//{}", "/{}//"]


def odd_paths() -> Iterator[str]:
    """Every declared path, with odd values, ids that are none, and slashes around it."""
    for endpoint in ENDPOINTS:
        for segment, form, around in product(SEGMENTS, IDS, AROUND):
            for prefix in (str.lower, str.upper):
                values = dict.fromkeys(endpoint.path_values.model_fields, segment)
                values |= {name: form.format(prefix(kind)) for name, kind in endpoint.id_prefixes.items()}
                yield around.format(endpoint.route.format(**values))


def test_options_tells_what_the_routes_take() -> None:
    router = Router(index(function_app.app, AppSettings({})), "")
    by_name = {endpoint.name: endpoint for endpoint in ENDPOINTS}
    for path in dict.fromkeys(odd_paths()):
        taken = {"OPTIONS"}
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            found = router.match(path, method)
            endpoint = by_name.get(found.function.name) if found else None
            if found and endpoint and all(is_id(found.route_params[name], kind) for name, kind in ids_of(endpoint)):
                taken.add(method)
        unknown = router.match(path, "OPTIONS")
        told = allowed_methods(unknown.route_params.get("path", "")) if unknown else []
        assert set(told) == (taken if len(taken) > 1 else set()), path


def ids_of(endpoint: Endpoint) -> list[tuple[str, str]]:
    return list(endpoint.id_prefixes.items())
