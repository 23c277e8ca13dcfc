"""The port's operations by Stripe's SDK."""

from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from typing import Any, TypeVar

from stripe import StripeClient

from shared.adapters.stripe.objects import (
    ATTEMPT,
    ORGANIZATION,
    REFUND,
    Json,
    charge_of,
    customer_of,
    intent_of,
    method_of,
    refund_of,
    session_of,
    setup_intent_of,
)
from shared.adapters.stripe.outcomes import found, options, written
from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.payments.charge_amounts import to_minor_units
from shared.ports.payments import (
    MOST_LISTED,
    Charge,
    CheckoutSession,
    Created,
    MethodKind,
    NewCustomer,
    NewIntent,
    NewRefund,
    NewSession,
    PaymentIntent,
    PaymentMethod,
    ProviderCustomer,
    ProviderRefund,
    SetupIntent,
)

Thing = TypeVar("Thing")
_PAGE = 100


class StripePayments:
    """One key of the account, so one mode. Amounts that Stripe cannot express raise `ValueError`."""

    def __init__(self, client: StripeClient) -> None:
        self._v1 = client.v1

    async def account_id(self) -> str:
        account: str = await found(self._v1.accounts.retrieve_current_async(), lambda said: said["id"])
        return account

    async def create_customer(self, customer: NewCustomer, key: str) -> ProviderCustomer:
        form: Any = {"metadata": {ORGANIZATION: customer.organization_id}}
        form |= {name: value for name, value in (("email", customer.email), ("name", customer.name)) if value}
        return await written(self._v1.customers.create_async(form, _options(key)), customer_of)

    async def customer(self, customer_id: str) -> ProviderCustomer:
        """A customer that was deleted there is `NotFoundError` too."""
        customer = await found(
            self._v1.customers.retrieve_async(customer_id),
            lambda said: None if said.get("deleted") else customer_of(said),
        )
        if customer is None:
            raise NotFoundError("The customer was deleted at Stripe")
        return customer

    async def customers(self, created: Created, email: str | None = None) -> list[ProviderCustomer]:
        wanted: Json = {"created": _range(created)} | ({} if email is None else {"email": email})
        return await _listed(self._v1.customers.list_async, wanted, customer_of)

    async def set_default_method(self, customer_id: str, method_id: str, key: str) -> ProviderCustomer:
        form: Any = {"invoice_settings": {"default_payment_method": method_id}}
        return await written(self._v1.customers.update_async(customer_id, form, _options(key)), customer_of)

    async def payment_methods(self, customer_id: str) -> list[PaymentMethod]:
        async def page(form: Any) -> Any:  # noqa: ANN401  the SDK's
            return await self._v1.customers.payment_methods.list_async(customer_id, form)

        return await _listed(page, {}, method_of)

    async def payment_method(self, method_id: str) -> PaymentMethod:
        return await found(self._v1.payment_methods.retrieve_async(method_id), method_of)

    async def detach_method(self, method_id: str, key: str) -> None:
        await written(self._v1.payment_methods.detach_async(method_id, {}, _options(key)), method_of)

    async def create_setup_intent(self, customer_id: str, kinds: Sequence[MethodKind], key: str) -> SetupIntent:
        form: Any = {"customer": customer_id, "payment_method_types": list(kinds), "usage": "off_session"}
        return await written(self._v1.setup_intents.create_async(form, _options(key)), setup_intent_of)

    async def create_intent(self, intent: NewIntent, key: str) -> PaymentIntent:
        form: Any = {
            "amount": to_minor_units(intent.amount, intent.currency),
            "currency": intent.currency.lower(),
            "customer": intent.customer_id,
            "payment_method_types": list(intent.kinds),
            "description": intent.description,
            "metadata": {ATTEMPT: intent.attempt_id, ORGANIZATION: intent.organization_id},
        }
        return await written(self._v1.payment_intents.create_async(form, _options(key)), intent_of)

    async def confirm_intent(self, intent_id: str, method_id: str, key: str) -> PaymentIntent:
        form: Any = {"payment_method": method_id, "off_session": True}
        return await written(self._v1.payment_intents.confirm_async(intent_id, form, _options(key)), intent_of)

    async def cancel_intent(self, intent_id: str, key: str) -> PaymentIntent:
        return await written(self._v1.payment_intents.cancel_async(intent_id, {}, _options(key)), intent_of)

    async def intent(self, intent_id: str) -> PaymentIntent:
        return await found(self._v1.payment_intents.retrieve_async(intent_id), intent_of)

    async def intents(self, customer_id: str, created: Created) -> list[PaymentIntent]:
        wanted = {"customer": customer_id, "created": _range(created)}
        return await _listed(self._v1.payment_intents.list_async, wanted, intent_of)

    async def charge(self, charge_id: str) -> Charge:
        return await found(self._v1.charges.retrieve_async(charge_id), charge_of)

    async def create_session(self, session: NewSession, key: str) -> CheckoutSession:
        metadata = {ATTEMPT: session.attempt_id, ORGANIZATION: session.organization_id}
        price = {
            "currency": session.currency.lower(),
            "unit_amount": to_minor_units(session.amount, session.currency),
            "product_data": {"name": session.title},
        }
        form: Any = {
            "mode": "payment",
            "customer": session.customer_id,
            "line_items": [{"price_data": price, "quantity": 1}],
            "payment_method_types": list(session.kinds),
            "payment_intent_data": {"metadata": metadata},
            "metadata": metadata,
            "success_url": session.success_url,
            "cancel_url": session.cancel_url,
            "expires_at": int(session.expires_at.timestamp()),
        }
        return await written(self._v1.checkout.sessions.create_async(form, _options(key)), session_of)

    async def expire_session(self, session_id: str, key: str) -> CheckoutSession:
        return await written(self._v1.checkout.sessions.expire_async(session_id, {}, _options(key)), session_of)

    async def session(self, session_id: str) -> CheckoutSession:
        return await found(self._v1.checkout.sessions.retrieve_async(session_id), session_of)

    async def sessions(self, customer_id: str, created: Created) -> list[CheckoutSession]:
        wanted = {"customer": customer_id, "created": _range(created)}
        return await _listed(self._v1.checkout.sessions.list_async, wanted, session_of)

    async def create_refund(self, refund: NewRefund, key: str) -> ProviderRefund:
        form: Any = {
            "payment_intent": refund.intent_id,
            "amount": to_minor_units(refund.amount, refund.currency),
            "metadata": {REFUND: refund.refund_id},
        }
        return await written(self._v1.refunds.create_async(form, _options(key)), refund_of)

    async def refund(self, refund_id: str) -> ProviderRefund:
        return await found(self._v1.refunds.retrieve_async(refund_id), refund_of)

    async def refunds(self, intent_id: str) -> list[ProviderRefund]:
        return await _listed(self._v1.refunds.list_async, {"payment_intent": intent_id}, refund_of)


def _options(key: str) -> Any:  # noqa: ANN401  the SDK's type
    return options(key)


def _range(created: Created) -> Json:
    """Stripe dates in whole seconds, rounded down."""
    return {"gte": int(created.since.timestamp()), "lte": ceil(created.until.timestamp())}


async def _listed(
    list_page: Callable[[Any], Awaitable[Any]], wanted: Json, read: Callable[[Json], Thing]
) -> list[Thing]:
    """All of a list. Raises `UnavailableError` where there is more than `MOST_LISTED`."""
    things: list[Thing] = []
    form = {**wanted, "limit": _PAGE}
    while True:
        page, has_more, last = await found(list_page(form), lambda said: _page(said, read))
        things += page
        if not has_more or last is None:
            return things
        if len(things) >= MOST_LISTED:
            raise UnavailableError(f"Stripe lists more than {MOST_LISTED} objects here")
        form["starting_after"] = last


def _page(said: Json, read: Callable[[Json], Thing]) -> tuple[list[Thing], bool, str | None]:
    data = said["data"]
    return [read(each) for each in data], said["has_more"], data[-1]["id"] if data else None
