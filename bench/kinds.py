"""What each kind of event takes: accepted and metered per second, beside plain activities of the same round.

Each row is a fresh organization in one running host, on a model that has a charge for every kind. Rounds are
interleaved, and ratios are taken within a round, so that a busy moment of the machine does not fall on one kind alone;
the host's processor time says the same with less noise, and without the client.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from bench.load import COMMAND, COMMANDS, Kind, Load, Shape, Sustained, signed_in
from bench.server import Server

ROUNDS = 5
SECONDS = 1.0
"""Of sending, before what still waits is metered."""
WARM_UP_SECONDS = 0.5
EVENTS_PER_REQUEST = 100
CONNECTIONS = 8

_TOKENS = {"input_tokens": 1200, "cached_input_tokens": 800, "output_tokens": 90, "reasoning_tokens": 30}
_PER_UNIT = {"type": "per_unit", "unit_amount": "2"}
CHARGES = (
    COMMANDS,
    {"key": "costs", "type": "cost", "categories": ["api", "llm"], "markup_percent": "20"},
    {"key": "flows", "type": "workflow", "workflows": {"email": {"pricing": _PER_UNIT}}},
    {
        "key": "waiting",
        "type": "outcome",
        "meter": {"event_type": "outcome.resolved"},
        "pricing": _PER_UNIT,
        "verification": "required",
    },
    {
        "key": "trusted",
        "type": "outcome",
        "meter": {"event_type": "outcome.closed"},
        "pricing": _PER_UNIT,
        "verification": "none",
    },
)
KINDS = {
    "activity": COMMAND,
    "cost, own currency": Kind("cost.api", {"amount": "0.25"}),
    "cost, other currency": Kind("cost.api", {"amount": "0.25", "currency": "EUR"}),
    "LLM call, priced from the list": Kind("llm_call", {"model": "google/gemini-3-pro-preview", **_TOKENS}),
    "LLM call, unpriced": Kind("llm_call", {"model": "of-our-own", **_TOKENS}),
    "workflow": Kind("workflow.email", {"quantity": 1}),
    "outcome, pending": Kind("outcome.resolved", {"value": "80"}),
    "outcome, verified on arrival": Kind("outcome.closed", {"value": "80"}),
}
ROUTES: dict[str, Mapping[str, Any]] = {
    "activities": {"activity_type": COMMAND.type, "quantity": 1},
    "costs": {"cost_type": "api", "amount": "0.25"},
    "llm-calls": {"model": "google/gemini-3-pro-preview", **_TOKENS},
    "outcomes": {"outcome_type": "resolved", "value": "80"},
    "workflows/bulk": {"workflows": {"email": 3}},
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over the rounds: how many per second, and the host's processor time for each, in seconds; both also as a
    share of what is compared with.
    """

    name: str
    per_second: float
    speed_ratio: float
    processor: float
    processor_ratio: float


@dataclass(frozen=True, slots=True)
class _Sample:
    per_second: float
    processor: float


_Act = Callable[[float], Awaitable[Sustained]]
"""Sends for so many seconds, and waits."""


async def by_kind(data_dir: Path) -> list[Measured]:
    """Events, against activities."""
    async with Server(data_dir, metering=True) as server:
        await _put_exchange_rate(server)
        loads = {
            name: await Load.prepared(server.base, Shape(kind=kind, charges=CHARGES)) for name, kind in KINDS.items()
        }
        acts: Mapping[str, _Act] = {
            name: partial(load.sustained, EVENTS_PER_REQUEST, CONNECTIONS) for name, load in loads.items()
        }
        found = await _samples(server, acts)
        for load in loads.values():
            await _refuse_parked(load)
    return _compared(found)


async def by_route(data_dir: Path) -> list[Measured]:
    """Requests to the convenience routes, against requests to `/events` of one activity each."""
    async with Server(data_dir, metering=True) as server:
        load = await Load.prepared(server.base, Shape(charges=CHARGES))
        acts: Mapping[str, _Act] = {"events": partial(load.sustained, 1, CONNECTIONS)} | {
            route: partial(load.reported, route, body, CONNECTIONS) for route, body in ROUTES.items()
        }
        found = await _samples(server, acts)
        await _refuse_parked(load)
    return _compared(found)


async def _samples(server: Server, acts: Mapping[str, _Act]) -> dict[str, list[_Sample]]:
    found: dict[str, list[_Sample]] = {name: [] for name in acts}
    for act in acts.values():
        await act(WARM_UP_SECONDS)
    for _ in range(ROUNDS):
        for name, act in acts.items():
            before = server.processor_seconds()
            sustained = await act(SECONDS)
            found[name].append(_Sample(sustained.per_second, (server.processor_seconds() - before) / sustained.count))
    return found


def _compared(found: Mapping[str, Sequence[_Sample]]) -> list[Measured]:
    """With the first of them."""
    base = next(iter(found.values()))
    return [
        Measured(
            name,
            median(sample.per_second for sample in samples),
            median(sample.per_second / first.per_second for sample, first in zip(samples, base, strict=True)),
            median(sample.processor for sample in samples),
            median(sample.processor / first.processor for sample, first in zip(samples, base, strict=True)),
        )
        for name, samples in found.items()
    ]


def tables_of(kinds: list[Measured], routes: list[Measured]) -> tuple[Table, Table]:
    return (
        _table(f"Events accepted and metered by kind ({EVENTS_PER_REQUEST} a request)", "kind", kinds),
        _table("Requests accepted and metered by route (one report each)", "route", routes),
    )


def _table(title: str, first: str, measured: list[Measured]) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for column in ("per second", "ratio", "CPU us each", "ratio"):
        table.add_column(column, justify="right")
    for each in measured:
        table.add_row(
            each.name,
            f"{each.per_second:,.0f}",
            f"{each.speed_ratio:.2f}",
            f"{each.processor * 1e6:,.0f}",
            f"{each.processor_ratio:.2f}",
        )
    return table


async def _put_exchange_rate(server: Server) -> None:
    async with (
        signed_in(server.base) as session,
        session.put("exchange-rates/EUR/USD", json={"rate": "1.08"}) as response,
    ):
        response.raise_for_status()


async def _refuse_parked(load: Load) -> None:
    """What is parked has not been metered."""
    if parked := await load.parked():
        raise AssertionError(f"parked: {parked[0]['reason']}")
