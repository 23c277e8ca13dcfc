"""Pages of chosen origins call the API, and no others."""

from collections.abc import Callable

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.clients.xyra_process import XyraProcess

PAGE, ANOTHER = "https://app.example.com", "http://localhost:3000"
ALLOWED = "Access-Control-Allow-Origin"


async def test_pages_of_chosen_origins_read_answers_and_others_do_not(new_process: Callable[..., XyraProcess]) -> None:
    served = await Served.by(new_process(XYRA_CORS_ORIGINS=f"{PAGE}, {ANOTHER}"))
    async with served.clients() as xyra:
        for origin in (PAGE, ANOTHER):
            for path, status in (("organizations", 200), ("nowhere", 404)):
                answer = await xyra.operator.send("GET", path, headers={"Origin": origin})
                assert (answer.status, answer.headers[ALLOWED], answer.headers["Vary"]) == (status, origin, "Origin")
                assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
                assert "Access-Control-Allow-Credentials" not in answer.headers
        for origin in ("https://app.example.com.evil.example", "null", "https://APP.example.com"):
            answer = await xyra.operator.send("GET", "organizations", headers={"Origin": origin})
            assert ALLOWED not in answer.headers
            assert answer.headers["Vary"] == "Origin"  # no cache gives this answer to a page that may have it
        asked = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH"}
        preflight = await xyra.anonymous.send("OPTIONS", "organizations/org_1", headers=asked)
        assert (preflight.status, preflight.headers[ALLOWED]) == (204, PAGE)
        assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"].split(", ")
        assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"].split(", ")


async def test_without_the_setting_no_page_reads_anything(xyra: Xyra) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        answer = await xyra.operator.send(method, "organizations", headers=asked)
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize(
    "origins", ["*", "app.example.com", "https://app.example.com/", "https://*.example.com", "null"]
)
def test_what_is_no_origin_is_refused_at_the_start(origins: str, new_process: Callable[..., XyraProcess]) -> None:
    process = new_process(XYRA_CORS_ORIGINS=origins)
    process.spawn()
    assert process.wait() == 1
    assert f"XYRA_CORS_ORIGINS {origins} is not an origin: write it as https://app.example.com" in process.output
