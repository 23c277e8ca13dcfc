"""Each template prices the recorded runs of the demo's four organizations.

The lines are compared with sums made here from the recordings alone.

What of the runs is a template's usage:

- Per agent: each organization's one agent, in the month of its setup.
- Per activity: the shell commands.
- Per outcome: resolved issues as sales, each worth 1.50 for every minute that its run took.
- Per workflow: runs by their length, of at most 30 LLM calls an email, of at most 45 a lead research, else a report.
- Hybrid: the shell commands, and resolved issues as tickets.
- Per seat: a member for every 25 runs, a begun 25 included.
- Per token: the three kinds of tokens, in millions.
- Per resolved ticket: resolved issues.
- Share of savings: what a resolved issue was worth above, less what the provider charged for its run.
- LLM cost plus markup: what the provider charged.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tests.doubles.clients.xyra_client import Xyra
from tests.places import DEMO_DATA

Json = Any

ORGANIZATIONS = ("astropy", "django", "pytest-dev", "sympy")
WAITING = {"Credits": "its credits are drawn from a wallet, and there is none yet"}


def rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(DEMO_DATA / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@dataclass(frozen=True)
class Runs:
    """One organization's."""

    runs: Sequence[dict[str, str]]
    calls: Sequence[dict[str, str]]

    @classmethod
    def of(cls, organization: str) -> "Runs":
        runs = [row for row in rows("agent_runs.csv.gz") if row["project"] == organization]
        own = {row["run_id"] for row in runs}
        return cls(runs, [row for row in rows("agent_llm_calls.csv.gz") if row["run_id"] in own])

    @property
    def commands(self) -> int:
        return sum(int(run["commands"]) for run in self.runs)

    @property
    def resolved(self) -> list[dict[str, str]]:
        return sorted((run for run in self.runs if run["resolved"] == "true"), key=lambda run: run["ended"])

    @property
    def sales(self) -> list[Decimal]:
        return [worth(run) for run in self.resolved]

    @property
    def savings(self) -> list[Decimal]:
        return [worth(run) - self.billed(run["run_id"]) for run in self.resolved]

    def billed(self, *run_ids: str) -> Decimal:
        calls = [call for call in self.calls if not run_ids or call["run_id"] in run_ids]
        return sum((Decimal(call["billed_usd"] or 0) for call in calls), Decimal(0))

    def tokens(self, name: str) -> int:
        return sum(int(call[name]) for call in self.calls)

    def workflows(self) -> dict[str, int]:
        lengths = [int(run["llm_calls"]) for run in self.runs]
        return {
            "email": sum(length <= 30 for length in lengths),
            "lead_research": sum(30 < length <= 45 for length in lengths),
            "report": sum(length > 45 for length in lengths),
        }


def worth(run: dict[str, str]) -> Decimal:
    length = datetime.fromisoformat(run["ended"]) - datetime.fromisoformat(run["started"])
    return Decimal(int(length.total_seconds())) * Decimal("0.025")


def texts(values: Sequence[Decimal]) -> list[str]:
    return [str(value) for value in values]


def millions(tokens: int) -> str:
    return str(Decimal(tokens) / 1_000_000)


Usage = list[dict[str, Any]]

