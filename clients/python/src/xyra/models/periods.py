"""Models of `periods`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class RestatementAnswer(TypedDict):
    start: str
    """The period's."""
    end: str
    """The period's, exclusive."""
    status: Literal["taxable", "reverse_charge", "exempt"] | None
    """Null where only the rate is another one."""
    rate: str | None
    """Null where only the status is another one."""
    reason: str
    """What was wrong."""
    restated_at: str
    """When it was corrected."""


class RestatementRequest(TypedDict):
    status: NotRequired[Literal["taxable", "reverse_charge", "exempt"] | None]
    """How the period is taxed: `taxable`, `reverse_charge` or `exempt`."""
    rate: NotRequired[str | None]
    """The id of the rate of all its lines."""
    reason: str
    """What was wrong; invoices say it where the period is exempt."""
