"""Credit packages: those of the start, and what the operator makes of them."""

import pytest

from tests.doubles.clients.xyra_client import Xyra

STARTER = {"name": "Starter", "credits": "25", "prices": {"USD": "3.00", "JPY": "400"}}


async def test_those_of_the_start_and_the_operators(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await xyra.operator.send("PUT", "billing/credit-packages/starter", STARTER)
    assert (answer.status, answer.json()) == (200, {"id": "starter", **STARTER})
    listed = (await organization.key.get("billing/credit-packages"))["data"]
    assert {each["id"]: (each["name"], each["credits"], each["prices"].get("USD")) for each in listed} == {
        "starter": ("Starter", "25", "3.00"),
        "small": ("Small", "100", "9.90"),
        "medium": ("Medium", "500", "39.90"),
        "large": ("Large", "2000", "149.90"),
        "jumbo": ("Jumbo", "5000", "349.90"),
    }
    assert [each["id"] for each in listed] == ["starter", "small", "medium", "large", "jumbo"]
    stale = {"If-Match": '"another"'}
    refused = await xyra.operator.send("PUT", "billing/credit-packages/starter", STARTER, headers=stale)
    refused.problem(412, "precondition_failed")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"prices": {"USD": "0.49"}}, "/prices/USD"),
        ({"prices": {"USD": "0"}}, "/prices/USD"),
        ({"prices": {"USD": "9.999"}}, "/prices/USD"),
        ({"prices": {"KWD": "1.234"}}, "/prices/KWD"),
        ({"prices": {"IQD": "1000"}}, "/prices/IQD"),
        ({"credits": "0"}, "/credits"),
        ({"credits": "0.0000001"}, "/credits"),
    ],
)
async def test_what_could_not_be_sold_is_refused(xyra: Xyra, changes: dict[str, object], pointer: str) -> None:
    answer = await xyra.operator.send("PUT", "billing/credit-packages/refused", STARTER | changes)
    answer.problem(422, "validation")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_only_the_operator_sets_them(xyra: Xyra) -> None:
    organization = await xyra.organization()
    answer = await organization.key.send("PUT", "billing/credit-packages/small", STARTER)
    answer.problem(403, "forbidden")
