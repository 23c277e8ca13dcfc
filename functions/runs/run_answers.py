"""What answers say of runs."""

from datetime import datetime, timedelta
from decimal import Decimal

from functions.fields import RunBudgetAnswer
from functions.limit_warnings import WithLimitWarnings
from shared.domain.kernel.money import ExactDecimal, plain
from shared.domain.runs.run_figures import RunFigures
from shared.domain.runs.runs import Run, RunStatus
from shared.domain.tenancy.organizations import Organization
from shared.http import Schema, VerbatimJson, VerbatimObject

_MICROSECOND = timedelta(microseconds=1)


class RunAnswer(Schema):
    id: str
    organization_id: str
    key: str
    """What events name as their `run`."""
    thread_id: str | None
    agent_id: str | None
    project_id: str | None
    status: RunStatus
    started_at: datetime | None
    """Null before it is running."""
    completed_at: datetime | None
    """When it ended, completed or failed."""
    duration: str | None
    """Seconds from the start to the end; null before the end."""
    error: str | None
    """Why it failed."""
    result: VerbatimJson
    """JSON of the caller's own."""
    metadata: VerbatimObject
    """Data of the caller's own."""
    budget: RunBudgetAnswer | None
    """What it may spend in all; null where it was created without a limit of its own."""
    created_at: datetime


class CreatedRunAnswer(RunAnswer, WithLimitWarnings):
    pass


class RunReportAnswer(Schema):
    """A run with the figures of its metered events.

    A run that is known only from events has no `id`, `status`, `metadata` and `created_at`.
    """

    id: str | None
    organization_id: str
    key: str
    """What events name as their `run`."""
    thread_id: str | None
    agent_id: str | None
    project_id: str | None
    status: RunStatus | None
    started_at: datetime | None
    """Null before it is running, and for a run that is known only from events."""
    completed_at: datetime | None
    """When it ended, completed or failed; null for a run that is known only from events."""
    duration: str | None
    """Seconds, from its start or first event to its end or last event."""
    error: str | None
    """Why it failed."""
    result: VerbatimJson
    """JSON of the caller's own."""
    metadata: VerbatimObject | None
    """Data of the caller's own."""
    budget: RunBudgetAnswer | None
    """What it may spend in all; null where it was created without a limit of its own."""
    created_at: datetime | None
    currency: str
    events: dict[str, int]
    """How many of each type."""
    event_count: int
    """How many together."""
    first_event_at: datetime | None
    """When its earliest event happened."""
    last_event_at: datetime | None
    """When its latest event happened."""
    provider_cost: ExactDecimal
    """The cost of its events at providers."""
    price: ExactDecimal
    """The price of its events under the agents' billing models, as if there were no other usage.

    Fees, minima, maxima and discounts are left out. A run over several billing periods is priced period by period.
    """
    margin: ExactDecimal
    """(price - provider_cost) / price; 0 where the price is 0."""
    outcomes: dict[str, int]
    """How many in each state."""
    outcome_value: ExactDecimal
    """The value of its verified outcomes."""
    unpriced_calls: int
    """The number of LLM calls of models without a price."""
    is_complete: bool
    """False for more than 10,000 events, of which only the newest are counted."""


def answer_of(run: Run) -> RunAnswer:
    return RunAnswer.showing(run, duration=_duration(run.started_at, run.completed_at))


def _duration(start: datetime | None, end: datetime | None) -> str | None:
    if start is None or end is None or end < start:
        return None
    return plain(Decimal((end - start) // _MICROSECOND).scaleb(-6))


def report_of(organization: Organization, key: str, run: Run | None, figures: RunFigures) -> RunReportAnswer:
    known = dict.fromkeys(RunAnswer.model_fields) if run is None else dict(answer_of(run))
    start = known["started_at"] or figures.first_event_at
    end = known["completed_at"] or figures.last_event_at
    return RunReportAnswer.showing(
        figures,
        **known
        | {
            "organization_id": organization.id,
            "key": key,
            "duration": _duration(start, end),
            "events": dict(sorted(figures.events.items())),
            "event_count": figures.events.total(),
            "outcomes": dict(figures.outcomes),
        },
    )
