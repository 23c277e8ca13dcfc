"""Stripe's objects, read into those of the port. Raise `KeyError`, `TypeError`, `ValueError` for other shapes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.domain.payments.charge_amounts import from_minor_units
from shared.ports.payments import (
    Charge,
    CheckoutSession,
    PaymentIntent,
    PaymentMethod,
    ProviderCustomer,
    ProviderRefund,
    SetupIntent,
)

Json = dict[str, Any]

ATTEMPT, ORGANIZATION, REFUND = "xyra_attempt", "xyra_organization", "xyra_refund"
"""Names in metadata. They say where to look, never whom to credit."""


def customer_of(said: Json) -> ProviderCustomer:
    return ProviderCustomer(
        id=said["id"],
        organization_id=said["metadata"].get(ORGANIZATION),
        email=said.get("email"),
        name=said.get("name"),
        default_method_id=_id(said["invoice_settings"].get("default_payment_method")),
        created_at=_time(said["created"]),
    )


def method_of(said: Json) -> PaymentMethod:
    kind = said["type"]
    details = said.get(kind) or {}
    expires = f"{details['exp_year']:04d}-{details['exp_month']:02d}" if kind == "card" else None
    brand = details.get("brand") or details.get("bank_name") or details.get("bank_code")
    return PaymentMethod(said["id"], kind, _id(said.get("customer")), brand, details.get("last4"), expires)


def setup_intent_of(said: Json) -> SetupIntent:
    return SetupIntent(said["id"], said["client_secret"], said["status"])


def intent_of(said: Json) -> PaymentIntent:
    error = said.get("last_payment_error") or {}
    return PaymentIntent(
        id=said["id"],
        attempt_id=said["metadata"].get(ATTEMPT),
        status=said["status"],
        customer_id=_id(said.get("customer")),
        amount=_amount(said, "amount"),
        received=_amount(said, "amount_received"),
        currency=_currency(said),
        client_secret=said["client_secret"],
        error_code=error.get("code"),
        decline_code=error.get("decline_code"),
        charge_id=_id(said.get("latest_charge")),
        created_at=_time(said["created"]),
        livemode=said["livemode"],
    )


def session_of(said: Json) -> CheckoutSession:
    return CheckoutSession(
        id=said["id"],
        attempt_id=said["metadata"].get(ATTEMPT),
        status=said["status"],
        is_paid=said["payment_status"] == "paid",
        url=said.get("url"),
        intent_id=_id(said.get("payment_intent")),
        customer_id=_id(said.get("customer")),
        amount=_amount(said, "amount_total"),
        currency=_currency(said),
        expires_at=_time(said["expires_at"]),
        created_at=_time(said["created"]),
        livemode=said["livemode"],
    )


def refund_of(said: Json) -> ProviderRefund:
    return ProviderRefund(
        id=said["id"],
        refund_id=(said.get("metadata") or {}).get(REFUND),
        intent_id=_id(said.get("payment_intent")),
        status=said["status"],
        amount=_amount(said, "amount"),
        currency=_currency(said),
        created_at=_time(said["created"]),
    )


def charge_of(said: Json) -> Charge:
    return Charge(
        id=said["id"],
        intent_id=_id(said.get("payment_intent")),
        amount=_amount(said, "amount"),
        received=_amount(said, "amount_captured"),
        refunded=_amount(said, "amount_refunded"),
        currency=_currency(said),
        is_disputed=said["disputed"],
        created_at=_time(said["created"]),
    )


def _amount(said: Json, name: str) -> Decimal:
    return from_minor_units(said[name], said["currency"])


def _currency(said: Json) -> str:
    code: str = said["currency"]
    return code.upper()


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _id(value: Any) -> str | None:  # noqa: ANN401  an id, or the object itself where it was expanded
    found: str | None = value["id"] if isinstance(value, dict) else value
    return found
