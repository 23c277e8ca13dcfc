"""What workflows would be billed, before they run (US-04)."""

from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

START = "2026-10-01T00:00:00Z"
LATER = "2026-12-01T00:00:00Z"
PER_UNIT = {"type": "per_unit", "unit_amount": "2.00"}
FLOWS: Json = {
    "key": "flows",
    "type": "workflow",
    "base_fee": {"amount": "100.00"},
    "workflows": {
        "lead_research": {"pricing": PER_UNIT, "minimum": "20.00", "included_units": "10"},
        "email": {
            "pricing": {
                "type": "volume",
                "tiers": [{"up_to": "100", "unit_amount": "0.50"}, {"up_to": None, "unit_amount": "0.30"}],
            }
        },
    },
    "commitment": {"quantity": "500", "overage_multiplier": "1.5"},
    "discount": {"from_quantity": "1000", "percent": "10"},
}


async def priced_by(xyra: Xyra, *charges: Json, start: str = START, **fields: Json) -> Organization:
    """An organization whose coder is priced by these charges."""
    organization = await xyra.organization(**fields)
    model = await organization.model(*charges, effective_from=start)
    await organization.agent(billing_model_id=model["id"], billing_model_from=start)
    return organization


async def validated(organization: Organization, **workflows: str) -> Json:
    agent = await organization.key.get("agents/external/coder")
    answer: Json = await organization.key.post(
        f"agents/{agent['id']}/workflows/validate", {"workflows": workflows}, expect=200
    )
    assert answer["agent_id"] == agent["id"]
    return answer


def by_type(answer: Json) -> dict[str, str]:
    return {each["workflow"]: each["exact_amount"] for each in answer["workflows"]}


def warned(answer: Json) -> list[tuple[str, str | None]]:
    assert all(warning["detail"] for warning in answer["warnings"])
    return [(warning["code"], warning["workflow"]) for warning in answer["warnings"]]


async def test_each_type_has_its_price_and_the_platform_fee_counts_once(xyra: Xyra) -> None:
    organization = await priced_by(xyra, {"key": "platform", "type": "flat_fee", "amount": "499"}, FLOWS)
    answer = await validated(organization, lead_research="30", email="3")
    assert by_type(answer) == {"lead_research": "40", "email": "1.5"}
    assert (answer["platform_fee"], answer["exact_total"], answer["total"]) == ("100", "141.5", "141.50")
    (line,) = answer["lines"]
    assert (line["charge"], line["quantity"], line["amount"]) == ("flows", "33", "141.50")
    assert [(step["kind"], step["workflow"], step["amount"]) for step in line["steps"]] == [
        ("base_fee", None, "100"),
        ("unit", "lead_research", "40"),
        ("tier", "email", "1.5"),
    ]
    assert (answer["version"], answer["currency"], warned(answer)) == (1, "USD", [])
    assert answer["workflows"][0]["charges"] == ["flows"]


async def test_it_says_what_is_worth_knowing_of_the_price(xyra: Xyra) -> None:
    organization = await priced_by(xyra, FLOWS)
    answer = await validated(organization, lead_research="12", email="600", haiku="1")
    assert by_type(answer) == {"lead_research": "20", "email": "180", "haiku": "0"}
    assert warned(answer) == [
        ("no_price", "haiku"),
        ("minimum_applies", "lead_research"),
        ("commitment_exceeded", None),
    ]
    assert answer["total"] == "400.00"
    free = {"pricing": PER_UNIT, "included_units": "10", "maximum": "30"}
    charge = {"key": "flows", "type": "workflow", "workflows": {"included": free, "capped": free}}
    answer = await validated(await priced_by(xyra, charge), included="10", capped="100")
    assert warned(answer) == [("nothing_billed", "included"), ("maximum_applies", "capped")]
    assert answer["total"] == "30.00"


async def test_it_says_that_a_price_depends_on_values_yet_to_be_told(xyra: Xyra) -> None:
    by_value = {"pricing": {"type": "percentage", "rate": "5"}}
    charge = {"key": "flows", "type": "workflow", "workflows": {"deal": by_value}}
    answer = await validated(await priced_by(xyra, charge), deal="3")
    assert warned(answer) == [("nothing_billed", "deal")]
    assert "a value that only their events will tell" in answer["warnings"][0]["detail"]


async def test_it_is_about_the_present_billing_period_of_the_organization(xyra: Xyra) -> None:
    answer = await validated(await priced_by(xyra, FLOWS, timezone="America/New_York"), email="3")
    (line,) = answer["lines"]
    assert line["period"] == {"start": "2026-11-01T04:00:00Z", "end": "2026-12-01T05:00:00Z"}


async def test_any_charge_that_meters_a_workflow_prices_it(xyra: Xyra) -> None:
    meter = {"event_type": "workflow.email", "aggregation": "sum", "value": "data.quantity"}
    mails = {"key": "mails", "type": "activity", "meter": meter, "pricing": PER_UNIT, "base_fee": {"amount": "7"}}
    other = mails | {"key": "others", "meter": meter | {"event_type": "workflow.other"}}
    pages = mails | {"key": "pages", "meter": meter | {"value": "data.pages"}}
    answer = await validated(await priced_by(xyra, mails, other, pages, FLOWS), email="3", lead_research="30")
    assert by_type(answer) == {"email": "7.5", "lead_research": "40"}
    assert answer["workflows"][0]["charges"] == ["mails", "flows"]
    assert (answer["platform_fee"], answer["total"]) == ("107", "154.50")
    assert [line["charge"] for line in answer["lines"]] == ["flows", "mails"]
    assert warned(answer) == [("unmeterable", "email")]


