"""Refunds and disputes."""

from tests.doubles.servers.stripe.account import Mode, put_metadata
from tests.doubles.servers.stripe.intents import book
from tests.doubles.servers.stripe.refusals import Json, invalid


def create_refund(mode: Mode, form: Json) -> Json:
    charge = _charge_of(mode, form)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise invalid("Charge has already been refunded.", code="charge_already_refunded")
    if charge["disputed"]:
        raise invalid("Charge has been charged back; cannot issue a refund.", code="charge_disputed")
    amount = form.get("amount", left)
    if amount > left or amount <= 0:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount")
    method = mode.objects["payment_method"].get(charge["payment_method"])
    is_card = method is None or method["type"] == "card"
    refund = mode.make(
        "refund",
        amount=amount,
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        reason=form.get("reason"),
        status="succeeded" if is_card else "pending",
    )
    put_metadata(refund, form)
    refund["balance_transaction"] = book(mode, -amount, charge["currency"], "refund", refund["id"])["id"]
    _add_to_refunded(charge, amount)
    mode.emit("refund.created", refund)
    mode.emit("charge.refunded", charge)
    return refund


def _charge_of(mode: Mode, form: Json) -> Json:
    if "charge" in form:
        return mode.get("charge", form["charge"], "charge")
    if "payment_intent" not in form:
        raise invalid("One of the following params should be provided: charge or payment_intent.")
    intent = mode.get("payment_intent", form["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise invalid("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
    return mode.get("charge", intent["latest_charge"], "charge")


def _add_to_refunded(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]


def end_refund(mode: Mode, refund_id: str, status: str) -> Json:
    """A refund becomes `succeeded`, or `failed` or `canceled`, also after it had succeeded."""
    refund = mode.get("refund", refund_id, "refund")
    if status in {"failed", "canceled"} and refund["status"] not in {"failed", "canceled"}:
        charge = mode.get("charge", refund["charge"], "charge")
        _add_to_refunded(charge, -refund["amount"])
        failed = book(mode, refund["amount"], refund["currency"], "refund_failure", refund_id)
        refund |= {"failure_balance_transaction": failed["id"], "failure_reason": "lost_or_stolen_card"}
    refund["status"] = status
    mode.emit("refund.failed" if status == "failed" else "refund.updated", refund)
    return refund


def read_refund(mode: Mode, form: Json, refund: str) -> Json:
    return mode.answered(mode.get("refund", refund, "refund"), form)


def list_refunds(mode: Mode, form: Json) -> Json:
    return mode.listed("refund", form, "/v1/refunds", payment_intent="payment_intent", charge="charge")


def open_dispute(mode: Mode, intent_id: str, amount: int | None = None) -> Json:
    """The payer's bank takes the money back."""
    intent = mode.get("payment_intent", intent_id, "intent")
    charge = mode.get("charge", intent["latest_charge"], "charge")
    charge["disputed"] = True
    taken = amount or charge["amount"]
    transaction = book(mode, -taken, charge["currency"], "adjustment", charge["id"])
    dispute = mode.make(
        "dispute",
        amount=taken,
        currency=charge["currency"],
        charge=charge["id"],
        payment_intent=intent_id,
        reason="fraudulent",
        status="needs_response",
        balance_transactions=[transaction],
    )
    mode.emit("charge.dispute.created", dispute)
    mode.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def close_dispute(mode: Mode, dispute_id: str, *, won: bool) -> Json:
    """Won: the money comes back. Lost: nothing moves."""
    dispute = mode.get("dispute", dispute_id, "dispute")
    dispute["status"] = "won" if won else "lost"
    if won:
        back = book(mode, dispute["amount"], dispute["currency"], "adjustment", dispute["charge"])
        dispute["balance_transactions"].append(back)
        mode.emit("charge.dispute.funds_reinstated", dispute)
    mode.emit("charge.dispute.closed", dispute)
    return dispute


def read_dispute(mode: Mode, form: Json, dispute: str) -> Json:
    return mode.answered(mode.get("dispute", dispute, "dispute"), form)


def list_disputes(mode: Mode, form: Json) -> Json:
    return mode.listed("dispute", form, "/v1/disputes", payment_intent="payment_intent", charge="charge")
