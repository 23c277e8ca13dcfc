"""What the demo's organizations pay."""

from typing import Any

from local.demo.recording import RESOLVED


def billing_model(name: str, organization_id: str, effective_from: str) -> dict[str, Any]:
    """The demo's model: a fee, and prices for commands, runs, resolved issues and tokens.

    Commands have graduated tiers; tokens are priced per million.
    """
    return {
        "name": name,
        "organization_id": organization_id,
        "currency": "USD",
        "effective_from": effective_from,
        "charges": [
            {"key": "platform", "type": "flat_fee", "amount": "499.00", "interval": "month", "timing": "arrears"},
            {
                "key": "commands",
                "type": "activity",
                "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
                "pricing": {
                    "type": "graduated",
                    "tiers": [
                        {"up_to": "1000", "unit_amount": "0.01"},
                        {"up_to": "5000", "unit_amount": "0.008"},
                        {"up_to": None, "unit_amount": "0.005"},
                    ],
                },
            },
            {
                "key": "runs",
                "type": "activity",
                "meter": {"event_type": "run"},
                "pricing": {"type": "per_unit", "unit_amount": "0.25"},
            },
            {
                "key": "resolved",
                "type": "outcome",
                "meter": {"event_type": RESOLVED},
                "pricing": {"type": "per_unit", "unit_amount": "1.50"},
                "verification": "required",
            },
            _tokens("input", "uncached_input_tokens", "2.00"),
            _tokens("cached_input", "cached_input_tokens", "0.20"),
            _tokens("output", "output_tokens", "12.00"),
        ],
    }


def _tokens(key: str, field: str, price_per_million: str) -> dict[str, Any]:
    return {
        "key": key,
        "type": "activity",
        "meter": {
            "event_type": "llm_call",
            "aggregation": "sum",
            "value": f"data.{field}",
            "unit": {"divide_by": "1000000"},
        },
        "pricing": {"type": "per_unit", "unit_amount": price_per_million},
    }
