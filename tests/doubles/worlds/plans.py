"""Plans of the operator's, each with a billing model of its own, and what documents say of them."""

from typing import Any
from uuid import uuid4

from tests.doubles.clients.xyra_client import Organization, Xyra

Json = dict[str, Any]


def fee(amount: str, **fields: str) -> Json:
    """A flat fee by the month, in advance."""
    return {"key": "subscription", "type": "flat_fee", "amount": amount, "timing": "advance"} | fields


def seats(amount: str, **fields: str) -> Json:
    """A fee for each of the organization's seats, by the month, in advance."""
    priced = {"key": "seats", "type": "seat", "quantity": "seats", "timing": "advance"}
    return priced | {"pricing": {"type": "per_unit", "unit_amount": amount}} | fields


async def price(xyra: Xyra, *charges: Json, currency: str = "USD") -> Json:
    """A billing model of the operator's."""
    body = {"name": "Prices", "currency": currency, "charges": list(charges)}
    return await xyra.operator.post("billing-models", body)


async def plan(xyra: Xyra, *charges: Json, **fields: Any) -> Json:
    """A plan in the currency of its charges, by default US dollars, with a new key."""
    currency = fields.pop("currency", "USD")
    model = await price(xyra, *charges, currency=currency)
    body = {"key": f"p{uuid4().hex}", "name": "Team", "prices": {currency: model["version_id"]}}
    return await xyra.operator.post("plans", body | fields)


async def subscribe(organization: Organization, plan: Json, **fields: Any) -> Json:
    body = {"plan": plan["key"], "organization_id": organization.id}
    return await organization.operator.post("subscriptions", body | fields)


async def documents(organization: Organization) -> list[list[tuple[str, str, str]]]:
    """Invoices with their credit notes, in the order of their issue: the start, charge and amount of each line."""
    invoices = sorted(await organization.invoices(), key=lambda invoice: invoice["number"] or "")
    return [
        sorted((line["period"]["start"][:10], line["charge"], line["amount"]) for line in document["lines"])
        for invoice in invoices
        for document in (invoice, *invoice["credit_notes"])
        if document["lines"]
    ]
