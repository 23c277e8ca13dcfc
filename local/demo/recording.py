"""The recorded runs as usage events, laid over a month."""

import csv
import gzip
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent / "data"

RESOLVED = "outcome.issue_resolved"
"""The outcome that every run reports; whether it is true, the issue's tests show."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    id: str
    project: str
    started: datetime
    ended: datetime
    commands: int
    failed_commands: int
    resolved: bool
    """Whether the issue's tests passed afterwards."""
    shift: timedelta
    """From when it happened to its place in the month."""


@dataclass(frozen=True, slots=True)
class Month:
    year: int
    month: int

    @classmethod
    def before(cls, now: datetime) -> "Month":
        last_day = date(now.year, now.month, 1) - timedelta(days=1)
        return cls(last_day.year, last_day.month)

    @classmethod
    def parse(cls, text: str) -> "Month":
        year, month = text.split("-")
        return cls(int(year), int(month))

    @property
    def start(self) -> datetime:
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


def runs_over(month: Month) -> list[Run]:
    """All runs, sorted by (started, id), laid over a month.

    Run i is moved by whole days onto day 1 + i mod (days of the month - 1).
    """
    rows = sorted(_rows("agent_runs.csv.gz"), key=lambda row: (row["started"], row["run_id"]))
    places = monthrange(month.year, month.month)[1] - 1
    return [_run(row, date(month.year, month.month, 1 + index % places)) for index, row in enumerate(rows)]


def _run(row: dict[str, str], day: date) -> Run:
    started = datetime.fromisoformat(row["started"])
    return Run(
        id=row["run_id"],
        project=row["project"],
        started=started,
        ended=datetime.fromisoformat(row["ended"]),
        commands=int(row["commands"]),
        failed_commands=int(row["failed_commands"]),
        resolved=row["resolved"] == "true",
        shift=day - started.date(),
    )


def events_over(month: Month) -> dict[str, list[Event]]:
    """The events of each project's agent: its runs, the outcome that each reports, their commands, their LLM calls."""
    runs = {run.id: run for run in runs_over(month)}
    events: dict[str, list[Event]] = {}
    for run in runs.values():
        events.setdefault(run.project, []).extend(_events_of_run(run))
    for row in _rows("agent_llm_calls.csv.gz"):
        run = runs[row["run_id"]]
        events[run.project].append(_llm_call(row, run))
    return events


def _events_of_run(run: Run) -> Iterator[Event]:
    length = run.ended - run.started
    yield _event(f"{run.id}:run", "run", run.ended + run.shift, run.id, {"failed_commands": run.failed_commands})
    for number in range(run.commands):
        time = run.started + number * length / run.commands + run.shift
        yield _event(f"{run.id}:command:{number}", "command", time, run.id, {})
    yield _event(f"{run.id}:outcome", RESOLVED, run.ended + run.shift, run.id, {})


def _llm_call(row: dict[str, str], run: Run) -> Event:
    tokens = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
    data: dict[str, Any] = {"model": row["model"], **{name: int(row[name]) for name in tokens}}
    if row["billed_usd"]:
        data["cost"] = row["billed_usd"]
    return _event(row["call_id"], "llm_call", datetime.fromisoformat(row["time"]) + run.shift, run.id, data)


def _event(event_id: str, event_type: str, time: datetime, run_id: str, data: dict[str, Any]) -> Event:
    return {"id": event_id, "type": event_type, "agent": "coder", "time": time.isoformat(), "run": run_id, "data": data}


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(_DATA / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
