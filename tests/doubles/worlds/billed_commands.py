"""An agent that is billed for its commands, over HTTP."""

from typing import Any

from tests.doubles.clients.xyra_client import Organization

Json = dict[str, Any]

START = "2026-10-01T00:00:00Z"
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {
        "type": "graduated",
        "tiers": [{"up_to": "10", "unit_amount": "1.005"}, {"up_to": None, "unit_amount": "0.5"}],
    },
}
PLATFORM = {"key": "platform", "type": "flat_fee", "amount": "499.00"}


def command(event_id: str, quantity: str = "1", agent: str = "coder", time: str = "2026-10-10T12:00:00Z") -> Json:
    return {"id": event_id, "type": "command", "agent": agent, "time": time, "data": {"quantity": quantity}}


async def billed_agent(organization: Organization, *charges: Json) -> Json:
    model = await organization.model(*(charges or (PLATFORM, COMMANDS)), effective_from=START)
    agent: Json = await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    return agent
