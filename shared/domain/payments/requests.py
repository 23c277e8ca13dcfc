"""Writes at the payment provider under idempotency keys, and when each may be sent, repeated or given up.

Stripe keeps a key for 24 hours, and a request of ours may reach it up to 90 minutes after it was sent. The rule's
source: docs/stripe.md, "Unknown outcomes".
"""

from datetime import datetime, timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.times import Instant

SENT_FOR = timedelta(hours=22)
"""From when a key was committed. What is sent by then has landed before the provider forgets the key."""
LANDED_AFTER = timedelta(minutes=95)
"""What was sent has an effect by then, or never."""

Doubt = Literal["repeatable", "halted", "burnt"]
"""Why the outcome is not known.

`repeatable`: no answer, 5xx, 429; the same key is sent again. `halted`: 409, 401, 403, a key used for something else,
an answer that cannot be read; nothing more is sent, and what has landed decides. `burnt`: an error that was saved under
the key comes back; whatever happened has happened.
"""


class KeyedRequest(BaseModel):
    """One write, committed before it is sent: whoever finds it has to take it for sent."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int
    """From 1. The key ends with it."""
    committed_at: Instant
    doubt: Doubt = "repeatable"
    doubted_at: Instant | None = None
    refusal: str | None = None
    """Why the provider refused it. It has not been executed under this key; what has been, a read shows."""

    @classmethod
    def first(cls, now: datetime) -> Self:
        return cls(number=1, committed_at=now)

    def next(self, now: datetime) -> Self:
        """Another try, under another key."""
        return type(self)(number=self.number + 1, committed_at=now)

    def doubted(self, doubt: Doubt, now: datetime) -> Self:
        """What is worse than `repeatable` stays."""
        if self.doubt != "repeatable":
            return self
        return type(self)(number=self.number, committed_at=self.committed_at, doubt=doubt, doubted_at=now)

    def refused(self, code: str, now: datetime) -> Self:
        return type(self)(
            number=self.number, committed_at=self.committed_at, doubt="burnt", doubted_at=now, refusal=code
        )

    def may_be_sent(self, now: datetime) -> bool:
        """To be asked immediately before sending, by whoever sends, however long ago it was decided."""
        return self.doubt == "repeatable" and self.committed_at <= now < self.committed_at + SENT_FOR

    @property
    def decided_at(self) -> datetime:
        """From then on what the provider shows is the outcome."""
        if self.doubt == "burnt":
            return self.doubted_at or self.committed_at
        if self.doubt == "halted":
            return (self.doubted_at or self.committed_at) + LANDED_AFTER
        return self.committed_at + SENT_FOR + LANDED_AFTER
