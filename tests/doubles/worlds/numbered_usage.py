"""Usage whose sums show which events were counted, and not only how many."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

AGENTS = ("a0", "a1", "a2")
MONTH = "2026-11"
SOURCE = "worker"

# What each number adds is its own.
COUNTED = {
    "key": "counted",
    "type": "activity",
    "meter": {"event_type": "step"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}
SUMMED = {
    "key": "summed",
    "type": "activity",
    "meter": {"event_type": "step", "aggregation": "sum", "value": "data.square"},
    "pricing": {"type": "per_unit", "unit_amount": "0.001"},
}


def event_id(number: int) -> str:
    return f"step-{number}"


def event(number: int, time: str = "2026-11-10T12:00:00Z") -> Json:
    return {
        "id": event_id(number),
        "source": SOURCE,
        "type": "step",
        "agent": AGENTS[number % len(AGENTS)],
        "time": time,
        "data": {"square": str(number * number)},
    }


async def organization_with_agents(
    xyra: Xyra, *charges: Json, start: str = "2026-10-01T00:00:00Z", **fields: Any
) -> Organization:
    """An organization that is billed for the events, and by the `charges`, from `start` on."""
    organization = await xyra.organization(**fields)
    model = await organization.model(COUNTED, SUMMED, *charges, effective_from=start)
    for agent in AGENTS:
        await organization.agent(agent, billing_model_id=model["id"], billing_model_from=start)
    return organization


async def agent_names(organization: Organization) -> dict[str, str]:
    """The external id of each agent, by its id."""
    return {each["id"]: each["external_id"] for each in (await organization.key.get("agents"))["data"]}


def totals(numbers: Collection[int]) -> dict[tuple[str, str], Decimal]:
    """Totals of these numbered events, each counted once, by agent and charge."""
    found = {}
    for place, agent in enumerate(AGENTS):
        own = [number for number in numbers if number % len(AGENTS) == place]
        if own:
            found[agent, "counted"] = Decimal(len(own))
            found[agent, "summed"] = Decimal(sum(number * number for number in own))
    return found


async def assert_counted_once(organization: Organization, numbers: Collection[int], month: str = MONTH) -> None:
    usage = await organization.key.get("usage", period=month, limit="1000")
    assert usage["pending"] == 0, usage["pending"]
    names = await agent_names(organization)
    found = {(names[row["agent_id"]], row["charge"]): Decimal(row["quantity"]) for row in usage["data"]}
    expected = totals(numbers)
    assert found == expected, f"{organization.slug} in {month}: {found} instead of {expected}"
