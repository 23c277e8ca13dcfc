"""Models of `agents`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import (
    ActivityCharge,
    AgentCharge,
    CategoryCost,
    CostCharge,
    CountAnswer,
    EventWarning,
    FlatFee,
    LimitWarning,
    Line,
    OutcomeCharge,
    SeatCharge,
    SetupFee,
    SpanAnswer,
    UnpricedAnswer,
    WorkflowCharge,
)


class ActivityRequest(TypedDict):
    time: NotRequired[str | None]
    """When it happened; now, if it is left out."""
    run: NotRequired[str | None]
    """The key of the run that it belongs to."""
    id: NotRequired[str | None]
    """Identifies the event, which counts once however often it is sent. If left out: the Idempotency-Key, else a new
    one."""
    paid_with: NotRequired[str | None]
    """The transaction, hold or lease whose credits have paid for it: it costs only what goes beyond what that keeps."""
    activity_type: str
    """The type of the event."""
    quantity: NotRequired[str | int | Decimal | None]
    """1, if left out."""
    metadata: NotRequired[Mapping[str, Any]]
    """Other data of the event, which meters can read."""


class AgentAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    external_id: str
    """The caller's own id, unique in the organization."""
    name: str
    """Its name, for people."""
    description: str | None
    """What it is, for people."""
    type: str | None
    """A label of the caller's."""
    capabilities: Sequence[str]
    """Labels of the caller's."""
    config: Mapping[str, Any]
    """Data of the caller's own."""
    project_id: str | None
    """The project that it is allocated to."""
    department_id: str | None
    """The department that it is allocated to."""
    billing_model_id: str | None
    """The billing model that was chosen last; null where its usage is not billed."""
    billing_model_from: str | None
    """When that takes effect, also where it ends billing; null where the agent never had a billing model."""
    status: str
    """The state that it is in."""
    is_active: bool
    """Whether the status is `active`."""
    last_active_at: str | None
    """When its latest event was reported."""
    created_at: str
    """When it was created."""


