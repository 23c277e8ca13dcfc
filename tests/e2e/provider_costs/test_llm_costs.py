"""Recorded calls of an agent by our price list, against what their provider charged.

`make llm-costs` takes all four projects, `make e2e` the smallest.
"""

import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from local.demo.recording import Month, events_over
from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]

PROJECTS = int(os.environ.get("XYRA_LLM_PROJECTS", "1"))
LAST_MONTH = Month(2026, 10)
START = "2026-10-01T00:00:00Z"
PASSED_ON = {"key": "llm", "type": "cost", "categories": ["llm"]}
CHARGED_CALLS, CHARGED = 13_180, Decimal("150.8642142")
"""Of all projects."""

Costs = dict[str, Decimal]


def recorded_calls() -> dict[str, list[Json]]:
    """By project, smallest first; `cost` is what the provider charged."""
    calls = {
        project: [event for event in events if event["type"] == "llm_call"]
        for project, events in events_over(LAST_MONTH).items()
    }
    return {project: calls[project] for project in sorted(calls, key=lambda each: len(calls[each]))[:PROJECTS]}


def silent(call: Json) -> Json:
    return call | {"data": {name: value for name, value in call["data"].items() if name != "cost"}}


def charged(calls: list[Json]) -> Costs:
    return {call["id"]: Decimal(call["data"]["cost"]) for call in calls if "cost" in call["data"]}


def by_run(costs: Costs, calls: list[Json]) -> Costs:
    sums: Costs = defaultdict(Decimal)
    for call in calls:
        if call["id"] in costs:
            sums[call["run"]] += costs[call["id"]]
    return sums


async def project(xyra: Xyra, name: str) -> tuple[Organization, str]:
    """The id of a project in an organization of its own.

    Its agents and runs have the same names as others.
    """
    organization = await xyra.organization()
    model = await organization.model(PASSED_ON, effective_from=START)
    project_id = (await organization.key.post("projects", {"name": name}))["id"]
    await organization.agent(billing_model_id=model["id"], billing_model_from=START, project_id=project_id)
    return organization, project_id


async def recorded(organization: Organization) -> AsyncIterator[Json]:
    query = {"type": "llm_call", "limit": "200"}
    cursor: Json = {}
    while True:
        page = await organization.key.get("events", **query, **cursor)
        for event in page["data"]:
            yield event
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize("stated", [False, True], ids=["silent", "stated"])
async def test_our_price_of_every_call_is_what_the_provider_charged(xyra: Xyra, *, stated: bool):
    calls_seen, sum_seen = 0, Decimal(0)
    for name, calls in recorded_calls().items():
        organization, project_id = await project(xyra, name)
        expected = charged(calls)
        await organization.key.report(*(calls if stated else map(silent, calls)))
        await xyra.idle()

        ours: Costs = {}
        uncharged: Costs = {}
        async for event in recorded(organization):
            cost = Decimal(event["provider_cost"])
            if event["id"] in expected:
                ours[event["id"]] = cost
                kept = (event["stated_cost"] and Decimal(event["stated_cost"]), event["cost_difference"])
                assert kept == ((expected[event["id"]], "0") if stated else (None, None)), event
            else:
                uncharged[event["id"]] = cost
        assert ours == expected
        assert by_run(ours, calls) == by_run(expected, calls)
        total = sum(expected.values(), Decimal(0))
        assert await organization.usage(str(LAST_MONTH), "llm") == total + sum(uncharged.values())
        summary = await organization.key.get(f"projects/{project_id}/summary", period=str(LAST_MONTH))
        assert Decimal(summary["provider_cost"]) == total + sum(uncharged.values())
        for run, cost in by_run(expected | uncharged, calls).items():
            found = await organization.key.get(f"runs/by-key/{run}")
            assert Decimal(found["provider_cost"]) == cost, run
        assert (await organization.key.get("llm-prices/unpriced", period=str(LAST_MONTH)))["data"] == []
        print(json.dumps({"project": name, "calls": len(ours), "runs": len(by_run(ours, calls)), "usd": str(total)}))  # noqa: T201  the figures that are asked for
        calls_seen += len(ours)
        sum_seen += total
    if PROJECTS >= 4:
        assert (calls_seen, sum_seen) == (CHARGED_CALLS, CHARGED)
