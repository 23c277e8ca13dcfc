"""Models of `periods`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class RestatementAnswer(TypedDict):
    start: str
    end: str
    status: Literal["taxable", "reverse_charge", "exempt"] | None
    """The state that it is in."""
    rate: str | None
    reason: str
    restated_at: str


class RestatementRequest(TypedDict):
    status: NotRequired[Literal["taxable", "reverse_charge", "exempt"] | None]
    """How the period is taxed: `taxable`, `reverse_charge` or `exempt`."""
    rate: NotRequired[str | None]
    """The id of the rate of all its lines."""
    reason: str
    """What was wrong; invoices say it where the period is exempt."""
