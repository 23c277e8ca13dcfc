"""Payment intents and what charging a payment method does.

A method's behaviour: `succeeds`; `declines:CODE`; `authenticates` (asks the customer, or declines off session);
`processes` (a debit that takes days, until `settle`).
"""

import copy

from tests.doubles.servers.stripe.account import Mode, put_metadata
from tests.doubles.servers.stripe.customers import live_customer
from tests.doubles.servers.stripe.refusals import Json, StripeFault, invalid

_MINIMUM = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "chf": 50}
_TENS = {"bhd", "jod", "kwd", "omr", "tnd"}
_HUNDREDS = {"isk", "ugx"}
_PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")
_TEXTS = {
    "insufficient_funds": "Your card has insufficient funds.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def create_intent(mode: Mode, form: Json) -> Json:
    check_amount(form["amount"], form["currency"])
    if customer := form.get("customer"):
        live_customer(mode, customer)
    intent = make_intent(mode, form["amount"], form["currency"], form.get("customer"), form)
    if method := form.get("payment_method"):
        _method_of(mode, intent, method)
        intent |= {"payment_method": method, "status": "requires_confirmation"}
    mode.emit("payment_intent.created", intent)
    return intent


def make_intent(mode: Mode, amount: int, currency: str, customer: str | None, form: Json) -> Json:
    intent = mode.make(
        "payment_intent",
        amount=amount,
        amount_received=0,
        currency=currency,
        customer=customer,
        capture_method="automatic_async",
        confirmation_method="automatic",
        status="requires_payment_method",
        payment_method_types=form.get("payment_method_types", ["card"]),
        description=form.get("description"),
        setup_future_usage=form.get("setup_future_usage"),
    )
    intent["client_secret"] = f"{intent['id']}_secret_double"
    put_metadata(intent, form)
    return intent


def check_amount(amount: int, currency: str) -> None:
    """Raises `StripeFault` for what cannot be charged."""
    if amount < _MINIMUM.get(currency, 1):
        raise invalid("Amount must be at least the minimum charge", code="amount_too_small", param="amount")
    if amount > 99_999_999:
        raise invalid("Amount must be no more than $999,999.99", code="amount_too_large", param="amount")
    step = 10 if currency in _TENS else 100 if currency in _HUNDREDS else 1
    if amount % step:
        raise invalid(f"Invalid amount: must be a multiple of {step}", code="invalid_charge_amount", param="amount")


def read_intent(mode: Mode, form: Json, intent: str) -> Json:
    return mode.answered(mode.get("payment_intent", intent, "intent"), form)


def list_intents(mode: Mode, form: Json) -> Json:
    return mode.listed("payment_intent", form, "/v1/payment_intents", customer="customer")


def search_intents(mode: Mode, form: Json) -> Json:
    return mode.searched("payment_intent", form, "/v1/payment_intents/search")


def cancel_intent(mode: Mode, form: Json, intent: str) -> Json:
    found = mode.get("payment_intent", intent, "intent")
    if any(each["payment_intent"] == intent for each in mode.of("checkout.session")):
        raise _unexpected(found, "You cannot cancel this PaymentIntent because it was created by Checkout.")
    if found["status"] not in _CANCELABLE:
        raise _unexpected(found, f"You cannot cancel this PaymentIntent because it has a status of {found['status']}.")
    cancel(mode, found, form.get("cancellation_reason"))
    return found


def cancel(mode: Mode, intent: Json, reason: str | None) -> None:
    intent |= {"status": "canceled", "canceled_at": mode.now(), "cancellation_reason": reason, "next_action": None}
    mode.emit("payment_intent.canceled", intent)


def _unexpected(intent: Json, message: str) -> StripeFault:
    return invalid(message, code="payment_intent_unexpected_state", payment_intent=copy.deepcopy(intent))


def _method_of(mode: Mode, intent: Json, method_id: str) -> Json:
    method = mode.get("payment_method", method_id, "payment_method")
    if method["customer"] != intent["customer"]:
        message = "The PaymentMethod does not belong to the Customer you supplied."
        raise invalid(message, param="payment_method", payment_intent=copy.deepcopy(intent))
    if method["type"] not in intent["payment_method_types"]:
        message = f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent."
        raise invalid(message, code="payment_intent_incompatible_payment_method", param="payment_method")
    return method


def confirm_intent(mode: Mode, form: Json, intent: str) -> Json:
    found = mode.get("payment_intent", intent, "intent")
    if found["status"] not in _PAYABLE:
        status = found["status"]
        raise _unexpected(found, f"This PaymentIntent could not be confirmed because it has a status of {status}.")
    chosen = form.get("payment_method") or found["payment_method"]
    if chosen is None:
        raise _unexpected(found, "You cannot confirm this PaymentIntent because it's missing a payment method.")
    method = _method_of(mode, found, chosen)
    fault = charge(mode, found, method, off_session=form.get("off_session") in {True, "recurring", "one_off"})
    if fault is not None:
        raise fault
    return found


def charge(mode: Mode, intent: Json, method: Json, *, off_session: bool) -> StripeFault | None:
    """Charge the method. Returns the decline, where it is one."""
    behaviour, _, code = mode.behaviours[method["id"]].partition(":")
    if behaviour == "authenticates" and off_session:
        return decline(mode, intent, method, "authentication_required")
    if behaviour == "declines":
        return decline(mode, intent, method, code)
    intent |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    if behaviour == "authenticates":
        intent["status"] = "requires_action"
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        mode.emit("payment_intent.requires_action", intent)
    elif behaviour == "processes":
        intent["status"] = "processing"
        intent["latest_charge"] = _make_charge(mode, intent, method, "pending")["id"]
        mode.emit("payment_intent.processing", intent)
    else:
        succeed(mode, intent, method)
    return None


def succeed(mode: Mode, intent: Json, method: Json) -> None:
    """The money is there."""
    held = mode.objects["charge"].get(intent["latest_charge"] or "")
    paid = held if held is not None and held["status"] == "pending" else _make_charge(mode, intent, method, "succeeded")
    paid |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": intent["amount"]}
    paid["balance_transaction"] = book(mode, intent["amount"], intent["currency"], "charge", paid["id"])["id"]
    intent |= {
        "status": "succeeded",
        "amount_received": intent["amount"],
        "latest_charge": paid["id"],
        "next_action": None,
    }
    mode.emit("charge.succeeded", paid)
    mode.emit("payment_intent.succeeded", intent)


def decline(mode: Mode, intent: Json, method: Json, code: str) -> StripeFault:
    """The intent is as it was before, with the error; it can be paid still."""
    is_authentication = code == "authentication_required"
    error_code = "authentication_required" if is_authentication else "card_declined"
    text = _TEXTS.get(code, "Your card was declined.")
    error = {"type": "card_error", "code": error_code, "decline_code": code, "message": text}
    if not is_authentication:
        failed = _make_charge(mode, intent, method, "failed")
        failed |= {"failure_code": error_code, "failure_message": text}
        intent["latest_charge"] = failed["id"]
        mode.emit("charge.failed", failed)
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    intent["last_payment_error"] = {**error, "payment_method": copy.deepcopy(method)}
    mode.emit("payment_intent.payment_failed", intent)
    objects = {"payment_intent": copy.deepcopy(intent), "payment_method": copy.deepcopy(method)}
    return StripeFault(402, "card_error", text, error_code, None, code, objects)


def settle(mode: Mode, intent_id: str, *, failure: str | None = None) -> Json:
    """End what is being processed or authenticated, days later."""
    intent = mode.get("payment_intent", intent_id, "intent")
    method = mode.get("payment_method", intent["payment_method"], "payment_method")
    if intent["status"] not in {"processing", "requires_action"}:
        raise invalid(f"the intent is {intent['status']}")
    if failure is None:
        succeed(mode, intent, method)
        return intent
    if held := mode.objects["charge"].get(intent["latest_charge"] or ""):
        held["status"] = "failed"
    decline(mode, intent, method, failure)
    return intent


def _make_charge(mode: Mode, intent: Json, method: Json, status: str) -> Json:
    return mode.make(
        "charge",
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        payment_intent=intent["id"],
        payment_method=method["id"],
        status=status,
        metadata=dict(intent["metadata"]),
        billing_details=copy.deepcopy(method["billing_details"]),
    )


def book(mode: Mode, amount: int, currency: str, kind: str, source: str) -> Json:
    """A balance transaction. What comes in costs 2.9 % and 0.30."""
    fee = (amount * 29 + 500) // 1000 + 30 if kind == "charge" else 0
    return mode.make(
        "balance_transaction",
        amount=amount,
        currency=currency,
        type=kind,
        reporting_category=kind,
        source=source,
        fee=fee,
        net=amount - fee,
        status="pending",
        available_on=mode.now() + 2 * 24 * 3600,
    )
