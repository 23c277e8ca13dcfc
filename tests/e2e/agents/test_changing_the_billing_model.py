"""Which billing model prices an agent from when: changed, mended and withdrawn until 10 minutes before it begins."""

from collections.abc import Sequence
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Answer, Organization

Json = dict[str, Any]

START = "2027-01-01T00:00:00Z"
MARCH, APRIL, MAY = "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z", "2027-05-01T00:00:00Z"


class Priced:
    """An agent on the first of three models, at noon on 10 January."""

    def __init__(self, organization: Organization, models: Sequence[str], agent: Json) -> None:
        self.organization = organization
        self.a, self.b, self.c = models
        self.path = f"agents/{agent['id']}"
        self.agent = agent

    async def patch(self, model: str | None, start: str | None = None) -> Answer:
        change = {"billing_model_id": model} | ({} if start is None else {"billing_model_from": start})
        return await self.organization.key.send("PATCH", self.path, change)

    async def takes(self, model: str | None, start: str | None = None) -> tuple[str | None, str | None]:
        """What the agent says after the change."""
        changed = (await self.patch(model, start)).expect(200)
        return changed["billing_model_id"], changed["billing_model_from"]

    async def refuses(self, model: str | None, start: str) -> None:
        assert (await self.patch(model, start)).problem(422, "validation") == ["/billing_model_from"]

    async def timeline(self) -> list[tuple[str | None, str]]:
        """What prices it from when on."""
        config = await self.organization.key.get(f"{self.path}/billing-config")
        return [(each["billing_model_id"], each["start"][:16]) for each in (config["current"], *config["upcoming"])]


async def priced(time_machine: TimeMachine, start: str = START) -> Priced:
    await time_machine.at("2027-01-10T12:00:00Z")
    organization = await time_machine.xyra.organization()
    models = []
    for amount in ("31.00", "62.00", "93.00"):
        fee = {"key": "fee", "type": "flat_fee", "amount": amount}
        models.append((await organization.model(fee, effective_from=START))["id"])
    agent = await organization.agent(billing_model_id=models[0], billing_model_from=start)
    return Priced(organization, models, agent)


async def test_a_mistyped_start_is_mended(time_machine: TimeMachine) -> None:
    agent = await priced(time_machine)
    assert await agent.takes(agent.b, APRIL) == (agent.b, APRIL)
    assert await agent.takes(agent.b, MARCH) == (agent.b, MARCH)
    assert await agent.timeline() == [(agent.a, START[:16]), (agent.b, MARCH[:16])]
    await agent.refuses(agent.b, "2027-01-10T12:05:00Z")


async def test_another_model_takes_the_place_of_the_one_to_come(time_machine: TimeMachine) -> None:
    agent = await priced(time_machine)
    await agent.takes(agent.b, MARCH)
    assert await agent.takes(agent.c, APRIL) == (agent.c, APRIL)
    assert await agent.timeline() == [(agent.a, START[:16]), (agent.c, APRIL[:16])]


async def test_the_model_in_force_withdraws_the_one_to_come(time_machine: TimeMachine) -> None:
    agent = await priced(time_machine)
    await agent.takes(agent.b, MARCH)
    assert await agent.takes(agent.a) == (agent.a, START)
    assert await agent.timeline() == [(agent.a, START[:16])]
    await time_machine.at("2027-04-01T00:01:00Z")
    assert (await agent.organization.preview("2027-03"))["total"] == "31.00"


async def test_what_has_begun_keeps_its_start(time_machine: TimeMachine) -> None:
    """Only repeating it is taken, and changes nothing."""
    agent = await priced(time_machine)
    await agent.refuses(agent.a, MARCH)
    await agent.refuses(agent.a, "2026-12-01T00:00:00Z")
    before = (await agent.organization.key.send("GET", agent.path)).headers["ETag"]
    for start in (None, START):
        repeated = await agent.patch(agent.a, start)
        assert repeated.expect(200)["billing_model_from"] == START
        assert repeated.headers["ETag"] == before


async def test_pricing_ends_and_its_end_is_moved_and_withdrawn(time_machine: TimeMachine) -> None:
    agent = await priced(time_machine)
    assert await agent.takes(None, APRIL) == (None, APRIL)
    assert await agent.takes(None, MARCH) == (None, MARCH)
    assert await agent.timeline() == [(agent.a, START[:16]), (None, MARCH[:16])]
    assert await agent.takes(agent.a) == (agent.a, START)
    assert await agent.timeline() == [(agent.a, START[:16])]


async def test_less_than_ten_minutes_ahead_nothing_is_withdrawn(time_machine: TimeMachine) -> None:
    """What follows comes after it."""
    agent = await priced(time_machine)
    await agent.takes(agent.b)
    await time_machine.at("2027-01-10T12:05:00Z")
    await agent.refuses(agent.b, MARCH)
    await agent.takes(agent.a)
    timeline = await agent.timeline()
    assert [model for model, _ in timeline] == [agent.a, agent.b, agent.a]
    assert [start for _, start in timeline[1:]] == ["2027-01-10T12:10", "2027-01-10T12:15"]


async def test_a_first_model_that_has_not_begun_is_mended_and_withdrawn(time_machine: TimeMachine) -> None:
    agent = await priced(time_machine, start=MAY)
    assert await agent.takes(agent.a, MARCH) == (agent.a, MARCH)
    assert await agent.takes(agent.b, APRIL) == (agent.b, APRIL)
    assert await agent.takes(None) == (None, None)
    assert [model for model, _ in await agent.timeline()] == [None]
    await agent.refuses(None, MARCH)


async def test_an_archived_model_that_is_in_force_may_stay(time_machine: TimeMachine) -> None:
    agent = await priced(time_machine)
    await agent.takes(agent.b, MARCH)
    await agent.organization.operator.post(f"billing-models/{agent.a}/archive", expect=200)
    assert await agent.takes(agent.a) == (agent.a, START)
    await agent.organization.operator.post(f"billing-models/{agent.b}/archive", expect=200)
    assert (await agent.patch(agent.b)).problem(422, "validation") == ["/billing_model_id"]


async def test_a_start_goes_with_a_model(time_machine: TimeMachine) -> None:
    agent = await priced(time_machine)
    alone = await agent.organization.key.send("PATCH", agent.path, {"billing_model_from": MARCH})
    assert alone.problem(422, "validation") == ["/billing_model_from"]
