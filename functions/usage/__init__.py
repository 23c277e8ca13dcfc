"""Usage events, outcomes and what meters have come to."""

from functions.usage import (
    events,
    ingestion,
    metering,
    outcome_decisions,
    outcome_reporting,
    outcomes,
    paid_events,
    parked_events,
    recorded_events,
    reported_events,
    reports,
)

blueprints = (
    events.blueprint,
    ingestion.blueprint,
    metering.blueprint,
    outcome_decisions.blueprint,
    outcome_reporting.blueprint,
    outcomes.blueprint,
    paid_events.blueprint,
    parked_events.blueprint,
    recorded_events.blueprint,
    reported_events.blueprint,
    reports.blueprint,
)
