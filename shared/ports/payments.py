"""Money from outside, by a payment provider: Stripe's objects and words, our amounts and keys.

Whoever writes gives an idempotency key and, once the outcome is unknown, the same key with the same values again. The
rules for that are in `docs/stripe.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from shared.domain.kernel.errors import UnavailableError
from shared.domain.payments.requests import Doubt

LONGEST_KEY = 255
"""Characters of an idempotency key."""
MOST_LISTED = 1_000
"""Of one list. What has more raises `UnavailableError`, so that nothing is taken for absent."""

IntentStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
    "canceled",
]
SessionStatus = Literal["open", "complete", "expired"]
RefundStatus = Literal["pending", "requires_action", "succeeded", "failed", "canceled"]
MethodKind = Literal["card", "sepa_debit", "us_bank_account"]


class PaymentsNotSetUpError(UnavailableError):
    """The deployment has no key of the provider for this mode. The text says what to set."""


class OutcomeUnknownError(UnavailableError):
    """A request was sent, and whether it had an effect is not known.

    A time-out, 5xx, 429, 409, 401, 403, a key used for something else, an answer that cannot be read. None of these is
    a refusal. `doubt` says what may be done next; `provider_code` is the provider's, where it gave one.
    """

    def __init__(self, detail: str, *, doubt: Doubt = "halted", provider_code: str | None = None) -> None:
        super().__init__(detail)
        self.doubt = doubt
        self.provider_code = provider_code


class PaymentRefusedError(Exception):
    """The provider refused the request as it is; it has had no effect."""

    def __init__(self, text: str, *, code: str | None, parameter: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.parameter = parameter


class PaymentDeclinedError(Exception):
    """A payment method was declined. The intent can be paid still."""

    def __init__(self, text: str, *, code: str, decline_code: str | None) -> None:
        super().__init__(text)
        self.code = code
        """`authentication_required` where the customer has to take part."""
        self.decline_code = decline_code


@dataclass(frozen=True, slots=True)
class NewCustomer:
    organization_id: str
    email: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class ProviderCustomer:
    id: str
    organization_id: str | None
    """As its metadata says."""
    email: str | None
    name: str | None
    default_method_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    id: str
    kind: str
    customer_id: str | None
    brand: str | None
    """Of a card; of a debit its bank."""
    last4: str | None
    expires: str | None
    """Of a card, such as `2027-03`."""


@dataclass(frozen=True, slots=True)
class SetupIntent:
    """By which a customer gives a payment method on a page of ours."""

    id: str
    client_secret: str
    status: str


@dataclass(frozen=True, slots=True)
class NewIntent:
    attempt_id: str
    organization_id: str
    customer_id: str
    amount: Decimal
    currency: str
    kinds: Sequence[MethodKind]
    description: str


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    id: str
    attempt_id: str | None
    """As its metadata says."""
    status: IntentStatus
    customer_id: str | None
    amount: Decimal
    received: Decimal
    currency: str
    client_secret: str
    error_code: str | None
    """Of the last payment that was declined."""
    decline_code: str | None
    charge_id: str | None
    created_at: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    attempt_id: str
    organization_id: str
    customer_id: str
    amount: Decimal
    currency: str
    kinds: Sequence[MethodKind]
    title: str
    """What the customer sees that they pay."""
    success_url: str
    cancel_url: str
    expires_at: datetime
    """From 30 minutes to 24 hours ahead."""


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    id: str
    attempt_id: str | None
    status: SessionStatus
    is_paid: bool
    """False while a debit is under way, and after one failed."""
    url: str | None
    """Where the customer pays, while it is open."""
    intent_id: str | None
    """Once the customer has tried to pay."""
    customer_id: str | None
    amount: Decimal
    currency: str
    expires_at: datetime
    created_at: datetime
    livemode: bool


@dataclass(frozen=True, slots=True)
class NewRefund:
    refund_id: str
    intent_id: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class ProviderRefund:
    id: str
    refund_id: str | None
    """As its metadata says."""
    intent_id: str | None
    status: RefundStatus
    amount: Decimal
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Charge:
    """The payment of an intent, as far as money moved by it."""

    id: str
    intent_id: str | None
    amount: Decimal
    received: Decimal
    refunded: Decimal
    """Refunds that succeeded or are pending."""
    currency: str
    is_disputed: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Created:
    """From when to when something was made, both included."""

    since: datetime
    until: datetime


class Payments(Protocol):
    """The provider's account in one mode.

    Every write takes an idempotency key and raises `ValueError` without one, `OutcomeUnknownError`,
    `PaymentRefusedError` or `PaymentDeclinedError`. Every read raises `NotFoundError` or `UnavailableError`. Lists are
    current, newest first, and whole.
    """

    async def account_id(self) -> str: ...

    async def create_customer(self, customer: NewCustomer, key: str) -> ProviderCustomer: ...
    async def customer(self, customer_id: str) -> ProviderCustomer: ...
    async def customers(self, created: Created, email: str | None = None) -> list[ProviderCustomer]: ...
    async def set_default_method(self, customer_id: str, method_id: str, key: str) -> ProviderCustomer: ...

    async def payment_methods(self, customer_id: str) -> list[PaymentMethod]: ...
    async def payment_method(self, method_id: str) -> PaymentMethod: ...
    async def detach_method(self, method_id: str, key: str) -> None: ...
    async def create_setup_intent(self, customer_id: str, kinds: Sequence[MethodKind], key: str) -> SetupIntent: ...

    async def create_intent(self, intent: NewIntent, key: str) -> PaymentIntent: ...
    async def confirm_intent(self, intent_id: str, method_id: str, key: str) -> PaymentIntent:
        """Charge a stored method while the customer is away."""
        ...

    async def cancel_intent(self, intent_id: str, key: str) -> PaymentIntent: ...
    async def intent(self, intent_id: str) -> PaymentIntent: ...
    async def intents(self, customer_id: str, created: Created) -> list[PaymentIntent]: ...
    async def charge(self, charge_id: str) -> Charge: ...

    async def create_session(self, session: NewSession, key: str) -> CheckoutSession: ...
    async def expire_session(self, session_id: str, key: str) -> CheckoutSession: ...
    async def session(self, session_id: str) -> CheckoutSession: ...
    async def sessions(self, customer_id: str, created: Created) -> list[CheckoutSession]: ...

    async def create_refund(self, refund: NewRefund, key: str) -> ProviderRefund: ...
    async def refund(self, refund_id: str) -> ProviderRefund: ...
    async def refunds(self, intent_id: str) -> list[ProviderRefund]: ...


class PaymentModes(Protocol):
    """The provider's account, live and for trying."""

    async def of(self, *, livemode: bool) -> Payments:
        """Raises `PaymentsNotSetUpError` without a key of this mode, `UnavailableError` where none can be read."""
        ...