class AgentList(TypedDict):
    data: Sequence[AgentAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class AgentPatch(TypedDict):
    """JSON Merge Patch."""

    external_id: NotRequired[str]
    """The caller's own id, unique in the organization."""
    name: NotRequired[str]
    """Its name, for people."""
    description: NotRequired[str | None]
    """What it is, for people."""
    type: NotRequired[str | None]
    """A label of the caller's."""
    capabilities: NotRequired[Sequence[str]]
    """Labels of the caller's."""
    config: NotRequired[Mapping[str, Any] | None]
    """Merged into what is there."""
    project_id: NotRequired[str | None]
    """The project that it is allocated to."""
    department_id: NotRequired[str | None]
    """The department that it is allocated to."""
    billing_model_id: NotRequired[str | None]
    """The billing model that prices it from `billing_model_from` on, in place of one that has not begun.
    
    The one in force withdraws what has not begun. Null ends pricing: usage is no longer billed."""
    billing_model_from: NotRequired[str | None]
    """When the billing model takes effect: in 10 minutes (the default) or later."""
    is_active: NotRequired[bool]
    """Whether the agent is in use. Events of inactive agents are accepted all the same."""


class AgentRequest(TypedDict):
    external_id: str
    """The caller's own id, unique in the organization. Events may name the agent by it."""
    name: str
    """Its name, for people."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    description: NotRequired[str | None]
    """What it is, for people."""
    type: NotRequired[str | None]
    """A label of the caller's."""
    capabilities: NotRequired[Sequence[str]]
    """Labels of the caller's."""
    config: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 16 KiB."""
    project_id: NotRequired[str | None]
    """The project that it is allocated to."""
    department_id: NotRequired[str | None]
    """The department that it is allocated to."""
    billing_model_id: NotRequired[str | None]
    """The billing model that prices it. Without one its usage is metered, but not billed."""
    billing_model_from: NotRequired[str | None]
    """When the billing model takes effect; may be in the past. By default now."""


class AgentShareAnswer(TypedDict):
    """The agent's share of a line.

    A pooled line is shared by what its charge prices; by quantity, where all of it is free; by days, without usage."""

    key: str
    """The key of the line."""
    type: str
    """The type of the charge."""
    charge: str | None
    """The charge's key."""
    description: str
    """What it is, for people."""
    pooled: bool
    """Whether other agents have a share in the line."""
    amount: str
    """The agent's share."""
    line_amount: str
    """The whole line's amount."""


AgentStatsAnswer = TypedDict(
    "AgentStatsAnswer",
    {
        "provider_cost": "str",
        "billed_amount": "str",
        "outcome_value": "str",
        "margin": "str",
        "return": "str",
        "agent_id": "str",
        "currency": "str",
        "period": "SpanAnswer",
        "events": "Sequence[CountAnswer]",
        "last_active_at": "str | None",
        "trend": "Sequence[PeriodFigures]",
    },
)


class BillingConfigAnswer(TypedDict):
    agent_id: str
    """The agent that it is about."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    current: PricingAnswer
    """What prices the agent now."""
    upcoming: Sequence[PricingAnswer]
    """What will price the agent later, in order."""


BillingSummaryAnswer = TypedDict(
    "BillingSummaryAnswer",
    {
        "provider_cost": "str",
        "billed_amount": "str",
        "outcome_value": "str",
        "margin": "str",
        "return": "str",
        "currency": "str",
        "period": "SpanAnswer",
        "costs": "Sequence[CategoryCost]",
        "stated_cost": "str",
        "unpriced": "UnpricedAnswer",
        "events": "Sequence[CountAnswer]",
        "agent_id": "str",
        "lines": "Sequence[AgentShareAnswer]",
    },
)


class CostRequest(TypedDict):
    time: NotRequired[str | None]
    """When it happened; now, if it is left out."""
    run: NotRequired[str | None]
    """The key of the run that it belongs to."""
    id: NotRequired[str | None]
    """Identifies the event, which counts once however often it is sent. If left out: the Idempotency-Key, else a new
    one."""
    paid_with: NotRequired[str | None]
    """The transaction, hold or lease whose credits have paid for it: it costs only what goes beyond what that keeps."""
    cost_type: str
    """The category: `llm`, `compute`, `api`, `labor`, `tools` or any other."""
    amount: str | int | Decimal
    """What the provider charges."""
    currency: NotRequired[str | None]
    """The organization's, if left out. From another one, the amount is converted by the operator's exchange rate."""
    details: NotRequired[Mapping[str, Any]]
    """Other data of the event, which meters can read."""


class CreatedAgentAnswer(TypedDict):
    warnings: Sequence[LimitWarning]
    """Soft limits of the plan that were passed; empty where none was."""
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    external_id: str
    """The caller's own id, unique in the organization."""
    name: str
    """Its name, for people."""
    description: str | None
    """What it is, for people."""
    type: str | None
    """A label of the caller's."""
    capabilities: Sequence[str]
    """Labels of the caller's."""
    config: Mapping[str, Any]
    """Data of the caller's own."""
    project_id: str | None
    """The project that it is allocated to."""
    department_id: str | None
    """The department that it is allocated to."""
    billing_model_id: str | None
    """The billing model that was chosen last; null where its usage is not billed."""
    billing_model_from: str | None
    """When that takes effect, also where it ends billing; null where the agent never had a billing model."""
    status: str
    """The state that it is in."""
    is_active: bool
    """Whether the status is `active`."""
    last_active_at: str | None
    """When its latest event was reported."""
    created_at: str
    """When it was created."""


class LlmCallRequest(TypedDict):
    time: NotRequired[str | None]
    """When it happened; now, if it is left out."""
    run: NotRequired[str | None]
    """The key of the run that it belongs to."""
    id: NotRequired[str | None]
    """Identifies the event, which counts once however often it is sent. If left out: the Idempotency-Key, else a new
    one."""
    paid_with: NotRequired[str | None]
    """The transaction, hold or lease whose credits have paid for it: it costs only what goes beyond what that keeps."""
    input_tokens: NotRequired[int | None]
    """Including the cached ones."""
    cached_input_tokens: NotRequired[int | None]
    """Those of the input that the provider had in its cache."""
    output_tokens: NotRequired[int | None]
    """Including the reasoning ones."""
    reasoning_tokens: NotRequired[int | None]
    """Those of the output that were spent on reasoning."""
    total_tokens: NotRequired[int | None]
    """Input and output; tells whether the output includes the reasoning."""
    cache_write_tokens: NotRequired[int | None]
    """Those of the input that the provider wrote to its cache."""
    cache_write_1h_tokens: NotRequired[int | None]
    """Those of the written ones that it keeps for an hour."""
    units: NotRequired[Mapping[str, Any] | None]
    """All other units, by the price list's names: `{"input_audio_tokens": 400, "web_searches": 2}`."""
    usage: NotRequired[Mapping[str, Any] | None]
    """The provider's own usage object, in place of counts."""
    api: NotRequired[str | None]
    """Which API of the provider sent `usage`, where it has several."""
    service_tier: NotRequired[str | None]
    """`standard` (the default), `batch`, `flex`, `priority` or another one of the provider's."""
    byok: NotRequired[bool | None]
    """Whether the call was made with the customer's own key, so that it costs the operator nothing."""
    model: str
    """As the provider names it."""
    provider: NotRequired[str | None]
    """Where the same model's prices depend on it."""
    cost: NotRequired[str | int | Decimal | None]
    """The cost by the sender's own figures, stored beside the cost by the price list. Rounded to 12 places."""
    currency: NotRequired[str | None]
    """Of `cost`; the organization's, if left out."""
    metadata: NotRequired[Mapping[str, Any]]
    """Other data of the event, which meters can read."""


class OneEventAnswer(TypedDict):
    warnings: Sequence[EventWarning]
    """What the sender should look at; the events count all the same. At most 20 of each code."""
    warnings_left_out: int
    """How many more there are."""
    id: str
    """As its sender chose it."""
    event_id: str
    """For `GET /events/{event_id}`, once the event is metered."""


class OneOutcomeAnswer(TypedDict):
    warnings: Sequence[EventWarning]
    """What the sender should look at; the events count all the same. At most 20 of each code."""
    warnings_left_out: int
    """How many more there are."""
    id: str
    """As its sender chose it."""
    event_id: str
    """For `GET /events/{event_id}`, once the event is metered."""
    outcome_id: str
    """For `GET /outcomes/{outcome_id}`, once the event is metered."""


class OutcomeRequest(TypedDict):
    time: NotRequired[str | None]
    """When it happened; now, if it is left out."""
    run: NotRequired[str | None]
    """The key of the run that it belongs to."""
    id: NotRequired[str | None]
    """Identifies the event, which counts once however often it is sent. If left out: the Idempotency-Key, else a new
    one."""
    outcome_type: str
    """The name after `outcome.` in the type of the event."""
    value: NotRequired[str | int | Decimal | None]
    """The value of the outcome, in `currency`."""
    currency: NotRequired[str | None]
    """The organization's, if left out. From another one, the value is converted by the operator's exchange rate."""
    evidence: NotRequired[Mapping[str, Any] | None]
    """For whoever verifies it."""
    interaction_time: NotRequired[str | None]
    """When the agent did what led to the outcome."""
    details: NotRequired[Mapping[str, Any]]
    """Other data of the event, which meters can read."""


PeriodFigures = TypedDict(
    "PeriodFigures",
    {
        "provider_cost": "str",
        "billed_amount": "str",
        "outcome_value": "str",
        "margin": "str",
        "return": "str",
        "period": "SpanAnswer",
    },
)


class PricingAnswer(TypedDict):
    """What prices an agent from a time on. Without a billing model its usage is not billed."""

    start: str
    """When this version, or its model for this agent, took effect or will; without a model when pricing ended."""
    billing_model_id: str | None
    """Null where no billing model is in force."""
    name: str | None
    """The billing model's name."""
    version_id: str | None
    """Null where no billing model is in force."""
    version: int | None
    """The version's number."""
    charges: Sequence[
        FlatFee | SetupFee | SeatCharge | AgentCharge | ActivityCharge | OutcomeCharge | WorkflowCharge | CostCharge
    ]
    """The charges of the version."""


class ValidateWorkflowsRequest(TypedDict):
    workflows: Mapping[str, Any]
    """How many of each type."""


class WorkflowCost(TypedDict):
    """What the workflows of one type add, before modifiers over all types."""

    workflow: str
    """The type."""
    quantity: str
    """The number of workflows."""
    charges: Sequence[str]
    """The keys of the charges that price it."""
    exact_amount: str
    """Not rounded, in the currency of the validation."""


class WorkflowEventAnswer(TypedDict):
    id: str
    """As its sender chose it."""
    event_id: str
    """For `GET /events/{event_id}`, once the event is metered."""
    workflow: str
    """The type of the workflow."""


class WorkflowValidationAnswer(TypedDict):
    """The estimate by the model version that prices the agent now. Without one nothing is billed."""

    currency: str
    """The currency of all amounts, ISO 4217."""
    workflows: Sequence[WorkflowCost]
    """How many workflows there are of each type."""
    platform_fee: str
    """The base fees of all lines; included in the lines and totals."""
    lines: Sequence[Line]
    """The lines, each with its arithmetic."""
    exact_total: str
    """The sum of the lines' exact amounts."""
    total: str
    """The sum of the lines' rounded amounts."""
    warnings: Sequence[WorkflowWarning]
    """What to look at before it is relied on."""
    agent_id: str
    """The agent that it is about."""
    billing_model_id: str | None
    """The model that prices the agent now."""
    version: int | None
    """Its version's number."""


class WorkflowWarning(TypedDict):
    """Something about the cost of workflows that may surprise."""

    code: Literal[
        "no_billing_model",
        "no_price",
        "unmeterable",
        "nothing_billed",
        "commitment_exceeded",
        "minimum_applies",
        "maximum_applies",
    ]
    """What the warning is."""
    workflow: NotRequired[str | None]
    """The type that it is about; null for all types."""
    detail: str
    """The warning in words."""


class WorkflowsAnswer(TypedDict):
    warnings: Sequence[EventWarning]
    """What the sender should look at; the events count all the same. At most 20 of each code."""
    warnings_left_out: int
    """How many more there are."""
    id: str
    """Of the report; the id of each event is this one with its workflow's type."""
    events: Sequence[WorkflowEventAnswer]
    """One for each type."""


class WorkflowsRequest(TypedDict):
    time: NotRequired[str | None]
    """When it happened; now, if it is left out."""
    run: NotRequired[str | None]
    """The key of the run that it belongs to."""
    id: NotRequired[str | None]
    """Identifies the event, which counts once however often it is sent. If left out: the Idempotency-Key, else a new
    one."""
    paid_with: NotRequired[str | None]
    """The transaction, hold or lease whose credits have paid for it: it costs only what goes beyond what that keeps."""
    workflows: Mapping[str, Any]
    """The number of workflows by type."""
    metadata: NotRequired[Mapping[str, Any]]
    """Other data of each event, which meters can read."""
