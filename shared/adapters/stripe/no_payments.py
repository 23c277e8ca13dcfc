"""No payment provider: for processes that take no payments."""

from datetime import datetime

from shared.ports.payment_events import PaymentEvent
from shared.ports.payments import Payments, PaymentsNotSetUpError


class NoPayments:
    async def of(self, *, livemode: bool) -> Payments:  # noqa: ARG002  the port's
        raise PaymentsNotSetUpError("This process takes no payments")


class NoPaymentEvents:
    async def read(self, body: bytes, signature: str, now: datetime) -> PaymentEvent:  # noqa: ARG002  the port's
        raise PaymentsNotSetUpError("This process takes no webhooks")
