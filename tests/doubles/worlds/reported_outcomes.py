"""An organization that bills outcomes, over HTTP: outcomes are reported, listed and decided."""

from typing import Any

from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = dict[str, Any]

RESOLVED = {
    "key": "resolved",
    "type": "outcome",
    "meter": {"event_type": "outcome.resolved"},
    "pricing": {"type": "per_unit", "unit_amount": "2.00"},
}
START = "2026-10-01T00:00:00Z"
OCTOBER_20 = "2026-10-20T12:00:00Z"


async def priced(xyra: Xyra, charge: Json, **fields: Json) -> Organization:
    """A new organization with an agent that the charge prices."""
    organization = await xyra.organization(**fields)
    model = await organization.model(charge, effective_from=START)
    await organization.agent(billing_model_id=model["id"], billing_model_from=START)
    return organization


def resolved(name: str, time: str = OCTOBER_20, **data: Json) -> Json:
    return {"id": name, "type": "outcome.resolved", "agent": "coder", "time": time, "data": data}


async def outcomes(organization: Organization, **query: str) -> dict[str, Json]:
    """All outcomes of the list, by the ids of their events."""
    found: dict[str, Json] = {}
    cursor: dict[str, str] = {}
    while True:
        page = await organization.key.get("outcomes", limit="200", **query, **cursor)
        found |= {outcome["external_event_id"]: outcome for outcome in page["data"]}
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def statuses(organization: Organization) -> dict[str, str]:
    return {name: outcome["status"] for name, outcome in (await outcomes(organization)).items()}


async def decide(
    organization: Organization, name: str, decision: str, by: Client | None = None, expect: int = 200, **body: Json
) -> Json:
    """Verify, reject or reverse the outcome of an event: by the operator where nobody else is named."""
    id_ = (await outcomes(organization))[name]["id"]
    if decision != "verify":
        body.setdefault("reason", "Because")
    named = {} if by is not None else {"organization_id": organization.id}
    return await (by or organization.operator).post(f"outcomes/{id_}/{decision}", body, expect=expect, **named)


def amounts(document: Json) -> list[tuple[str, str]]:
    """The charge and the amount of each line."""
    return [(line["charge"], line["amount"]) for line in document["lines"]]


async def pending_and_verified(organization: Organization) -> list[tuple[int, str]]:
    """How many are pending and verified, and what they are worth."""
    found = await organization.key.get("outcomes/statistics")
    return [(found[status]["count"], found[status]["value"]) for status in ("pending", "verified")]
