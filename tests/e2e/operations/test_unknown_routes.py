"""Unknown paths, unknown methods, HEAD and OPTIONS, as the platform leads there."""

import pytest

from tests.doubles.clients.xyra_client import Xyra

PATHS = [
    ("/health", "GET, HEAD, OPTIONS"),
    ("/api/v1/agents", "GET, HEAD, OPTIONS, POST"),
    ("/api/v1/events/parked", "GET, HEAD, OPTIONS"),
    ("/api/v1/invoices/inv_7/finalize", "OPTIONS, POST"),
    ("/api/v1/organizations/acme", "DELETE, GET, HEAD, OPTIONS, PATCH"),
]


@pytest.mark.walk
@pytest.mark.parametrize(("path", "allowed"), PATHS)
async def test_a_method_that_the_path_does_not_have_names_those_that_it_has(
    xyra: Xyra, path: str, allowed: str
) -> None:
    answer = await xyra.anonymous.send("PUT", path)
    answer.problem(405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(("path", "allowed"), PATHS)
async def test_options_names_them_too(xyra: Xyra, path: str, allowed: str) -> None:
    answer = await xyra.anonymous.send("OPTIONS", path)
    assert (answer.status, answer.headers["Allow"], answer.body) == (204, allowed, b"")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/v1/agents/7", "/api/v1/invoices/preview/7", "/api/v2/agents"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_a_path_that_leads_nowhere_is_not_found(xyra: Xyra, method: str, path: str) -> None:
    (await xyra.anonymous.send(method, path)).problem(404, "not_found")


async def test_a_head_is_answered_as_a_get_without_a_body(xyra: Xyra) -> None:
    organization = await xyra.organization()
    agent = await organization.agent()
    for path in (
        "agents",
        f"agents/{agent['id']}",
        "events/parked",
        "invoices/preview",
        f"organizations/{agent['id']}",
    ):
        get, head = [await organization.key.send(method, path) for method in ("GET", "HEAD")]
        assert (head.status, head.media_type, head.body) == (get.status, get.media_type, b"")
        assert head.headers.get("ETag") == get.headers.get("ETag")
    assert (await xyra.anonymous.send("HEAD", "agents")).status == 401
