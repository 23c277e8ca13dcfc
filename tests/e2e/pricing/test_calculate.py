"""What usage would cost (BM-08): models that are saved, models that are not, and the templates to start from."""

from decimal import Decimal
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

TIERS = [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}]
COMMANDS: Json = {
    "key": "commands",
    "type": "activity",
    "base_fee": {"amount": "15.00", "per": "agent"},
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "graduated", "tiers": TIERS},
}
RESOLVED: Json = {
    "key": "resolved",
    "type": "outcome",
    "meter": {"event_type": "outcome.issue_resolved"},
    "pricing": {"type": "percentage", "rate": "5", "maximum_per_event": "100"},
}
CHARGES = [
    {"key": "platform", "type": "flat_fee", "amount": "499.00", "interval": "year"},
    {"key": "setup", "type": "setup_fee", "amount": "1500.00"},
    {"key": "seats", "type": "seat", "pricing": {"type": "per_unit", "unit_amount": "12.00"}},
    {"key": "agents", "type": "agent", "pricing": {"type": "per_unit", "unit_amount": "29.99"}},
    COMMANDS,
    RESOLVED,
    {
        "key": "flows",
        "type": "workflow",
        "workflows": {"email": {"pricing": {"type": "per_unit", "unit_amount": "0.50"}}},
    },
    {"key": "llm", "type": "cost", "markup_percent": "20"},
]
USAGE = [
    {"charge": "commands", "agent": "coder", "quantity": "1200"},
    {"charge": "resolved", "values": ["10", "8000"]},
    {"charge": "flows", "workflows": {"email": "12"}},
    {"charge": "llm", "agent": "coder", "value": "4.1234567", "quantity": "31"},
    {"charge": "seats", "quantity": "3"},
]


@pytest.fixture
async def organization(xyra: Xyra) -> Organization:
    return await xyra.organization()


async def calculated(organization: Organization, model: Json, **asked: Any) -> Json:
    body = {"model": {"currency": "USD", **model}, **asked}
    answer: Json = await organization.key.post("billing-models/calculate", body, expect=200)
    return answer


@pytest.mark.walk
async def test_a_saved_model_gives_the_lines_of_the_same_model_unsaved(organization: Organization) -> None:
    saved = await organization.model(*CHARGES)
    asked = {"usage": USAGE, "period": {"start": "2026-10-01T00:00:00+02:00", "end": "2026-11-01T00:00:00+01:00"}}
    of_saved = await organization.key.post(f"billing-models/{saved['id']}/calculate", asked, expect=200)
    of_draft = await calculated(organization, {"charges": CHARGES}, **asked)
    assert len(of_saved["lines"]) == len(CHARGES)
    for saved_line, line in zip(of_saved["lines"], of_draft["lines"], strict=True):
        assert saved_line["key"] == line["key"].replace("draft/", f"{saved['id']}/")
        assert saved_line | {"key": "", "model_id": ""} == line | {"key": "", "model_id": ""}
    assert of_saved | {"lines": []} == of_draft | {"lines": []}
    assert of_saved["lines"][0]["period"] == {"start": "2026-09-30T22:00:00Z", "end": "2026-10-31T23:00:00Z"}


async def test_the_newest_version_is_calculated(organization: Organization) -> None:
    saved = await organization.model({"key": "fee", "type": "flat_fee", "amount": "1.00"})
    path = f"billing-models/{saved['id']}"
    body = {"name": "Dearer", "currency": "USD", "charges": [{"key": "fee", "type": "flat_fee", "amount": "2.00"}]}
    (await organization.operator.send("PUT", path, body, headers={"If-Match": "*"})).expect(200)
    answer = await organization.key.post(f"{path}/calculate", {}, expect=200)
    assert (answer["total"], answer["lines"][0]["steps"][0]["version"]) == ("2.00", 2)


async def test_the_answer_shows_the_arithmetic(organization: Organization) -> None:
    answer = await calculated(organization, {"charges": [COMMANDS]}, usage=USAGE[:1])
    assert {name: answer[name] for name in ("currency", "exact_total", "total")} == {
        "currency": "USD",
        "exact_total": "26",
        "total": "26.00",
    }
    (line,) = answer["lines"]
    shown = {name: line[name] for name in ("key", "type", "charge", "agent_id", "description", "quantity", "unit")}
    assert shown == {
        "key": "draft/commands/coder",
        "type": "activity",
        "charge": "commands",
        "agent_id": "coder",
        "description": "Commands (per command)",
        "quantity": "1200",
        "unit": "command",
    }
    assert [(step["kind"], step["from"], step["to"], step["quantity"], step["amount"]) for step in line["steps"]] == [
        ("base_fee", None, None, "1", "15"),
        ("tier", "0", "1000", "1000", "10"),
        ("tier", "1000", None, "200", "1"),
    ]


