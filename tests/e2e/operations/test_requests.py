"""What holds for requests to any route."""

from tests.doubles.clients.xyra_client import Xyra


async def test_a_correlation_id_comes_back(xyra: Xyra) -> None:
    answer = await xyra.anonymous.send("GET", "/health", headers={"X-Correlation-Id": "mine-1"})
    assert answer.headers["X-Correlation-Id"] == "mine-1"
    made = (await xyra.anonymous.send("GET", "/health")).headers["X-Correlation-Id"]
    assert len(made) >= 16


async def test_a_trailing_slash_is_accepted(xyra: Xyra) -> None:
    assert (await xyra.operator.send("GET", "organizations/")).status == 200
