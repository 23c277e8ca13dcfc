"""Models of `events`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import EventWarning


class AcceptedEventAnswer(TypedDict):
    index: int
    """The place of the event in the request, from 0."""
    id: str
    """As its sender chose it."""


class DiscardAnswer(TypedDict):
    at: str
    """When it was discarded."""
    by: str
    """The id of the user or API key."""
    reason: str
    """Why it was discarded."""


class DiscardRequest(TypedDict):
    reason: str
    """Why it is discarded."""


class EventAnswer(TypedDict):
    id: str
    """As its sender chose it."""
    event_id: str
    """Its id at Xyra."""
    source: str
    """The system that it came from."""
    type: str
    """What it says happened."""
    agent_id: str
    """The agent that it is about."""
    run: str | None
    """The key of the run that it belongs to."""
    time: str
    """When it happened."""
    data: Mapping[str, Any]
    """As it was sent; the counts of an LLM call under our names."""
    currency: str
    """The organization's."""
    provider_cost: str | None
    """The cost at the provider; for an LLM call by the price list."""
    cost_category: str | None
    """`llm`, `compute`, `api`, `labor`, `tools` or any other that was reported."""
    stated_cost: str | None
    """The cost of an LLM call as its sender reported it."""
    cost_difference: str | None
    """`provider_cost`, or `byok_cost`, minus `stated_cost`; null where the cost is the reported one."""
    cost_source: Literal["list", "override", "reported"] | None
    """Whose figure the cost of an LLM call is: `list`, `override`, or `reported`."""
    priced_by: str | None
    """The `provider/model` whose price was used."""
    list_version: str | None
    """The price list that it comes from."""
    unpriced_reason: str | None
    """Why an LLM call has no price."""
    byok: bool
    """Whether the customer's own key paid for an LLM call, so that it costs the operator nothing."""
    byok_cost: str | None
    """What such a call costs the customer."""
    exchange_rate: str | None
    """From the currency of its amounts to the organization's, where they differ."""
    paid_with: str | None
    """The transaction, hold or lease whose credits have paid for it."""
    beyond_payment: str | None
    """What it costs beyond what that keeps, in `currency`; null without `paid_with`."""
    payment_taken_off: bool
    """Whether the operator took the payment off, so that it is priced like any other event."""
    rated_to: RatedToAnswer
    """Where it counts."""


class EventBatchRequest(TypedDict):
    events: Sequence[EventRequest]
    """At most 1,000."""


class EventList(TypedDict):
    data: Sequence[EventAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class EventRequest(TypedDict):
    """One usage event in the plain form."""

    id: str
    """With `source` the identity of the event: it counts once, however often it is sent."""
    type: str
    """`llm_call`, `cost.{category}`, `outcome.{name}`, `workflow.{name}`, or the name of an activity."""
    agent: str
    """The agent's id or external id."""
    time: NotRequired[str | None]
    """When it happened; now, if it is left out."""
    source: NotRequired[str]
    """The system that it comes from."""
    run: NotRequired[str | None]
    """The key of the run that it belongs to."""
    organization: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    paid_with: NotRequired[str | None]
    """The transaction, hold or lease whose credits have paid for it: it costs only what goes beyond what that keeps."""
    data: NotRequired[Mapping[str, Any]]
    """The values that meters read, and any others of the caller's."""


class EventsAnswer(TypedDict):
    warnings: Sequence[EventWarning]
    """What the sender should look at; the events count all the same. At most 20 of each code."""
    warnings_left_out: int
    """How many more there are."""
    accepted: int
    """How many will be metered."""
    duplicates_in_request: int
    """How many repeat another event of the request."""
    rejected: Sequence[RejectedEvent]
    """Only with `partial`: every event that was not accepted."""
    events: Sequence[AcceptedEventAnswer]
    """Those that were accepted."""


class FieldProblem(TypedDict):
    pointer: str
    """A JSON pointer (RFC 6901), relative to the event."""
    detail: str
    """What is wrong there."""


class NotReplayedAnswer(TypedDict):
    id: str
    """Its id."""
    detail: str
    """Why it was not sent again."""


class ParkedEventAnswer(TypedDict):
    id: str
    """Its id."""
    status: Literal["parked", "rated", "discarded"]
    """The state that it is in."""
    reason: str
    """Why it was not metered."""
    parked_at: str
    """When metering it failed."""
    subject: Mapping[str, Any]
    """The event as it was accepted, or the message that could not be read."""
    replay: ReplayAnswer | None
    """When it was sent again; null where it never was."""
    discard: DiscardAnswer | None
    """Who gave it up; null where nobody did."""


class ParkedEventList(TypedDict):
    data: Sequence[ParkedEventAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class RatedToAnswer(TypedDict):
    """Where an event counts."""

    period_start: str
    """Of the billing period."""
    model_id: str | None
    """Null where the agent had no billing model."""
    version_id: str | None
    """Null where no version of a model was in force."""
    line_keys: Sequence[str]
    """The invoice lines that it counts in; for an outcome, with its present status."""


class RejectedEvent(TypedDict):
    index: int
    """The place of the event in the request, from 0."""
    errors: Sequence[FieldProblem]
    """At most 5. Of all but the first 20 rejected events they are left out."""


class ReplayAnswer(TypedDict):
    """The last time that the event was sent again."""

    attempt: int
    """The number of this resend, from 1."""
    at: str
    """When."""
    by: str
    """The id of the user or API key."""


class ReplayRequest(TypedDict):
    """Either `ids` or `all`."""

    ids: NotRequired[Sequence[str] | None]
    """Ids of parked events."""
    all: NotRequired[Literal[True] | None]
    """The newest 200 that are parked, or the next ones after `cursor`."""
    cursor: NotRequired[str | None]
    """With `all`: the `next_cursor` of the previous answer."""


class ReplayedAnswer(TypedDict):
    sent: int
    """How many were sent again."""
    rated: int
    """How many had been metered already, so that they are parked no longer."""
    refused: Sequence[NotReplayedAnswer]
    """Those that were not sent again."""
    next_cursor: str | None
    """With `all`: asks for the next ones; null after the last."""


class TakingOffRequest(TypedDict):
    reason: str
    """Why, for people."""
