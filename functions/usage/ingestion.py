"""What arrives of whom, so that senders see whether their data comes in and counts."""

from collections.abc import Mapping
from datetime import datetime

import azure.functions as func

from shared.domain.access.identity import Permission
from shared.domain.kernel.times import from_text
from shared.domain.usage.ingestion import REFUSED, SenderCounts, WarningCount, Window
from shared.http import Call, NoBody, Projects, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()


class IngestionQuery(Query):
    window: Window = "day"
    """The last hour, the last day, or the last 30 days."""


class IngestionRow(Schema):
    """What one credential sent of a source and a type."""

    key: str
    """The id of the root of the API key's line, or of the user."""
    source: str
    """`*` for all sources and types beyond the first 50 pairs of a key."""
    type: str
    """The type of the events; `*` as for the source, or where it could not be read."""
    accepted: int
    """How many events were accepted."""
    refused: Mapping[str, int]
    """How many events were not taken, by the field that was wrong: `agent`, `data`, `time`, ...; `size` for one that is
    too large, `malformed`, and `with_its_request` for a valid one that was sent beside those, without `partial`.
    """
    duplicates: int
    """How many were known already: in their request, or when they were metered."""
    parked: int
    """How many could not be metered: see `GET /events/parked`."""
    unpriced: int
    """How many LLM calls have no price."""
    priced_at_0: int
    """How many costs and LLM calls come to 0."""
    without_model: int
    """How many are of an agent without a billing model at their time."""
    last_seen: datetime
    """When the newest of them arrived, or was metered."""


class IngestionWarning(Schema):
    """What should be looked at, though the events were taken."""

    code: str
    """As in the answers to reported events. Of other protocols: `agent_made`, `agent_unknown`, `cache_not_told`, and
    `differing_repetition` where the first report of a call stands. Of a trace also: `sum_without_calls`,
    `sum_exceeds_calls`, `doubled`, `id_reused`, `no_count`, `estimate`, `attributes_dropped`, `agent_not_named`,
    `late_units`, `trace_too_large`.
    """
    count: int
    """How often."""
    library: str | None
    """What made the trace; null for reported events."""
    service: str | None
    """The `service.name` of the trace; null for reported events."""
    last: datetime
    """When it was last warned of."""


class WaitingAnswer(Schema):
    """LLM calls of traces that wait for the span that names their agent."""

    calls: int
    """How many."""
    oldest: datetime | None
    """When the first of them arrived."""


class IngestionAnswer(Schema):
    window: Window
    """As asked for."""
    start: datetime
    """From when on it was counted: the window, and less than a twelfth of an hour, an hour or a day before it."""
    as_of: datetime
    """Until when. Other processes may have counted more in the last seconds."""
    data: list[IngestionRow]
    """By key, source and type."""
    waiting: WaitingAnswer
    """What waits now, whatever the window."""
    warnings: list[IngestionWarning]


@endpoint(
    blueprint,
    "GET",
    "ingestion",
    summary="What arrives: by API key, source and type, what was accepted, refused, repeated, parked or not priced",
    access=Permission.EVENTS_READ,
    projects=Projects.REFUSED,
    query=IngestionQuery,
    answers={200: IngestionAnswer},
)
async def get_ingestion(call: Call[NoBody, IngestionQuery]) -> Reply:
    organization_id = await call.organization_id()
    report = await call.services.ingestion_counts.report(organization_id, call.query.window)
    waiting = await call.services.waiting_calls.of(organization_id)
    return Reply(
        IngestionAnswer(
            window=call.query.window,
            start=report.start,
            as_of=call.now,
            data=[_row(row) for row in sorted(report.rows, key=lambda row: row.sender)],
            waiting=WaitingAnswer(calls=waiting.calls, oldest=waiting.oldest),
            warnings=[_warning(warning) for warning in report.warnings],
        )
    )


def _row(row: SenderCounts) -> IngestionRow:
    refused = {name.removeprefix(REFUSED): number for name, number in row.counts.items() if name.startswith(REFUSED)}
    return IngestionRow(
        key=row.sender.reporter,
        source=row.sender.source,
        type=row.sender.type,
        accepted=row.counts.get("accepted", 0),
        refused=dict(sorted(refused.items())),
        duplicates=row.counts.get("duplicates", 0),
        parked=row.counts.get("parked", 0),
        unpriced=row.counts.get("unpriced", 0),
        priced_at_0=row.counts.get("priced_at_0", 0),
        without_model=row.counts.get("without_model", 0),
        last_seen=from_text(row.last_seen),
    )


def _warning(counted: WarningCount) -> IngestionWarning:
    code, library, service = counted.warning
    return IngestionWarning(
        code=code, count=counted.count, library=library, service=service, last=from_text(counted.last)
    )
