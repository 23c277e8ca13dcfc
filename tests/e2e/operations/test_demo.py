"""What `make run` shows, against the recorded figures themselves: nothing of the project computes what is expected."""

import csv
import gzip
import http.client
import json
import re
import signal
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.clients.xyra_process import ROOT, XyraProcess

Json = dict[str, Any]

DATA = ROOT / "local" / "demo" / "data"
_KEY = re.compile(r"X-API-Key: (xyra_\w+)")


def rows(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def expected_totals() -> dict[str, Decimal]:
    """By project: the prices of the demo's model on the sums of the recording, each line rounded to cents."""
    runs = {row["run_id"]: row for row in rows("agent_runs.csv.gz")}
    calls = rows("agent_llm_calls.csv.gz")
    totals = {}
    for project in {run["project"] for run in runs.values()}:
        own_runs = [run for run in runs.values() if run["project"] == project]
        own_calls = [call for call in calls if runs[call["run_id"]]["project"] == project]
        commands = sum(int(run["commands"]) for run in own_runs)
        cached = sum(int(call["cached_input_tokens"]) for call in own_calls)
        uncached = sum(int(call["input_tokens"]) for call in own_calls) - cached
        output = sum(int(call["output_tokens"]) for call in own_calls)
        totals[project] = sum(
            (
                Decimal("499.00"),
                cents(
                    min(commands, 1000) * Decimal("0.01")
                    + max(0, min(commands, 5000) - 1000) * Decimal("0.008")
                    + max(0, commands - 5000) * Decimal("0.005")
                ),
                cents(len(own_runs) * Decimal("0.25")),
                sum(run["resolved"] == "true" for run in own_runs) * Decimal("1.50"),
                cents(uncached * Decimal(2) / 10**6),
                cents(cached * Decimal("0.20") / 10**6),
                cents(output * Decimal(12) / 10**6),
            ),
            Decimal(0),
        )
    return totals


def provider_costs() -> dict[str, Decimal]:
    """By project: the provider's prices on every call, those included of which it did not say what it charged."""
    projects = {row["run_id"]: row["project"] for row in rows("agent_runs.csv.gz")}
    costs: dict[str, Decimal] = {}
    for call in rows("agent_llm_calls.csv.gz"):
        cached, output = int(call["cached_input_tokens"]), int(call["output_tokens"])
        reasoning = int(call["reasoning_tokens"])
        output += reasoning if reasoning > output else 0  # more reasoning than output is beside it
        cost = (int(call["input_tokens"]) - cached) * Decimal(2) + cached * Decimal("0.20") + output * Decimal(12)
        project = projects[call["run_id"]]
        costs[project] = costs.get(project, Decimal(0)) + cost / 10**6
    return costs


def shown_margins(output: str) -> dict[str, tuple[Decimal, Decimal, str]]:
    table = output.split("By project")[1]
    found = re.findall(r"^\s+(\S+)\s+([\d.]+)\s+([\d.]+)\s+([\d.]+%)\s*$", table, re.MULTILINE)
    return {project: (Decimal(cost), Decimal(billed), margin) for project, cost, billed, margin in found}


def shown_credits(output: str) -> list[str]:
    """The balances of the statement, under the invoice of the first project."""
    table = output.split("Prepaid credits", 1)[1].split("Left", maxsplit=1)[0]
    return [balance.replace(",", "") for balance in re.findall(r"[+-][\d,]+\s+([\d,]+)\s*$", table, re.MULTILINE)]


def ask(process: XyraProcess, method: str, path: str, headers: dict[str, str], body: str | None = None) -> Json:
    with closing(http.client.HTTPConnection(urlsplit(process.base).netloc, timeout=30)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer: Json = json.loads(response.read())
        assert response.status in (200, 202), answer
        return answer


def test_the_demo_bills_what_was_recorded_and_is_found_again(new_process: Callable[..., XyraProcess]) -> None:
    before = datetime.now(UTC)
    first = new_process(present=True, XYRA_DEMO="1")
    first.start()
    first.until(lambda: "Ctrl-C" in first.output)
    months = {f"{(moment.replace(day=1) - timedelta(days=1)):%Y-%m}" for moment in (before, datetime.now(UTC))}
    assert any(f"laid over {month}" in first.output for month in months)
    shown = {
        number: Decimal(total)
        for number, total in re.findall(r"^(INV-\S+-\d{4}-\d{6})\s+([\d.]+) USD$", first.output, re.MULTILINE)
    }
    year = f"{before:%Y}"
    assert shown == {f"INV-{project.upper()}-{year}-000001": total for project, total in expected_totals().items()}
    assert "Resolved (per issue_resolved" in first.output
    costs, totals = provider_costs(), expected_totals()
    assert shown_margins(first.output) == {
        project: (costs[project], total, f"{(total - costs[project]) / total:.1%}") for project, total in totals.items()
    }
    runs = [run for run in rows("agent_runs.csv.gz") if run["project"] == "astropy"]
    assert shown_credits(first.output) == ["1000", *(str(997 - 3 * number) for number in range(len(runs)))]
    assert "was stopped by its cap: The budget each-run has 1 credits left in all." in first.output
    assert first.stop(signal.SIGINT) == 0

    second = new_process(present=True, XYRA_DEMO="1")
    second.start()
    second.until(lambda: "Ctrl-C" in second.output)
    assert "is here from an earlier start" in second.output
    key = {"X-API-Key": _KEY.findall(second.output)[-1]}
    (invoice,) = ask(second, "GET", "/api/v1/invoices", key)["data"]
    assert Decimal(invoice["total"]) == shown[invoice["number"]]
    commands = [line for line in second.output.splitlines() if line.strip().startswith("curl")]
    for command in commands:
        path = re.findall(r"'http://[^/]+(/[^']*)'", command)[0]
        sent = re.findall(r"-d '(.*?)'", command)
        headers = key | ({"Content-Type": "application/json"} if sent else {})
        ask(second, "POST" if sent else "GET", path, headers, sent[0] if sent else None)
    assert len(commands) == 6
    balance = ask(second, "GET", "/api/v1/credits/balance", key)
    spent_in_circles = 3 * 3
    left = str(int(shown_credits(first.output)[-1]) - spent_in_circles)
    assert (balance["available"], balance["granted"]) == (left, "1000")
    for kind in ("events", "projects", "outcomes"):
        (newest,) = ask(second, "GET", f"/api/v1/{kind}?limit=1", key)["data"]
        assert ask(second, "GET", f"/api/v1/{kind}/{newest['event_id' if kind == 'events' else 'id']}", key)
    assert second.stop(signal.SIGTERM) == 0
