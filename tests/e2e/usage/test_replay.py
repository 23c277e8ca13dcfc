"""An hour of real traffic, at many times its pace: nothing is lost, and how long it takes until it is seen.

`make replay` takes 10 times the recorded pace (six minutes), `make replay-short` 100 times; `make e2e` takes only the
first four minutes of that.
"""

import asyncio
import csv
import gzip
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import aiohttp
import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.places import DATA

Json = dict[str, Any]

PACE = float(os.environ.get("XYRA_REPLAY_PACE", "100"))
MINUTES = 60 if "XYRA_REPLAY_PACE" in os.environ else 4
TRACE = DATA / "azure_llm_trace_conv.csv.gz"
MODEL = "openai/gpt-4o"
INPUT_PRICE, OUTPUT_PRICE = Decimal("0.0000025"), Decimal("0.00001")
"""USD per token."""
TICK_SECONDS = 0.02
"""What is due within a tick goes in one request."""
MOST_IN_FLIGHT = 8
LOOK_SECONDS = 0.02
RETRIED_FOR = 120
LONGEST = timedelta(minutes=15)
"""More than it takes, so these are the months that its events may be of."""


@dataclass(frozen=True)
class Recorded:
    second: float
    """Since the first."""
    input_tokens: int
    output_tokens: int


def recorded() -> list[Recorded]:
    with gzip.open(TRACE, "rt", encoding="utf-8", newline="") as file:
        rows = [(_instant(row["TIMESTAMP"]), row) for row in csv.DictReader(file)]
    assert len(rows) == 19_366
    start = rows[0][0]
    return [
        Recorded((at - start).total_seconds(), int(row["ContextTokens"]), int(row["GeneratedTokens"]))
        for at, row in rows
        if at < start + timedelta(minutes=MINUTES)
    ]


def _instant(text: str) -> datetime:
    """Python reads microseconds, the trace has one digit more."""
    return datetime.fromisoformat(text[:26]).replace(tzinfo=UTC)


@dataclass
class Seen:
    """When the events were acknowledged, and when totals first showed so many of them."""

    acknowledged: list[float] = field(default_factory=list)
    shown: list[tuple[float, int]] = field(default_factory=list)
    unanswered: int = 0
    """Requests that were sent again."""

    def latencies(self) -> list[float]:
        """Seconds from the n-th acknowledgement until a total counted n events, in order of length."""
        looks = iter(self.shown)
        at, so_many = next(looks)
        found = []
        for number, acknowledged in enumerate(sorted(self.acknowledged), start=1):
            while so_many < number:
                at, so_many = next(looks)
            found.append(max(0.0, at - acknowledged))
        return sorted(found)


def event(number: int, call: Recorded, now: datetime) -> Json:
    tokens = {"input_tokens": call.input_tokens, "output_tokens": call.output_tokens}
    data = {"model": MODEL, **tokens}
    return {"id": f"call-{number}", "type": "llm_call", "agent": "chat", "time": now.isoformat(), "data": data}


async def replay(organization: Organization, calls: Sequence[Recorded], seen: Seen) -> float:
    """The length of it, in seconds."""
    in_flight = asyncio.Semaphore(MOST_IN_FLIGHT)
    numbered = list(enumerate(calls))
    start = time.monotonic()

    async def send(batch: list[tuple[int, Recorded]]) -> None:
        async with in_flight:
            now = datetime.now(UTC)
            events = [event(number, call, now) for number, call in batch]
            while not await is_accepted(organization, events):
                seen.unanswered += 1
            seen.acknowledged += [time.monotonic()] * len(batch)

    async with asyncio.TaskGroup() as group:
        for tick in count():
            await asyncio.sleep(start + tick * TICK_SECONDS - time.monotonic())
            elapsed = (time.monotonic() - start) * PACE
            due = [each for each in numbered[:1000] if each[1].second <= elapsed]
            del numbered[: len(due)]
            if due:
                group.create_task(send(due))
            if not numbered:
                break
    return time.monotonic() - start


async def is_accepted(organization: Organization, events: Sequence[Json]) -> bool:
    """Whoever has no answer asks again: the same events count once."""
    try:
        await organization.key.report(*events)
    except aiohttp.ClientConnectionError:
        return False
    return True


async def watch(organization: Organization, months: Sequence[str], wanted: int, seen: Seen) -> None:
    """Look at the totals until all are there."""
    quiet_since, so_many = time.monotonic(), 0
    while so_many < wanted:
        found = await counted(organization, months, "calls")
        now = time.monotonic()
        if found != so_many:
            quiet_since, so_many = now, int(found)
            seen.shown.append((now, so_many))
        assert now - quiet_since < RETRIED_FOR, f"{so_many} of {wanted}"
        await asyncio.sleep(LOOK_SECONDS)


async def counted(organization: Organization, months: Sequence[str], charge: str) -> Decimal:
    return sum([await organization.usage(month, charge) for month in months], Decimal(0))


async def chatting(xyra: Xyra, start: str) -> Organization:
    organization = await xyra.organization()
    each = {"pricing": {"type": "per_unit", "unit_amount": "0.001"}, "type": "activity"}
    tokens = {"event_type": "llm_call", "aggregation": "sum"}
    model = await organization.model(
        {"key": "calls", "meter": {"event_type": "llm_call"}, **each},
        {"key": "input", "meter": {**tokens, "value": "data.input_tokens"}, **each},
        {"key": "output", "meter": {**tokens, "value": "data.output_tokens"}, **each},
        {"key": "llm", "type": "cost", "categories": ["llm"]},
        effective_from=start,
    )
    await organization.agent("chat", billing_model_id=model["id"], billing_model_from=start)
    return organization


@pytest.mark.own_target
async def test_a_recorded_hour_loses_nothing(new_process: Callable[..., XyraProcess]):
    calls = recorded()
    served = await Served.by(new_process(present=True, XYRA_LOG_LEVEL="WARNING"))
    begun = datetime.now(UTC)
    async with served.clients() as xyra:
        organization = await chatting(xyra, begun.replace(hour=0, minute=0, second=0, microsecond=0).isoformat())
        months = sorted({f"{begun:%Y-%m}", f"{begun + LONGEST:%Y-%m}"})
        seen = Seen()
        seconds, _ = await asyncio.gather(
            replay(organization, calls, seen), watch(organization, months, len(calls), seen)
        )
        await xyra.idle()
        found = {charge: await counted(organization, months, charge) for charge in ("calls", "input", "output", "llm")}
    sums = {"input": sum(call.input_tokens for call in calls), "output": sum(call.output_tokens for call in calls)}
    cost = sums["input"] * INPUT_PRICE + sums["output"] * OUTPUT_PRICE
    assert found == {"calls": len(calls), **sums, "llm": cost}
    took = seen.latencies()
    p50, p90, p99 = (took[int(len(took) * share)] for share in (0.5, 0.9, 0.99))
    print(  # noqa: T201  the distribution that is asked for
        f"\n{len(calls):,} events in {seconds:.0f} s ({PACE:g} times the recorded pace, {len(calls) / seconds:.0f}/s):"
        f" acknowledgement to visible total p50 {p50 * 1000:.0f} ms, p90 {p90 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms,"
        f" at most {took[-1] * 1000:.0f} ms; {seen.unanswered} requests sent again"
    )
