"""Events that the payment provider sends: what they say is verified, and used only to know which object to look at."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

LONGEST_ID = 255


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    id: str
    type: str
    """Such as `payment_intent.succeeded`."""
    livemode: bool
    object_kind: str
    """Of what it is about, such as `payment_intent`."""
    object_id: str | None
    """None for an object without an id, such as the account's balance."""
    created_at: datetime


class PaymentEvents(Protocol):
    async def read(self, body: bytes, signature: str, now: datetime) -> PaymentEvent:
        """The event in the body as it came, once its signature, age, mode and account are verified.

        Raises `MalformedError` for what is not verified or is no event, `PaymentsNotSetUpError` where there is no
        secret of either mode, `UnavailableError` where the secrets cannot be read.
        """
        ...
