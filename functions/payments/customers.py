"""The customer of an organization at Stripe, and its payment methods."""

from typing import Annotated, Self

import azure.functions as func
from pydantic import EmailStr, StringConstraints

from functions.fields import Name
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import RoundedAmount, round_half_up
from shared.domain.kernel.validation import Length
from shared.domain.kernel.validation_messages import Expected
from shared.http import Call, NoBody, PathValues, Query, Reply, Schema, endpoint
from shared.ports.payments import MethodKind, PaymentMethod
from shared.services.payments.customers import PaymentCustomer

blueprint = func.Blueprint()

NOT_KEPT = {"Cache-Control": "no-store"}


class MethodPath(PathValues):
    payment_method_id: Annotated[
        str, StringConstraints(pattern=r"^pm_[A-Za-z0-9_]{1,250}$"), Expected("an id of Stripe's, such as pm_1abc")
    ]
    """The id of the payment method at Stripe."""


class ConfigAnswer(Schema):
    publishable_key: str | None
    """What pages load Stripe.js with; null where the deployment has none for this mode."""
    livemode: bool
    """Whether the organization pays real money."""


class CustomerRequest(Schema):
    email: EmailStr | None = None
    """Where Stripe sends receipts; left out, the organization's `billing_email`."""
    name: Name | None = None
    """What Stripe calls the customer; left out, the organization's name."""


class CustomerAnswer(Schema):
    id: str
    """The customer's id at Stripe."""
    email: str | None
    """As it was created with."""
    name: str | None
    """As it was created with."""
    default_payment_method: str | None
    """The id of the payment method that is charged where none is named."""
    balance: RoundedAmount
    """What was paid or credited here and is not applied to an invoice yet; never Stripe's own balance."""
    currency: str


class SetupIntentRequest(Schema):
    types: Annotated[list[MethodKind], Length(1, 3)] = ["card"]
    """What kinds of payment methods the page offers."""


class SetupIntentAnswer(Schema):
    id: str
    client_secret: str
    """With which the page lets Stripe.js take the payment method."""
    status: str
    """As Stripe says."""


class PaymentMethodAnswer(Schema):
    id: str
    type: str
    """The kind of payment method."""
    brand: str | None
    """Of a card; of a debit its bank."""
    last4: str | None
    """The last digits of its number."""
    expires: str | None
    """Of a card, such as `2027-03`."""
    default: bool
    """Whether it is charged where none is named."""

    @classmethod
    def of(cls, method: PaymentMethod, default_id: str | None) -> Self:
        return cls(
            id=method.id,
            type=method.kind,
            brand=method.brand,
            last4=method.last4,
            expires=method.expires,
            default=method.id == default_id,
        )


class PaymentMethodList(Schema):
    data: list[PaymentMethodAnswer]
    """The newest first."""


@endpoint(
    blueprint,
    "GET",
    "billing/config",
    summary="What a page needs to load Stripe.js",
    access=Permission.BILLING_READ,
    answers={200: ConfigAnswer},
)
async def get_payment_config(call: Call[NoBody]) -> Reply:
    livemode = (await call.organization()).livemode
    key = call.services.payments.publishable_keys.of(livemode=livemode)
    return Reply(ConfigAnswer(publishable_key=key, livemode=livemode))


@endpoint(
    blueprint,
    "POST",
    "billing/customer",
    summary="Create the organization's customer at Stripe, once; later requests get the same one",
    access=Permission.BILLING_WRITE,
    body=CustomerRequest,
    idempotent=False,
    answers={200: CustomerAnswer},
    example={"email": "accounts@example.com", "name": "Acme"},
)
async def create_billing_customer(call: Call[CustomerRequest]) -> Reply:
    organization = await call.organization()
    email = call.body.email or organization.billing_email
    customer = await call.services.payments.customers.ensure(organization, email, call.body.name or organization.name)
    return Reply(await _customer_answer(call, organization.id, organization.currency, customer))


@endpoint(
    blueprint,
    "GET",
    "billing/customer",
    summary="The organization's customer at Stripe",
    access=Permission.BILLING_READ,
    answers={200: CustomerAnswer},
)
async def get_billing_customer(call: Call[NoBody]) -> Reply:
    organization = await call.organization()
    customer = await call.services.payments.customers.get(organization)
    return Reply(await _customer_answer(call, organization.id, organization.currency, customer))


async def _customer_answer(
    call: Call[Schema], organization_id: str, currency: str, customer: PaymentCustomer
) -> CustomerAnswer:
    read = await call.services.account.accounts.read(organization_id, call.now)
    return CustomerAnswer(
        id=customer.stripe_id or "",
        email=customer.email,
        name=customer.name,
        default_payment_method=customer.default_method_id,
        balance=round_half_up(read.account.balance, currency),
        currency=currency,
    )


@endpoint(
    blueprint,
    "POST",
    "billing/setup-intent",
    summary="Begin to store a payment method: the page goes on with Stripe.js",
    access=Permission.BILLING_WRITE,
    body=SetupIntentRequest,
    idempotent=False,
    answers={201: SetupIntentAnswer},
    example={"types": ["card", "sepa_debit"]},
)
async def create_setup_intent(call: Call[SetupIntentRequest]) -> Reply:
    """A repeat begins another one, which does no harm."""
    intent = await call.services.payments.customers.set_up(await call.organization(), call.body.types)
    answer = SetupIntentAnswer(id=intent.id, client_secret=intent.client_secret, status=intent.status)
    return Reply(answer, status=201, headers=NOT_KEPT)


@endpoint(
    blueprint,
    "GET",
    "billing/payment-methods",
    summary="The organization's payment methods at Stripe",
    access=Permission.BILLING_READ,
    answers={200: PaymentMethodList},
)
async def list_payment_methods(call: Call[NoBody]) -> Reply:
    methods, default_id = await call.services.payments.customers.methods(await call.organization())
    return Reply(PaymentMethodList(data=[PaymentMethodAnswer.of(method, default_id) for method in methods]))


@endpoint(
    blueprint,
    "PUT",
    "billing/payment-methods/{payment_method_id}/default",
    summary="Charge this payment method where none is named",
    access=Permission.BILLING_WRITE,
    path_values=MethodPath,
    answers={200: PaymentMethodAnswer},
)
async def set_default_payment_method(call: Call[NoBody, Query, MethodPath]) -> Reply:
    method_id = call.path.payment_method_id
    method = await call.services.payments.customers.set_default(await call.organization(), method_id)
    return Reply(PaymentMethodAnswer.of(method, method_id))


@endpoint(
    blueprint,
    "DELETE",
    "billing/payment-methods/{payment_method_id}",
    summary="Take a payment method away from the organization",
    access=Permission.BILLING_WRITE,
    path_values=MethodPath,
    answers={204: None},
)
async def remove_payment_method(call: Call[NoBody, Query, MethodPath]) -> Reply:
    await call.services.payments.customers.detach(await call.organization(), call.path.payment_method_id)
    return Reply()
