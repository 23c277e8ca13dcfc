import json
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from yarl import URL

from local.host import StartupError
from tests.doubles.clients.running_host import Options, RunningHost, hosted, problem_of


def routed_app(**functions: str) -> func.FunctionApp:
    """A function per name and `METHOD template`; each answers with its name and its route parameters."""
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    for name, each in functions.items():
        method, _, template = each.partition(" ")
        methods = None if method == "ANY" else [method]
        app.function_name(name)(app.route(route=template, methods=methods)(_answers_with(name)))
    return app


def _answers_with(name: str) -> Any:
    async def answer(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(json.dumps([name, dict(req.route_params)]), mimetype="application/json")

    return answer


async def reached(running: RunningHost, path: str, method: str = "GET") -> Any:
    """The name of the function that answers, and its route parameters.

    None for the host's own 404.
    """
    url = URL(f"http://127.0.0.1:{running.host.port}{path}", encoded=True)
    async with running.client.request(method, url) as response:
        if response.status == 404:
            if method != "HEAD":
                await problem_of(response)
            return None
        return await response.json()


@pytest.mark.parametrize(
    ("path", "name", "route_params"),
    [
        ("/agents", "agents", {}),
        ("/agents/", "agents", {}),
        ("/AGENTS/Coder", "agent", {"id": "Coder"}),
        ("/agents/a%20b", "agent", {"id": "a b"}),
        ("/agents/7/runs", "runs", {"id": "7"}),
        ("/agents/7/runs/8", "runs", {"id": "7", "run": "8"}),
        ("/agents/7%2Fruns/8", "runs", {"id": "7", "run": "8"}),
        ("/numbers/12", "number", {"n": "12"}),
        ("/numbers/twelve", "number_word", {"word": "twelve"}),
        ("/pages", "pages", {"page": "1"}),
        ("/pages/9", "pages", {"page": "9"}),
        ("/reports/may.pdf", "reports", {"name": "may", "extension": "pdf"}),
        ("/files", "files", {}),
        ("/files/a/b%2Fc.txt", "files", {"path": "a/b/c.txt"}),
        ("/codes/ABC", "codes", {"code": "ABC"}),
        ("/bills/inv_1", "bills", {"id": "inv_1"}),
        ("/bills/INV_1/lines", "bill_lines", {"id": "INV_1"}),
    ],
)
async def test_templates_are_read_as_the_platform_reads_them(
    path: str, name: str, route_params: dict[str, str], tmp_path: Path
) -> None:
    app = routed_app(
        files="GET files/{*path}",
        agent="GET agents/{id}",
        agents="GET agents",
        runs="GET agents/{id}/runs/{run?}",
        number="GET numbers/{n:int}",
        number_word="GET numbers/{word}",
        pages="GET pages/{page=1}",
        reports="GET reports/{name}.{extension}",
        codes="GET codes/{code:alpha:length(3)}",
        bills="GET bills/{id:regex(^inv_)}",
        bill_lines="GET bills/{id:regex(^inv_)}/lines",
    )
    async with hosted(app, tmp_path) as running:
        assert await reached(running, path) == [name, route_params]


async def test_routes_are_tried_in_the_order_of_function_names_and_the_first_match_wins(tmp_path: Path) -> None:
    app = routed_app(list_parked="GET events/parked", get_event="GET events/{id}", Another="GET things/{id}")
    async with hosted(app, tmp_path) as running:
        assert await reached(running, "/events/parked") == ["get_event", {"id": "parked"}]


async def test_names_are_ordered_without_regard_to_case_by_capital_letters(tmp_path: Path) -> None:
    """An underscore stands behind all capitals and before all small letters."""
    app = routed_app(get_b="GET things/{id}", geta="GET things/{name}")
    async with hosted(app, tmp_path) as running:
        assert await reached(running, "/things/1") == ["geta", {"name": "1"}]


async def test_a_constraint_lets_the_next_route_match(tmp_path: Path) -> None:
    app = routed_app(get_event="GET events/{id:regex(^evt_)}", list_parked="GET events/parked")
    async with hosted(app, tmp_path) as running:
        assert await reached(running, "/events/parked") == ["list_parked", {}]
        assert await reached(running, "/events/evt_1") == ["get_event", {"id": "evt_1"}]
        assert await reached(running, "/events/others") is None


@pytest.mark.parametrize("path", ["/", "/agent", "/agents/1/2", "/codes/ABCD", "/codes/AB1", "/numbers//", "//agents"])
async def test_an_unknown_path_is_a_404_of_the_host(path: str, tmp_path: Path) -> None:
    app = routed_app(a="GET agents/{id}", b="GET codes/{code:alpha:length(3)}", c="GET numbers/{n:int}")
    async with hosted(app, tmp_path) as running:
        assert await reached(running, path) is None


@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "HEAD"])
async def test_a_wrong_method_is_a_404_of_the_host_too(method: str, tmp_path: Path) -> None:
    async with hosted(routed_app(get_thing="GET thing"), tmp_path) as running:
        assert await reached(running, "/thing", method) is None


async def test_the_method_chooses_among_routes(tmp_path: Path) -> None:
    app = routed_app(a_get="GET agents/stats", b_post="POST agents/{id}")
    async with hosted(app, tmp_path) as running:
        assert await reached(running, "/agents/stats", "POST") == ["b_post", {"id": "stats"}]


async def test_a_function_without_methods_takes_all_and_one_that_sorts_last_takes_what_is_left(tmp_path: Path) -> None:
    app = routed_app(get_thing="GET thing", zz_rest="ANY {*path}")
    async with hosted(app, tmp_path) as running:
        assert await reached(running, "/thing") == ["get_thing", {}]
        assert await reached(running, "/thing", "OPTIONS") == ["zz_rest", {"path": "thing"}]
        assert await reached(running, "/", "PURGE") == ["zz_rest", {}]


async def test_head_reaches_a_function_that_declares_it_and_is_answered_without_a_body(tmp_path: Path) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="thing", methods=["GET", "HEAD"])
    async def thing(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("a thing", headers={"X-Method": req.method})

    async with hosted(app, tmp_path) as running, running.client.head("/thing") as response:
        assert (response.status, response.headers["Content-Length"]) == (200, "7")
        assert response.headers["X-Method"] == "HEAD"
        assert await response.read() == b""


async def test_the_prefix_of_host_json_stands_before_every_route(tmp_path: Path) -> None:
    async with hosted(routed_app(thing="GET thing"), tmp_path, Options(route_prefix="api")) as running:
        assert await reached(running, "/api/thing") == ["thing", {}]
        assert await reached(running, "/thing") is None


@pytest.mark.parametrize("other", ["GET things/{key}", "GET THINGS/{key}", "ANY things/{key}"])
async def test_two_functions_on_one_route_and_method_are_refused(other: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"function second: the route (?i:things/\{key\}) is taken by first"):
        async with hosted(routed_app(first="GET things/{key}", second=other), tmp_path):
            pass


@pytest.mark.parametrize("route", ["admin/things", "administrators", "Runtime", "x/{y", "x/{y:colour}"])
async def test_a_route_that_the_platform_refuses_is_refused(route: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="function thing: "):
        async with hosted(routed_app(thing=f"GET {route}"), tmp_path):
            pass
