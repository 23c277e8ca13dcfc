"""Customers with their payment methods, setup intents, and the portal."""

from tests.doubles.servers.stripe.account import Mode, put_metadata
from tests.doubles.servers.stripe.refusals import Json, StripeFault, invalid, missing

TEST_CARDS = {
    "pm_card_visa": ("visa", "4242", "succeeds"),
    "pm_card_mastercard": ("mastercard", "4444", "succeeds"),
    "pm_card_chargeCustomerFail": ("visa", "0341", "declines:generic_decline"),
    "pm_card_authenticationRequired": ("visa", "3184", "authenticates"),
}
"""Stripe's own names of cards that can be attached, and what charging one does."""
_REFUSED_CARD = "pm_card_visa_chargeDeclined"


def create_customer(mode: Mode, form: Json) -> Json:
    customer = mode.make("customer", metadata={}, shipping=None)
    customer["invoice_settings"] = {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": None,
    }
    _put(mode, customer, form)
    mode.emit("customer.created", customer)
    return customer


def update_customer(mode: Mode, form: Json, customer: str) -> Json:
    found = live_customer(mode, customer)
    _put(mode, found, form)
    mode.emit("customer.updated", found)
    return found


def _put(mode: Mode, customer: Json, form: Json) -> None:
    for name in ("email", "name", "description", "address", "phone"):
        if name in form:
            customer[name] = form[name] or None
    default = form.get("invoice_settings", {}).get("default_payment_method")
    if default:
        if (
            mode.get("payment_method", default, "invoice_settings[default_payment_method]")["customer"]
            != customer["id"]
        ):
            raise invalid("The customer does not have a payment method with this ID", code="resource_missing")
        customer["invoice_settings"]["default_payment_method"] = default
    put_metadata(customer, form)


def live_customer(mode: Mode, customer_id: str, param: str = "customer") -> Json:
    found = mode.get("customer", customer_id, param)
    if found.get("deleted"):
        raise missing("customer", customer_id, param)
    return found


def read_customer(mode: Mode, form: Json, customer: str) -> Json:
    return mode.answered(mode.get("customer", customer, "customer"), form)


def delete_customer(mode: Mode, _: Json, customer: str) -> Json:
    live_customer(mode, customer)
    gone = {"id": customer, "object": "customer", "deleted": True}
    mode.objects["customer"][customer] = gone
    return gone


def list_customers(mode: Mode, form: Json) -> Json:
    return mode.listed("customer", form, "/v1/customers", email="email")


def make_method(mode: Mode, kind: str, behaviour: str, *, brand: str = "visa", last4: str = "4242") -> Json:
    """A payment method that no customer has yet."""
    method = mode.make("payment_method", type=kind, customer=None, metadata={})
    method["billing_details"] = {"address": None, "email": None, "name": None, "phone": None, "tax_id": None}
    details = mode.described.blank(f"payment_method_{kind}") | {"last4": last4}
    if kind == "card":
        details |= {"brand": brand, "exp_month": 3, "exp_year": 2031, "funding": "credit", "country": "US"}
    method[kind] = details
    mode.behaviours[method["id"]] = behaviour
    return method


def attach(mode: Mode, form: Json, payment_method: str) -> Json:
    live_customer(mode, form["customer"])
    if payment_method == _REFUSED_CARD:
        raise StripeFault(402, "card_error", "Your card was declined.", "card_declined", "", "generic_decline")
    if payment_method in TEST_CARDS:
        brand, last4, behaviour = TEST_CARDS[payment_method]
        method = make_method(mode, "card", behaviour, brand=brand, last4=last4)
    else:
        method = mode.get("payment_method", payment_method, "payment_method")
    if method["customer"] not in {None, form["customer"]}:
        raise invalid("The payment method you provided has already been attached to a customer.")
    method["customer"] = form["customer"]
    mode.emit("payment_method.attached", method)
    return method


def detach(mode: Mode, _: Json, payment_method: str) -> Json:
    method = mode.get("payment_method", payment_method, "payment_method")
    if method["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    customer = mode.objects["customer"][method["customer"]]
    if customer.get("invoice_settings", {}).get("default_payment_method") == payment_method:
        customer["invoice_settings"]["default_payment_method"] = None
    method["customer"] = None
    mode.emit("payment_method.detached", method)
    return method


def read_method(mode: Mode, form: Json, payment_method: str) -> Json:
    return mode.answered(mode.get("payment_method", payment_method, "payment_method"), form)


def list_methods(mode: Mode, form: Json, customer: str = "") -> Json:
    wanted = {**form, "customer": customer or form.get("customer", "")}
    url = f"/v1/customers/{customer}/payment_methods" if customer else "/v1/payment_methods"
    return mode.listed("payment_method", wanted, url, customer="customer", type="type")


def create_setup_intent(mode: Mode, form: Json) -> Json:
    if customer := form.get("customer"):
        live_customer(mode, customer)
    made = mode.make(
        "setup_intent",
        customer=form.get("customer"),
        payment_method_types=form.get("payment_method_types", ["card"]),
        usage=form.get("usage", "off_session"),
        status="requires_payment_method",
    )
    made["client_secret"] = f"{made['id']}_secret_double"
    put_metadata(made, form)
    mode.emit("setup_intent.created", made)
    return made


def read_setup_intent(mode: Mode, form: Json, intent: str) -> Json:
    return mode.answered(mode.get("setup_intent", intent, "intent"), form)


def set_up(mode: Mode, intent_id: str, method: Json) -> Json:
    """What a customer does on the page: the method is theirs from now on."""
    intent = mode.get("setup_intent", intent_id, "intent")
    method["customer"] = intent["customer"]
    intent |= {"status": "succeeded", "payment_method": method["id"]}
    mode.emit("setup_intent.succeeded", intent)
    mode.emit("payment_method.attached", method)
    return intent


def create_portal_session(mode: Mode, form: Json) -> Json:
    live_customer(mode, form["customer"])
    return mode.make(
        "billing_portal.session",
        customer=form["customer"],
        configuration="bpc_double",
        return_url=form.get("return_url"),
        url="https://billing.stripe.com/p/session/double",
    )
