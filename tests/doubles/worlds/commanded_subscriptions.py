"""Commands to subscriptions over HTTP, and what they issue."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from tests.doubles.clients.xyra_client import Organization

Json = dict[str, Any]


def body_of(name: str, body: Json) -> Json | None:
    """A withdrawal has none."""
    return None if name == "withdraw" else body


async def command(organization: Organization, subscription: Json, name: str, **body: Any) -> Json:
    path = f"subscriptions/{subscription['id']}/{name}"
    headers = {"Idempotency-Key": uuid4().hex}
    return await organization.operator.post(path, body_of(name, body), expect=200, headers=headers)


def lines(document: Json) -> dict[str, str]:
    """By the billing model's name, which is the plan's."""
    return {f"{line['model_name']} {line['charge']}": line["amount"] for line in document["lines"]}


async def issued(organization: Organization, commanded: Json) -> dict[str, str]:
    """The lines of the interim invoice that a command issued."""
    invoice = await organization.key.get(f"invoices/{commanded['invoice_id']}")
    assert (invoice["kind"], invoice["status"]) == ("interim", "pending")
    assert Decimal(invoice["total"]) == sum(Decimal(line["amount"]) for line in invoice["lines"])
    return lines(invoice)
