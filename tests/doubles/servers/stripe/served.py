"""Which operations the double serves, with the parameters that it honours. All others are refused with 501."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.doubles.servers.stripe import customers, intents, refunds, sessions
from tests.doubles.servers.stripe.account import ACCOUNT_ID, Mode
from tests.doubles.servers.stripe.refusals import Json

Handler = Callable[..., Json]

_PAGE = frozenset({"limit", "starting_after", "created", "expand"})
_ONE = frozenset({"expand"})


@dataclass(frozen=True)
class Served:
    handler: Handler
    """Called with the mode, the form, and the parameters of the path by name."""
    parameters: frozenset[str]


def _read_account(mode: Mode, form: Json) -> Json:
    made = mode.described.blank("account") | {"id": ACCOUNT_ID, "default_currency": "usd", "country": "US"}
    return mode.answered(made, form)


def _read_charge(mode: Mode, form: Json, charge: str) -> Json:
    return mode.answered(mode.get("charge", charge, "charge"), form)


def _list_charges(mode: Mode, form: Json) -> Json:
    return mode.listed("charge", form, "/v1/charges", customer="customer", payment_intent="payment_intent")


def _read_transaction(mode: Mode, form: Json, id: str) -> Json:  # noqa: A002  the name in the path
    return mode.answered(mode.get("balance_transaction", id, "id"), form)


def _list_transactions(mode: Mode, form: Json) -> Json:
    return mode.listed("balance_transaction", form, "/v1/balance_transactions", source="source", type="type")


def _read_event(mode: Mode, form: Json, id: str) -> Json:  # noqa: A002  the name in the path
    return mode.answered(mode.get("event", id, "id"), form)


def _list_events(mode: Mode, form: Json) -> Json:
    return mode.listed("event", form, "/v1/events", type="type")


def _create_endpoint(mode: Mode, form: Json) -> Json:
    made = mode.make(
        "webhook_endpoint",
        url=form["url"],
        enabled_events=form["enabled_events"],
        api_version=form.get("api_version"),
        status="enabled",
    )
    made["secret"] = f"whsec_{made['id']}"
    return made


def _list_endpoints(mode: Mode, form: Json) -> Json:
    return mode.listed("webhook_endpoint", form, "/v1/webhook_endpoints")


SERVED: dict[str, Served] = {
    name: Served(handler, frozenset(parameters))
    for name, handler, parameters in (
        ("get /v1/account", _read_account, _ONE),
        (
            "post /v1/customers",
            customers.create_customer,
            {"email", "name", "description", "address", "phone", "metadata"},
        ),
        ("get /v1/customers", customers.list_customers, _PAGE | {"email"}),
        ("get /v1/customers/{customer}", customers.read_customer, _ONE),
        (
            "post /v1/customers/{customer}",
            customers.update_customer,
            {"email", "name", "description", "address", "phone", "metadata", "invoice_settings"},
        ),
        ("delete /v1/customers/{customer}", customers.delete_customer, ()),
        ("get /v1/customers/{customer}/payment_methods", customers.list_methods, _PAGE | {"type"}),
        ("post /v1/payment_methods/{payment_method}/attach", customers.attach, {"customer"}),
        ("post /v1/payment_methods/{payment_method}/detach", customers.detach, ()),
        ("get /v1/payment_methods/{payment_method}", customers.read_method, _ONE),
        ("get /v1/payment_methods", customers.list_methods, _PAGE | {"type", "customer"}),
        (
            "post /v1/setup_intents",
            customers.create_setup_intent,
            {"customer", "payment_method_types", "usage", "metadata"},
        ),
        ("get /v1/setup_intents/{intent}", customers.read_setup_intent, _ONE),
        ("post /v1/billing_portal/sessions", customers.create_portal_session, {"customer", "return_url"}),
        (
            "post /v1/payment_intents",
            intents.create_intent,
            {
                "amount",
                "currency",
                "customer",
                "payment_method",
                "payment_method_types",
                "metadata",
                "description",
                "setup_future_usage",
            },
        ),
        ("get /v1/payment_intents", intents.list_intents, _PAGE | {"customer"}),
        ("get /v1/payment_intents/search", intents.search_intents, {"query", "limit"}),
        ("get /v1/payment_intents/{intent}", intents.read_intent, _ONE),
        ("post /v1/payment_intents/{intent}/confirm", intents.confirm_intent, {"payment_method", "off_session"}),
        ("post /v1/payment_intents/{intent}/cancel", intents.cancel_intent, {"cancellation_reason"}),
        ("get /v1/charges", _list_charges, _PAGE | {"customer", "payment_intent"}),
        ("get /v1/charges/{charge}", _read_charge, _ONE),
        (
            "post /v1/checkout/sessions",
            sessions.create_session,
            {
                "mode",
                "customer",
                "client_reference_id",
                "line_items",
                "expires_at",
                "success_url",
                "cancel_url",
                "metadata",
                "payment_intent_data",
                "payment_method_types",
            },
        ),
        ("get /v1/checkout/sessions", sessions.list_sessions, _PAGE | {"customer", "payment_intent", "status"}),
        ("get /v1/checkout/sessions/{session}", sessions.read_session, _ONE),
        ("post /v1/checkout/sessions/{session}/expire", sessions.expire_session, ()),
        (
            "post /v1/refunds",
            refunds.create_refund,
            {"charge", "payment_intent", "amount", "reason", "metadata"},
        ),
        ("get /v1/refunds", refunds.list_refunds, _PAGE | {"charge", "payment_intent"}),
        ("get /v1/refunds/{refund}", refunds.read_refund, _ONE),
        ("get /v1/disputes", refunds.list_disputes, _PAGE | {"charge", "payment_intent"}),
        ("get /v1/disputes/{dispute}", refunds.read_dispute, _ONE),
        ("get /v1/balance_transactions", _list_transactions, _PAGE | {"source", "type"}),
        ("get /v1/balance_transactions/{id}", _read_transaction, _ONE),
        ("get /v1/events", _list_events, _PAGE | {"type"}),
        ("get /v1/events/{id}", _read_event, _ONE),
        ("post /v1/webhook_endpoints", _create_endpoint, {"url", "enabled_events", "api_version"}),
        ("get /v1/webhook_endpoints", _list_endpoints, _PAGE),
    )
}
