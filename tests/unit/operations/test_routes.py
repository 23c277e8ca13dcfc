"""No route hides another where the platform tries them in the order of function names."""

import re
from itertools import permutations

import pytest

import function_app
from local.host.indexing import Function, HttpTrigger
from local.host.routes import Router
from shared.http import ENDPOINTS, Endpoint

assert function_app.app, "importing it declares the endpoints"

SAMPLE = "x-1"
PAIRS = [(one, other) for one, other in permutations(ENDPOINTS, 2) if one.method == other.method]
SHADOWED = {f"/api/v1/agents/external/{page}" for page in ("stats", "billing-config", "billing-summary")}
"""Of an agent whose external id is `external`: those are found by its own id alone."""
_PARAMETER = re.compile(r"\{\w+(?::regex\(\^(?P<prefix>\w+)\))?\}")


def function_of(endpoint: Endpoint) -> Function:
    return Function(
        name=endpoint.name,
        call=function_of,
        trigger=HttpTrigger(endpoint.template, (endpoint.method,)),
        argument="req",
        takes_context=False,
        is_async=True,
        returns=True,
        directory="",
        enabled=True,
    )


@pytest.fixture(scope="module")
def router() -> Router:
    return Router([function_of(endpoint) for endpoint in ENDPOINTS], prefix="")


def path_of(endpoint: Endpoint, like: Endpoint) -> str:
    """A path of the endpoint, as close to the other's as its parameters allow."""
    others = like.template.split("/")
    return "/" + "/".join(
        _value(segment, others[position] if position < len(others) else SAMPLE)
        for position, segment in enumerate(endpoint.template.split("/"))
    )


def _value(segment: str, other: str) -> str:
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None:
        return segment
    if parameter["prefix"] is not None:
        return f"{parameter['prefix']}1"
    other_parameter = _PARAMETER.fullmatch(other)
    if other_parameter is None:
        return other
    return f"{other_parameter['prefix'] or SAMPLE}1"


def test_every_route_is_reached_past_every_other_one_of_its_method(router: Router) -> None:
    assert len(PAIRS) > 1000
    for endpoint, other in PAIRS:
        path = path_of(endpoint, other)
        if path in SHADOWED:
            continue
        match = router.match(path, endpoint.method)
        assert match is not None, path
        assert match.function.name == endpoint.name, f"{path} of {endpoint.name} is taken"


def test_what_cannot_be_an_id_reaches_no_function(router: Router) -> None:
    assert router.match("/api/v1/invoices/7", "GET") is None
    assert router.match("/api/v1/invoices/inv_7%2Flines", "GET") == router.match("/api/v1/invoices/inv_7/lines", "GET")
