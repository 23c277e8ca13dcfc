"""Lines say whose they are: by ids and by names, which an invoice keeps as they were when it was finalized."""

from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization
from tests.doubles.worlds.charges import commands

Json = dict[str, Any]

PLATFORM = {"key": "platform", "type": "flat_fee", "amount": "10.00"}


async def renamed(organization: Organization, agent: Json, name: str) -> None:
    (await organization.key.send("PATCH", f"agents/{agent['id']}", {"name": name})).expect(200)


async def test_lines_that_would_read_the_same_name_their_agent_and_model(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-04-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    support = await organization.model(PLATFORM, commands("1", "1"), name="Support")
    sales = await organization.model(PLATFORM, name="Sales")
    first = await organization.agent("a", name="Ada", billing_model_id=support["id"])
    second = await organization.agent("b", name="Grace", billing_model_id=support["id"])
    await organization.agent("c", name="Mary", billing_model_id=sales["id"])
    used = {"type": "command", "data": {"quantity": "5"}}
    await organization.key.report({"id": "1", "agent": "a", **used}, {"id": "2", "agent": "b", **used})
    await time_machine.xyra.idle()

    async def lines() -> list[tuple[str | None, str, str]]:
        shown = (await organization.preview("2027-04"))["lines"]
        return [(line["agent_name"], line["model_name"], line["description"]) for line in shown]

    assert sorted(await lines(), key=lambda line: line[2]) == [
        ("Ada", "Support", "Commands (per command) - Ada, Support"),
        ("Grace", "Support", "Commands (per command) - Grace, Support"),
        (None, "Sales", "Platform (fee per month) - Sales"),
        (None, "Support", "Platform (fee per month) - Support"),
    ]
    for agent in (first, second):
        (await organization.key.send("DELETE", f"agents/{agent['id']}")).expect(204)
    await time_machine.at("2027-06-01T00:01:00Z")
    assert await lines() == []
    may = (await organization.preview("2027-05"))["lines"]
    assert [(line["model_name"], line["description"]) for line in may] == [("Sales", "Platform (fee per month)")]


async def test_an_invoice_keeps_the_names_of_its_day(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-04-01T00:00:00Z")
    organization = await time_machine.xyra.organization()
    model = await organization.model(PLATFORM | {"scope": "agent"}, name="Support")
    agent = await organization.agent(name="Ada", billing_model_id=model["id"])
    await renamed(organization, agent, "Countess")
    await time_machine.at("2027-05-01T00:01:00Z")
    (april,) = await time_machine.xyra.generate(organization, "2027-04")
    await renamed(organization, agent, "Lovelace")
    await time_machine.at("2027-06-01T00:01:00Z")
    (may,) = await time_machine.xyra.generate(organization, "2027-05")
    stored = await organization.key.get(f"invoices/{april['id']}")
    assert [line["agent_name"] for invoice in (stored, may) for line in invoice["lines"]] == ["Countess", "Lovelace"]
    for invoice in (stored, may):
        (line,) = (await organization.key.get(f"invoices/{invoice['id']}/lines"))["data"]
        assert line == invoice["lines"][0]
        assert (line["agent_id"], line["model_id"], line["model_name"]) == (agent["id"], model["id"], "Support")