async def test_only_leaves_the_other_charges_out(organization: Organization) -> None:
    answer = await calculated(organization, {"charges": CHARGES}, usage=USAGE, only=["flows"])
    assert [(line["charge"], line["amount"]) for line in answer["lines"]] == [("flows", "6.00")]


@pytest.mark.parametrize(
    ("asked", "pointers"),
    [
        ({"usage": [{"charge": "resolved", "values": ["1", "2", "3", "-4"]}]}, ["/usage/0/values/3"]),
        ({"usage": [{"charge": "resolved", "values": ["NaN"]}]}, ["/usage/0/values/0"]),
        ({"usage": [{"charge": "resolved", "values": ["1"] * 10_001}]}, ["/usage/0/values"]),
        ({"usage": [{"charge": "resolved", "value": "9", "quantity": "2"}]}, ["/usage/0/values"]),
        ({"usage": [{"charge": "flows", "workflows": {"email": "-1"}}]}, ["/usage/0/workflows/email"]),
        ({"usage": [{"charge": "flows", "workflows": {"mail": "1"}}]}, ["/usage/0/workflows/mail"]),
        ({"usage": [{"charge": "seats", "quantity": "1e30"}]}, ["/usage/0/quantity"]),
        ({"usage": [{"charge": "agents", "agents": "0.5"}]}, ["/usage/0/agents"]),
        ({"usage": [{"charge": "unknown"}]}, ["/usage/0/charge"]),
        ({"usage": [{"charge": "x" * 65}]}, ["/usage/0/charge"]),
        ({"usage": [{"charge": "commands"}] * 1001}, ["/usage"]),
        ({"usage": [{}]}, ["/usage/0/charge"]),
        ({"only": ["unknown"]}, ["/only/0"]),
        ({"only": ["x" * 65]}, ["/only/0"]),
        ({"period": {"start": "2026-10-01T00:00:00Z", "end": "2026-10-01T00:00:00Z"}}, ["/period/end"]),
        ({"period": {"start": "2026-10-01T00:00:00Z", "end": "2028-10-01T00:00:00Z"}}, ["/period/end"]),
        ({"period": {"start": "2026-10-01T00:00:00Z"}}, ["/period/end"]),
        ({"period": {"start": "0001-01-01T00:00:00Z", "end": "0001-02-01T00:00:00Z"}}, ["/period/start"]),
        ({"period": {"start": "9999-12-01T00:00:00Z", "end": "9999-12-31T23:59:59Z"}}, ["/period/end"]),
        ({"period": {"start": "2026-10-01", "end": "2026-11-01T00:00:00Z"}}, ["/period/start"]),
        ({"usages": []}, ["/usages"]),
    ],
)
async def test_what_cannot_be_calculated_is_refused_at_its_place(
    organization: Organization, asked: Json, pointers: list[str]
) -> None:
    body = {"model": {"currency": "USD", "charges": CHARGES}, "usage": [], **asked}
    answer = await organization.key.send("POST", "billing-models/calculate", body)
    assert answer.problem(422, "validation") == pointers


async def test_values_up_to_the_bound_are_calculated(organization: Organization) -> None:
    entries = [{"charge": "resolved", "values": ["1"] * 1_000}] * 10
    answer = await calculated(organization, {"charges": [RESOLVED]}, usage=entries)
    assert answer["total"] == "500.00"


async def test_every_template_is_a_model_as_it_is(xyra: Xyra, organization: Organization) -> None:
    templates = (await organization.key.get("billing-models/templates"))["data"]
    assert {template["name"] for template in templates} == {
        "Per agent",
        "Per activity",
        "Per outcome",
        "Per workflow",
        "Hybrid",
        "Per seat",
        "Per token",
        "Per resolved ticket",
        "Share of savings",
        "LLM cost plus markup",
        "Credits",
    }
    for template in templates:
        assert template["description"]
        saved = await xyra.operator.post("billing-models", template)
        answer = await organization.key.post(f"billing-models/{saved['id']}/calculate", {}, expect=200)
        assert {line["charge"] for line in answer["lines"]} == {charge["key"] for charge in template["charges"]}
        assert answer["total"] == (await calculated(organization, template))["total"]


async def test_the_credits_of_the_template_are_worth_their_prices(organization: Organization) -> None:
    templates = {each["name"]: each for each in (await organization.key.get("billing-models/templates"))["data"]}
    usage = [
        {"charge": "activities", "quantity": "1500"},
        {"charge": "researches", "quantity": "4"},
        {"charge": "reports", "quantity": "2"},
    ]
    answer = await calculated(organization, templates["Credits"], usage=usage)
    credit = {"activities": 1500, "researches": 100, "reports": 200}
    assert {line["charge"]: Decimal(line["amount"]) * 100 for line in answer["lines"]} == credit