USAGE: dict[str, Callable[[Runs], Usage]] = {
    "Per agent": lambda _: [{"charge": "agents", "quantity": "1"}],
    "Per activity": lambda runs: [{"charge": "activities", "agent": "coder", "quantity": str(runs.commands)}],
    "Per outcome": lambda runs: [{"charge": "sales", "values": texts(runs.sales)}],
    "Per workflow": lambda runs: [{"charge": "workflows", "workflows": runs.workflows()}],
    "Hybrid": lambda runs: [
        {"charge": "activities", "quantity": str(runs.commands)},
        {"charge": "resolved", "quantity": str(len(runs.resolved))},
    ],
    "Per seat": lambda runs: [{"charge": "seats", "quantity": str(-(-len(runs.runs) // 25))}],
    "Per token": lambda runs: [
        {
            "charge": "input",
            "agent": "coder",
            "quantity": millions(runs.tokens("input_tokens") - runs.tokens("cached_input_tokens")),
        },
        {"charge": "cached_input", "agent": "coder", "quantity": millions(runs.tokens("cached_input_tokens"))},
        {"charge": "output", "agent": "coder", "quantity": millions(runs.tokens("output_tokens"))},
    ],
    "Per resolved ticket": lambda runs: [{"charge": "resolved", "quantity": str(len(runs.resolved))}],
    "Share of savings": lambda runs: [{"charge": "savings", "values": texts(runs.savings)}],
    "LLM cost plus markup": lambda runs: [{"charge": "llm", "value": str(runs.billed()), "quantity": len(runs.calls)}],
}


def per_activity(runs: Runs) -> list[Fraction]:
    count = runs.commands
    first, second, third = min(count, 1000), min(max(count - 1000, 0), 9000), max(count - 10000, 0)
    return [max(Fraction(5), Fraction(first, 100) + Fraction(second * 8, 1000) + Fraction(third, 200))]


def per_outcome(runs: Runs) -> list[Fraction]:
    sales = [Fraction(value) for value in runs.sales if value >= 10]
    bonus = sum(sales) / 100 if sum(sales) >= 100_000 else 0
    return [50 + min(sum(sales) / 20 + 2 * len(sales) + bonus, Fraction(4950))]


def per_workflow(runs: Runs) -> list[Fraction]:
    counts = runs.workflows()
    research = Fraction(2 * max(counts["lead_research"] - 10, 0))
    if counts["lead_research"]:
        research = max(research, Fraction(20))
    reports = Fraction(5 * min(counts["report"], 20) + 4 * max(counts["report"] - 20, 0))
    emails = counts["email"] * (Fraction("0.5") if counts["email"] <= 100 else Fraction("0.3"))
    count = sum(counts.values())
    used = (research + reports + emails) * (Fraction(3, 2) if count > 500 else 1)
    return [(100 + used) * (Fraction(9, 10) if count >= 200 else 1)]


def per_seat(runs: Runs) -> list[Fraction]:
    prices = [29] * 5 + [24] * 15 + [19] * 1000
    return [Fraction(sum(prices[: -(-len(runs.runs) // 25)]))]


def per_token(runs: Runs) -> list[Fraction]:
    cached = runs.tokens("cached_input_tokens")
    prices = {"2": runs.tokens("input_tokens") - cached, "0.2": cached, "12": runs.tokens("output_tokens")}
    return [Fraction(price) * tokens / 1_000_000 for price, tokens in prices.items()]


def share_of_savings(runs: Runs) -> list[Fraction]:
    saved = Fraction(sum(runs.savings))
    return [max(Fraction(100), min(saved, Fraction(1000)) / 5 + max(saved - 1000, Fraction(0)) / 10)]


DUE: dict[str, Callable[[Runs], list[Fraction]]] = {
    "Per agent": lambda _: [Fraction(99), Fraction(500)],
    "Per activity": per_activity,
    "Per outcome": per_outcome,
    "Per workflow": per_workflow,
    "Hybrid": lambda runs: [
        Fraction(499),
        Fraction(max(runs.commands - 5000, 0), 50),
        Fraction(len(runs.resolved), 2),
    ],
    "Per seat": per_seat,
    "Per token": per_token,
    "Per resolved ticket": lambda runs: [Fraction(max(len(runs.resolved) - 20, 0) * 99, 100)],
    "Share of savings": share_of_savings,
    "LLM cost plus markup": lambda runs: [Fraction(runs.billed()) * 6 / 5],
}
"""The exact amount of each charge, with the templates' prices written out."""


def in_cents(exact: Fraction) -> int:
    """Rounded half up."""
    return (exact * 100 + Fraction(1, 2)).__floor__()


@pytest.mark.parametrize("organization", ORGANIZATIONS)
@pytest.mark.parametrize(
    "template",
    [*USAGE, *(pytest.param(name, marks=pytest.mark.skip(reason)) for name, reason in WAITING.items())],
)
async def test_a_template_over_the_recorded_runs_comes_to_what_the_recordings_say(
    xyra: Xyra, template: str, organization: str
) -> None:
    customer = await xyra.organization()
    models = {each["name"]: each for each in (await customer.key.get("billing-models/templates"))["data"]}
    saved = await xyra.operator.post("billing-models", models[template] | {"organization_id": customer.id})
    runs = Runs.of(organization)
    answer = await customer.key.post(
        f"billing-models/{saved['id']}/calculate", {"usage": USAGE[template](runs)}, expect=200
    )
    due = DUE[template](runs)
    assert Fraction(answer["exact_total"]) == sum(due)
    assert Fraction(answer["total"]) * 100 == sum(in_cents(exact) for exact in due)


async def test_every_template_is_priced_or_waits_by_name(xyra: Xyra) -> None:
    customer = await xyra.organization()
    names = {each["name"] for each in (await customer.key.get("billing-models/templates"))["data"]}
    assert names == USAGE.keys() | WAITING.keys() == DUE.keys() | WAITING.keys()


def test_the_recordings_are_of_these_organizations() -> None:
    assert tuple(sorted({row["project"] for row in rows("agent_runs.csv.gz")})) == ORGANIZATIONS
    assert sum(len(Runs.of(organization).calls) for organization in ORGANIZATIONS) == 13_584