async def test_a_type_that_cannot_be_metered_is_not_one_without_a_price(xyra: Xyra) -> None:
    meter = {"event_type": "workflow.email", "aggregation": "sum", "value": "data.pages"}
    pages = {"key": "pages", "type": "activity", "meter": meter, "pricing": PER_UNIT}
    answer = await validated(await priced_by(xyra, pages), email="3")
    assert warned(answer) == [("unmeterable", "email")]
    assert (by_type(answer), answer["lines"]) == ({"email": "0"}, [])


async def test_an_agent_without_a_model_is_billed_nothing(xyra: Xyra) -> None:
    organization = await xyra.organization(currency="JPY")
    await organization.agent()
    answer = await validated(organization, email="3")
    assert (answer["billing_model_id"], answer["version"], answer["lines"]) == (None, None, [])
    assert (answer["currency"], answer["total"]) == ("JPY", "0")
    assert warned(answer) == [("no_billing_model", None)]


@pytest.mark.parametrize(("model_from", "agent_from"), [(START, LATER), (LATER, LATER), (LATER, START)])
async def test_what_prices_an_agent_only_later_does_not_count(xyra: Xyra, model_from: str, agent_from: str) -> None:
    organization = await xyra.organization()
    model = await organization.model(FLOWS, effective_from=model_from)
    await organization.agent(billing_model_id=model["id"], billing_model_from=agent_from)
    answer = await validated(organization, email="3")
    assert (warned(answer), answer["total"]) == ([("no_billing_model", None)], "0.00")


async def test_the_version_in_force_counts_not_the_newest(xyra: Xyra) -> None:
    organization = await xyra.organization()
    model = await organization.model(FLOWS, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    dearer = {"name": "Dearer", "currency": "USD", "effective_from": LATER}
    dearer |= {"charges": [FLOWS | {"base_fee": {"amount": "900.00"}}]}
    path = f"billing-models/{model['id']}"
    (await organization.operator.send("PUT", path, dearer, headers={"If-Match": "*"})).expect(200)
    answer = await validated(organization, email="3")
    assert (answer["version"], answer["total"]) == (1, "101.50")


async def test_an_estimate_has_the_bound_of_a_calculation(xyra: Xyra) -> None:
    tiers = [
        *({"up_to": str(bound), "unit_amount": "1"} for bound in range(1, 100)),
        {"up_to": None, "unit_amount": "1"},
    ]
    names = [f"w{number}" for number in range(40)]
    workflows = {name: {"pricing": {"type": "graduated", "tiers": tiers}} for name in names}
    organization = await priced_by(xyra, {"key": "flows", "type": "workflow", "workflows": workflows})
    agent = await organization.key.get("agents/external/coder")
    path = f"agents/{agent['id']}/workflows/validate"
    all_types = {"workflows": dict.fromkeys(names, "1000")}
    refused = await organization.key.send("POST", path, all_types)
    assert refused.problem(422, "validation") == ["/workflows"]
    assert "4050 steps, at most 3000" in refused.json()["detail"]
    assert "ask for fewer types" in refused.json()["detail"]
    some = names[:29]
    answer = await validated(organization, **dict.fromkeys(some, "1000"))
    assert sum(step["workflow"] in some for line in answer["lines"] for step in line["steps"]) == 2900


async def test_nothing_is_recorded(xyra: Xyra) -> None:
    organization = await priced_by(xyra, FLOWS, start="2026-11-01T00:00:00Z")
    await validated(organization, email="3")
    await xyra.idle()
    usage = await organization.key.get("usage", period="2026-11")
    assert (usage["data"], usage["pending"]) == ([], 0)
    assert (await organization.preview("2026-11"))["total"] == "100.00"
    assert (await organization.key.get("agents/external/coder"))["last_active_at"] is None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"workflows": {}}, ["/workflows"]),
        ({}, ["/workflows"]),
        ({"workflows": {"email": "-1"}}, ["/workflows/email"]),
        ({"workflows": {"a/b": "NaN"}}, ["/workflows/a~1b"]),
        ({"workflows": {"not a name": "1"}}, ["/workflows/not a name"]),
        ({"workflows": {f"w{number}": "1" for number in range(101)}}, ["/workflows"]),
        ({"workflows": {"email": "1"}, "more": 1}, ["/more"]),
    ],
)
async def test_what_is_no_number_of_workflows_is_refused_at_its_place(
    xyra: Xyra, body: Json, pointers: list[str]
) -> None:
    organization = await priced_by(xyra, FLOWS)
    agent = await organization.key.get("agents/external/coder")
    answer = await organization.key.send("POST", f"agents/{agent['id']}/workflows/validate", body)
    assert answer.problem(422, "validation") == pointers
