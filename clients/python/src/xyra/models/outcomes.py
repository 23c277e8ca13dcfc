"""Models of `outcomes`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict


class BulkAnswer(TypedDict):
    data: Sequence[BulkResult]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
    verified: int
    """How many are verified now."""
    refused: int
    """How many could not be verified."""


BulkFilter = TypedDict(
    "BulkFilter",
    {
        "agent": "NotRequired[str | None]",
        "type": "NotRequired[str | None]",
        "from": "NotRequired[str | None]",
        "to": "NotRequired[str | None]",
    },
)


class BulkRequest(TypedDict):
    """Either `ids` or `filter`."""

    ids: NotRequired[Sequence[str] | None]
    """Ids of outcomes."""
    filter: NotRequired[BulkFilter | None]
    """The newest 1,000 pending outcomes that match, or the next ones after `cursor`."""
    cursor: NotRequired[str | None]
    """With `filter`: the `next_cursor` of the previous answer."""
    evidence: NotRequired[Mapping[str, Any] | None]
    """Stored with each outcome."""
    note: NotRequired[str | None]
    """Stored with each outcome."""


class BulkResult(TypedDict):
    id: str
    """Its id."""
    status: Literal["pending", "verified", "rejected", "reversed"] | None
    """Its status now; null where it could not be verified."""
    problem: RefusedAnswer | None
    """Why it was refused."""


class DecisionRequest(TypedDict):
    reason: str
    """Kept with it."""


class OutcomeAnswer(TypedDict):
    id: str
    """Its id."""
    event_id: str
    """Of the event that reported it."""
    external_event_id: str
    """Of that event, as its sender chose it."""
    source: str
    """Where that event came from, as its sender says."""
    type: str
    """`outcome.` and a name."""
    agent_id: str
    """The agent that it is about."""
    run: str | None
    """The key of the run that it belongs to."""
    time: str
    """When it happened."""
    period_start: str
    """The start of the period in which it counts."""
    status: Literal["pending", "verified", "rejected", "reversed"]
    """The state that it is in."""
    reason: str | None
    """Why it was rejected or reversed."""
    value: str | None
    """As it was reported, in `currency`."""
    verified_value: str | None
    """The value that counts, in `currency`."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    exchange_rate: str | None
    """To the organization's currency, in force when it happened."""
    converted_value: str | None
    """The value in the organization's currency; null where there was no exchange rate."""
    converted_currency: str
    """The organization's."""
    verified_by: Literal["operator", "organization"]
    """Who may verify it: only the operator, or the organization as well."""
    decided_at: str | None
    """When it was verified, rejected or reversed."""
    decided_by: Literal["rule", "operator", "organization"] | None
    """Who decided: a rule of its charge, the operator or the organization."""
    note: str | None
    """Of whoever verified it."""


class OutcomeDetailsAnswer(TypedDict):
    id: str
    """Its id."""
    event_id: str
    """Of the event that reported it."""
    external_event_id: str
    """Of that event, as its sender chose it."""
    source: str
    """Where that event came from, as its sender says."""
    type: str
    """`outcome.` and a name."""
    agent_id: str
    """The agent that it is about."""
    run: str | None
    """The key of the run that it belongs to."""
    time: str
    """When it happened."""
    period_start: str
    """The start of the period in which it counts."""
    status: Literal["pending", "verified", "rejected", "reversed"]
    """The state that it is in."""
    reason: str | None
    """Why it was rejected or reversed."""
    value: str | None
    """As it was reported, in `currency`."""
    verified_value: str | None
    """The value that counts, in `currency`."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    exchange_rate: str | None
    """To the organization's currency, in force when it happened."""
    converted_value: str | None
    """The value in the organization's currency; null where there was no exchange rate."""
    converted_currency: str
    """The organization's."""
    verified_by: Literal["operator", "organization"]
    """Who may verify it: only the operator, or the organization as well."""
    decided_at: str | None
    """When it was verified, rejected or reversed."""
    decided_by: Literal["rule", "operator", "organization"] | None
    """Who decided: a rule of its charge, the operator or the organization."""
    note: str | None
    """Of whoever verified it."""
    evidence: Any
    """From the report."""
    verification_evidence: Any
    """From the verification."""


class OutcomeList(TypedDict):
    data: Sequence[OutcomeAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class RefusedAnswer(TypedDict):
    """Why an outcome could not be verified."""

    code: str
    """The last segment of a problem's `type`."""
    detail: str
    """What is wrong."""


class StatisticsAnswer(TypedDict):
    currency: str
    """The organization's."""
    count: int
    """How many in all states."""
    success_rate: str
    """verified / all; 0 where there are no outcomes."""
    pending: StatusTotalAnswer
    """Those that nobody has decided about."""
    verified: StatusTotalAnswer
    """Those that count."""
    rejected: StatusTotalAnswer
    """Those that never counted."""
    reversed: StatusTotalAnswer
    """Those that count no longer."""


class StatusTotalAnswer(TypedDict):
    count: int
    """How many."""
    value: str
    """The sum of their values in the organization's currency, without those that have no exchange rate."""


class VerifyRequest(TypedDict):
    value: NotRequired[str | int | Decimal | None]
    """Replaces the reported value where it is less; in the currency of the report."""
    evidence: NotRequired[Mapping[str, Any] | None]
    """Why it holds: an object of at most 50 keys."""
    note: NotRequired[str | None]
    """Kept with it."""
