"""What the demo shows: an invoice with its arithmetic, a statement of credits, and what to try next."""

from decimal import Decimal
from typing import Any

from rich.box import SIMPLE
from rich.table import Table


def invoice_table(invoice: dict[str, Any]) -> Table:
    period = f"{invoice['period']['start'][:10]} to {invoice['period']['end'][:10]}"
    table = Table(title=f"{invoice['number']}   {period}   due {invoice['due_at'][:10]}", box=SIMPLE, show_footer=True)
    table.add_column("Line", footer="Total")
    table.add_column("Quantity", justify="right")
    table.add_column("Arithmetic")
    table.add_column("Exact", justify="right")
    table.add_column(f"Amount {invoice['currency']}", justify="right", footer=invoice["total"])
    for line in invoice["lines"]:
        quantity = f"{_grouped(line['quantity'])} {_unit(line['unit'] or '')}".strip()
        steps = "\n".join(_step(step) for step in line["steps"])
        table.add_row(line["description"], quantity, steps, _grouped(line["exact_amount"]), line["amount"])
    return table


def statement_table(statement: dict[str, Any]) -> Table:
    """What moved an organization's credits, in the order in which it did."""
    table = Table(title="Prepaid credits", box=SIMPLE, show_footer=True)
    table.add_column("Time")
    table.add_column("What", footer="Left")
    table.add_column("Change", justify="right")
    table.add_column("Available", justify="right", footer=_grouped(statement["closing"]))
    for line in statement["lines"]:
        what = line["type"].replace("_", " ") + (f": {line['reason']}" if line["reason"] else "")
        change = f"{Decimal(line['change']):+,}"
        table.add_row(line["time"][:19].replace("T", " "), what, change, _grouped(line["available"]))
    return table


def stopped_run(run: str, refusal: dict[str, Any]) -> str:
    """How a run ends that goes on spending: its cap refuses the next step."""
    return f"The run {run} was stopped by its cap: {refusal['detail']}.\n"


def margin_table(summaries: dict[str, dict[str, Any]]) -> Table:
    """What each project cost, what it is billed, and what is left."""
    currency = next(iter(summaries.values()))["currency"]
    table = Table(title="By project", box=SIMPLE)
    table.add_column("Project")
    for name in (f"Provider cost {currency}", f"Billed amount {currency}", "Margin"):
        table.add_column(name, justify="right")
    for project, summary in summaries.items():
        cost, billed = Decimal(summary["provider_cost"]), summary["billed_amount"]
        table.add_row(project, f"{cost:.7f}", billed, f"{Decimal(summary['margin']):.1%}")
    return table


def totals_table(invoices: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    for invoice in invoices:
        table.add_row(invoice["number"], f"{invoice['total']} {invoice['currency']}")
    return table


def _unit(unit: str) -> str:
    """For people: `1000000 output_tokens` are million output tokens, and the name of an outcome says enough."""
    return unit.replace("1000000 ", "million ").removeprefix("outcome.").replace("_", " ")


def _step(step: dict[str, Any]) -> str:
    arithmetic = ""
    if step.get("quantity") is not None and step.get("unit_amount") is not None:
        arithmetic = f"{_grouped(step['quantity'])} x {step['unit_amount']} = "
    return f"{step['kind'].replace('_', ' ')}: {arithmetic}{_grouped(step['amount'])}"


def _grouped(number: str) -> str:
    return f"{Decimal(number):,}"


_FROM_PYTHON = 'import xyra; xyra.track("command", agent="coder"); print(xyra.flush(), "events wait")'
_WITHIN_A_CAP = """
import xyra
with xyra.budget("my-run", credits=2, agent="coder") as budget:
    for _ in range(3):
        budget.use(1)
"""


def next_steps(base: str, kept: dict[str, str]) -> str:
    api = f"{base}/api/v1"
    key = f'-H "X-API-Key: {kept["api_key"]}"'
    event = '{"id": "my-first-event", "type": "command", "agent": "coder"}'
    return "\n".join(
        [
            "",
            "Next, in another terminal, with an API key of the first project. What the agent used last month:",
            f"  curl {key} '{api}/usage?period={kept['month']}'",
            "What it was billed:",
            f"  curl {key} '{api}/invoices'",
            "What is left of its prepaid credits:",
            f"  curl {key} '{api}/credits/balance'",
            "What the run that was stopped by its cap has spent:",
            f"  curl {key} '{api}/budgets/each-run?ref=demo-in-circles'",
            "An event of your own, and this month's invoice as it stands with it:",
            f"  curl {key} -H 'Content-Type: application/json' -d '{event}' '{api}/events'",
            f"  curl {key} '{api}/invoices/preview'",
            "The same from Python, with the SDK (docs/sdk.md):",
            "  pip install ./clients/python",
            f"  XYRA_URL={base} XYRA_API_KEY={kept['api_key']} python -c '{_FROM_PYTHON}'",
            "And a run that may spend 2 credits, which the SDK stops before the third:",
            f"  XYRA_URL={base} XYRA_API_KEY={kept['api_key']} python -c '{_WITHIN_A_CAP}'",
            "From nothing to an invoice of your own: docs/quick-start.md",
            "",
            "Ctrl-C ends it; the data stays.",
        ]
    )
