"""Models of `runs`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import LimitWarning


class BudgetLimit(TypedDict):
    """The most that may be spent."""

    limit: str | int | Decimal
    """In credits with at most 6 decimals, or in money."""
    unit: NotRequired[Literal["credits", "money"]]
    """Money is credits by what each is worth when it is spent or set aside: the `credit_value` of who pays."""


class CreatedRunAnswer(TypedDict):
    warnings: Sequence[LimitWarning]
    """Soft limits of the plan that were passed; empty where none was."""
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    key: str
    """What events name as their `run`."""
    thread_id: str | None
    """The thread that it belongs to."""
    agent_id: str | None
    """The agent that it is about."""
    project_id: str | None
    """The project that it is allocated to."""
    status: Literal["pending", "running", "completed", "failed"]
    """The state that it is in."""
    started_at: str | None
    """Null before it is running."""
    completed_at: str | None
    """When it ended, completed or failed."""
    duration: str | None
    """Seconds from the start to the end; null before the end."""
    error: str | None
    """Why it failed."""
    result: Any
    """JSON of the caller's own."""
    metadata: Mapping[str, Any]
    """Data of the caller's own."""
    budget: RunBudgetAnswer | None
    """What it may spend in all; null where it was created without a limit of its own."""
    created_at: str
    """When it was created."""


class RunAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    key: str
    """What events name as their `run`."""
    thread_id: str | None
    """The thread that it belongs to."""
    agent_id: str | None
    """The agent that it is about."""
    project_id: str | None
    """The project that it is allocated to."""
    status: Literal["pending", "running", "completed", "failed"]
    """The state that it is in."""
    started_at: str | None
    """Null before it is running."""
    completed_at: str | None
    """When it ended, completed or failed."""
    duration: str | None
    """Seconds from the start to the end; null before the end."""
    error: str | None
    """Why it failed."""
    result: Any
    """JSON of the caller's own."""
    metadata: Mapping[str, Any]
    """Data of the caller's own."""
    budget: RunBudgetAnswer | None
    """What it may spend in all; null where it was created without a limit of its own."""
    created_at: str
    """When it was created."""


class RunBudgetAnswer(TypedDict):
    id: str
    """Of the budget: refusals name it, and `GET /budgets/{id}` shows how it stands."""
    limit: str
    """The most that the run may spend in all."""
    unit: Literal["credits", "money"]
    """What the limit counts."""


class RunList(TypedDict):
    data: Sequence[RunAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class RunPatch(TypedDict):
    """JSON Merge Patch."""

    status: NotRequired[Literal["pending", "running", "completed", "failed"]]
    """From pending to running or failed, from running to completed or failed."""
    started_at: NotRequired[str | None]
    """By default now, where the run starts."""
    completed_at: NotRequired[str | None]
    """By default now, where the run ends."""
    error: NotRequired[str | None]
    """Why it failed."""
    result: NotRequired[Any]
    """JSON of the caller's own, at most 16 KiB."""
    metadata: NotRequired[Mapping[str, Any] | None]
    """Merged into what is there."""


class RunReportAnswer(TypedDict):
    """A run with the figures of its metered events.

    A run that is known only from events has no `id`, `status`, `metadata` and `created_at`."""

    id: str | None
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    key: str
    """What events name as their `run`."""
    thread_id: str | None
    """The thread that it belongs to."""
    agent_id: str | None
    """The agent that it is about."""
    project_id: str | None
    """The project that it is allocated to."""
    status: Literal["pending", "running", "completed", "failed"] | None
    """The state that it is in."""
    started_at: str | None
    """Null before it is running, and for a run that is known only from events."""
    completed_at: str | None
    """When it ended, completed or failed; null for a run that is known only from events."""
    duration: str | None
    """Seconds, from its start or first event to its end or last event."""
    error: str | None
    """Why it failed."""
    result: Any
    """JSON of the caller's own."""
    metadata: Mapping[str, Any] | None
    """Data of the caller's own."""
    budget: RunBudgetAnswer | None
    """What it may spend in all; null where it was created without a limit of its own."""
    created_at: str | None
    """When it was created."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    events: Mapping[str, int]
    """How many of each type."""
    event_count: int
    """How many together."""
    first_event_at: str | None
    """When its earliest event happened."""
    last_event_at: str | None
    """When its latest event happened."""
    provider_cost: str
    """The cost of its events at providers."""
    price: str
    """The price of its events under the agents' billing models, as if there were no other usage.
    
    Fees, minima, maxima and discounts are left out. A run over several billing periods is priced period by period."""
    margin: str
    """(price - provider_cost) / price; 0 where the price is 0."""
    outcomes: Mapping[str, int]
    """How many in each state."""
    outcome_value: str
    """The value of its verified outcomes."""
    unpriced_calls: int
    """The number of LLM calls of models without a price."""
    is_complete: bool
    """False for more than 10,000 events, of which only the newest are counted."""


class RunRequest(TypedDict):
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    key: NotRequired[str | None]
    """What events name as their `run`; by default the run's id."""
    thread_id: NotRequired[str | None]
    """The thread that it belongs to."""
    agent: NotRequired[str | None]
    """The agent's id or external id."""
    status: NotRequired[Literal["pending", "running", "completed", "failed"]]
    """The state that it is in."""
    started_at: NotRequired[str | None]
    """By default now, for a run that is running or has ended."""
    completed_at: NotRequired[str | None]
    """By default now, for a run that has ended."""
    error: NotRequired[str | None]
    """Why it failed."""
    result: NotRequired[Any]
    """JSON of the caller's own, at most 16 KiB."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""
    budget: NotRequired[BudgetLimit | None]
    """What the run may spend in all; what would pass it is refused with 403."""
