"""Checkout sessions in mode `payment`.

Their intent is made when the customer pays first. A card that is declined leaves the session open.
"""

from tests.doubles.servers.stripe.account import Mode, put_metadata
from tests.doubles.servers.stripe.customers import live_customer
from tests.doubles.servers.stripe.intents import cancel, charge, check_amount, make_intent, settle
from tests.doubles.servers.stripe.refusals import Json, invalid, not_served

_SHORTEST, _LONGEST = 30 * 60, 24 * 3600


def create_session(mode: Mode, form: Json) -> Json:
    if form.get("mode") != "payment":
        raise not_served("sessions that are no payment")
    if customer := form.get("customer"):
        live_customer(mode, customer)
    amount, currency = _total(form)
    check_amount(amount, currency)
    expires_at = form.get("expires_at", mode.now() + _LONGEST)
    if not mode.now() + _SHORTEST - 60 <= expires_at <= mode.now() + _LONGEST + 60:
        raise invalid("The `expires_at` timestamp must be between 30 minutes and 24 hours", param="expires_at")
    session = mode.make(
        "checkout.session",
        mode="payment",
        status="open",
        payment_status="unpaid",
        customer=form.get("customer"),
        client_reference_id=form.get("client_reference_id"),
        amount_subtotal=amount,
        amount_total=amount,
        currency=currency,
        expires_at=expires_at,
        payment_method_types=form.get("payment_method_types", ["card"]),
        success_url=form.get("success_url"),
        cancel_url=form.get("cancel_url"),
    )
    session["url"] = f"https://checkout.stripe.com/c/pay/{session['id']}"
    session["payment_intent"] = None
    put_metadata(session, form)
    types = {"payment_method_types": session["payment_method_types"]}
    mode.intent_forms[session["id"]] = form.get("payment_intent_data", {}) | types
    return session


def _total(form: Json) -> tuple[int, str]:
    total, currencies = 0, set()
    for item in form.get("line_items", ()):
        price = item.get("price_data")
        if price is None or "unit_amount" not in price:
            raise not_served("line items by the id of a price")
        total += price["unit_amount"] * item.get("quantity", 1)
        currencies.add(price["currency"])
    if len(currencies) != 1:
        raise invalid("All line items must have the same currency", param="line_items")
    return total, currencies.pop()


def read_session(mode: Mode, form: Json, session: str) -> Json:
    return mode.answered(mode.get("checkout.session", session, "session"), form)


def list_sessions(mode: Mode, form: Json) -> Json:
    wanted = {"customer": "customer", "payment_intent": "payment_intent", "status": "status"}
    return mode.listed("checkout.session", form, "/v1/checkout/sessions", **wanted)


def expire_session(mode: Mode, _: Json, session: str) -> Json:
    found = mode.get("checkout.session", session, "session")
    if found["status"] != "open":
        raise invalid(f'Only Checkout Sessions with a status in ["open"] can be expired, it is {found["status"]}.')
    expire(mode, found)
    return found


def expire(mode: Mode, session: Json) -> None:
    session |= {"status": "expired", "url": None}
    intent = mode.objects["payment_intent"].get(session["payment_intent"] or "")
    if intent is not None:
        cancel(mode, intent, "automatic")
    mode.emit("checkout.session.expired", session)


def expire_what_is_over(mode: Mode) -> None:
    for session in mode.objects["checkout.session"].values():
        if session["status"] == "open" and session["expires_at"] <= mode.now():
            expire(mode, session)


def pay_session(mode: Mode, session_id: str, method: Json) -> Json:
    """What the customer does on Stripe's page with a payment method."""
    session = mode.get("checkout.session", session_id, "session")
    if session["status"] != "open":
        raise invalid(f"the session is {session['status']}")
    intent = mode.objects["payment_intent"].get(session["payment_intent"] or "")
    if intent is None:
        form = mode.intent_forms[session_id]
        intent = make_intent(mode, session["amount_total"], session["currency"], session["customer"], form)
        session["payment_intent"] = intent["id"]
    method["customer"] = session["customer"]
    if charge(mode, intent, method, off_session=False) is not None or intent["status"] == "requires_action":
        return session
    session |= {"status": "complete", "url": None}
    session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
    mode.emit("checkout.session.completed", session)
    return session


def settle_session(mode: Mode, session_id: str, *, failure: str | None = None) -> Json:
    """The end of a debit that the session began, days later."""
    session = mode.get("checkout.session", session_id, "session")
    settle(mode, session["payment_intent"], failure=failure)
    session["payment_status"] = "paid" if failure is None else "unpaid"
    ended = "succeeded" if failure is None else "failed"
    mode.emit(f"checkout.session.async_payment_{ended}", session)
    return session
