"""Reports by the convenience routes, each with the event that it is by `POST /events`."""

import json
import re
from typing import Any

Json = dict[str, Any]
START = "2026-09-01T00:00:00Z"
FIRST_TIME = "2026-11-10T12:00:00Z"
METER = {"event_type": "step"}
PRICE = {"type": "per_unit", "unit_amount": "1"}
SPOKEN = "2026-11-10T10:00:00Z"
USES = {"quantity": "2.50"}
CALL = {"model": "gpt-4o", "input_tokens": 1200, "output_tokens": 90, "cost": "0.50"}
DEAL = {"value": "20", "evidence": {"score": "1.50"}, "interaction_time": SPOKEN}
REPORTS = {
    "an activity": (
        "activities",
        {"activity_type": "lookup", **USES, "metadata": {"note": "2.50 each"}},
        {"type": "lookup", "data": {**USES, "note": "2.50 each"}},
    ),
    "a cost": ("costs", {"cost_type": "api", "amount": "3.10"}, {"type": "cost.api", "data": {"amount": "3.10"}}),
    "a cost in the organization's currency": (
        "costs",
        {"cost_type": "compute", "amount": "100", "currency": "USD"},
        {"type": "cost.compute", "data": {"amount": "100"}},
    ),
    "an outcome": ("outcomes", {"outcome_type": "deal", **DEAL}, {"type": "outcome.deal", "data": DEAL}),
    "an outcome in the organization's currency": (
        "outcomes",
        {"outcome_type": "lead", "value": "7.0"},
        {"type": "outcome.lead", "data": {"value": "7.0", "currency": "USD"}},
    ),
    "a call": ("llm-calls", CALL, {"type": "llm_call", "data": CALL}),
    "a workflow": (
        "workflows/bulk",
        {"workflows": {"email": "3"}, "metadata": {"list": [1, "2"]}},
        {"type": "workflow.email", "data": {"quantity": "3", "list": [1, "2"]}},
    ),
}
"""By name: a convenience route, a body for it, and the same event."""
_FIXED = re.compile(r'("(?:quantity|amount|value|cost|email)": )"([0-9.]+)"')


def as_numbers(body: Json) -> bytes:
    """The body with its amounts as JSON numbers, digit by digit."""
    return _FIXED.sub(r"\1\2", json.dumps(body)).encode()


def as_texts(body: Json) -> bytes:
    return json.dumps(body).encode()


def id_of(event_: Json, id_: str) -> str:
    """The id of the event; a report of workflows has one event for each type."""
    _, is_workflow, name = event_["type"].partition("workflow.")
    return f"{id_}:{name}" if is_workflow else id_
