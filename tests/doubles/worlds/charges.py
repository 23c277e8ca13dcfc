"""Charges that the tests of several features price with."""

from typing import Any

Json = dict[str, Any]


def commands(first: str, further: str) -> Json:
    """Ten units of a month cost `first` each, the others `further`."""
    return {
        "key": "commands",
        "type": "activity",
        "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
        "pricing": {
            "type": "graduated",
            "tiers": [{"up_to": "10", "unit_amount": first}, {"up_to": None, "unit_amount": further}],
        },
    }
