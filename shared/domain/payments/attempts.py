"""Attempts to be paid by a stored payment method: one payment intent each, which can succeed once.

Pure: `next_step` says what to do now, and each method what the attempt is after it. A request is committed (the attempt
stored with it) before it is sent. Only the provider's word closes an attempt; neither time nor a decline does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Self

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.money import RoundedAmount
from shared.domain.kernel.times import Instant
from shared.domain.payments.requests import LANDED_AFTER, Doubt, KeyedRequest

AUTHENTICATED_WITHIN = timedelta(hours=24)
"""So long the customer has to authenticate; then the attempt is aborted."""

AttemptStatus = Literal["created", "confirming", "action_required", "processing", "declined", "succeeded", "closed"]
SeenStatus = Literal[
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "succeeded",
    "canceled",
]
_ENDED = ("succeeded", "closed")
_AT_REST = ("processing", "declined", "action_required")
"""The provider, the customer or a schedule acts next."""
_AUTHENTICATION = "authentication_required"


@dataclass(frozen=True, slots=True)
class SeenIntent:
    """What the provider shows of an intent."""

    id: str
    status: SeenStatus
    error_code: str | None = None
    """Of the last decline; None where nothing was tried, or what was tried is under way."""
    decline_code: str | None = None
    charge_id: str | None = None
    """Of the last charge, declined ones too."""


@dataclass(frozen=True, slots=True)
class Create:
    """Send the creation of the intent, unconfirmed."""

    key: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Send the charge of the stored method."""

    intent_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Cancel:
    intent_id: str
    key: str


@dataclass(frozen=True, slots=True)
class Find:
    """List the intents that were created since then, and look for ours by its metadata."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """Read the intent: what it shows is the outcome."""

    intent_id: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Store the attempt as it is here before anything is sent."""

    attempt: "PaymentAttempt"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done until then; None where somebody else has to act."""

    until: datetime | None


Step = Create | Confirm | Cancel | Find | Read | Commit | Wait


class PaymentAttempt(Entity):
    kind: ClassVar[str] = "payment_attempt"
    audit: ClassVar[Audit] = Audited(area="payments")
    organization_id: str
    livemode: bool
    target: str
    """The invoice or the purchase that it pays."""
    amount: RoundedAmount
    currency: str
    customer_id: str
    method_id: str
    created_at: Instant
    status: AttemptStatus = "created"
    intent_id: str | None = None
    """Set once. No other intent is ever confirmed for this attempt."""
    creation: KeyedRequest
    confirmation: KeyedRequest | None = None
    cancellation: KeyedRequest | None = None
    is_cancelled: bool = False
    """Whether somebody wants it to end unpaid. The provider's word may still be that it is paid."""
    action_since: Instant | None = None
    error_code: str | None = None
    decline_code: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in _ENDED

    # What is to be done

    def next_step(self, now: datetime) -> Step:
        if not self.is_open:
            return Wait(None)
        if self.intent_id is None:
            return self._step_without_intent(now)
        if self.is_cancelled and self.status != "processing":  # nobody can cancel that; its end decides
            return self._step_of_cancelling(self.intent_id, now)
        if self.action_since is not None:
            until = self.action_since + AUTHENTICATED_WITHIN
            return Wait(until) if now < until else Commit(self.cancelled())
        if self.status in _AT_REST:
            return Wait(None)
        return self._step_of_confirming(self.intent_id, now)

    def _step_without_intent(self, now: datetime) -> Step:
        if self.creation.may_be_sent(now):
            return Create(self.key("create", self.creation))
        if now < self.creation.decided_at:
            return Wait(self.creation.decided_at)
        return Find(self.created_at - LANDED_AFTER)

    def _step_of_confirming(self, intent_id: str, now: datetime) -> Step:
        if self.confirmation is None:
            return Commit(self.changed(confirmation=KeyedRequest.first(now), status="confirming"))
        if self.confirmation.may_be_sent(now):
            return Confirm(intent_id, self.key("confirm", self.confirmation))
        if now < self.confirmation.decided_at:
            return Wait(self.confirmation.decided_at)
        return Read(intent_id)

    def _step_of_cancelling(self, intent_id: str, now: datetime) -> Step:
        if self.cancellation is None:
            return Commit(self.changed(cancellation=KeyedRequest.first(now)))
        if self.cancellation.may_be_sent(now):
            return Cancel(intent_id, self.key("abort", self.cancellation))
        return Read(intent_id)

    def key(self, verb: str, request: KeyedRequest) -> str:
        return f"{self.id}:{verb}:{request.number}"

    # What people and schedules want

    def cancelled(self) -> Self:
        """Let it end unpaid, if the provider agrees."""
        return self if not self.is_open else self.changed(is_cancelled=True)

    def retried(self, now: datetime) -> Self:
        """Charge the method again after a decline. The intent stays the same one."""
        is_declined = self.status in {"declined", "action_required"} and self.action_since is None
        if not is_declined or self.is_cancelled or self.confirmation is None:
            return self
        return self.changed(status="confirming", confirmation=self.confirmation.next(now))

    # What came of it

    def created(self, intent: SeenIntent, now: datetime) -> Self:
        """The intent is there. A second one, however it came to be, is left alone: nobody will confirm it."""
        if self.intent_id is not None or not self.is_open:
            return self
        return self.changed(intent_id=intent.id).seen(intent, now)

    def found(self, intents: Sequence[SeenIntent], now: datetime) -> Self:
        """What the list shows of ours: the oldest of them, or none, which means that no creation has landed."""
        if self.intent_id is not None or not self.is_open or now < self.creation.decided_at:
            return self
        if intents:
            return self.created(intents[-1], now)
        if self.is_cancelled:
            return self.changed(status="closed")
        return self.changed(creation=self.creation.next(now))

    def refused(self, code: str | None) -> Self:
        """The creation was refused: nothing is there, and nothing will be."""
        return self if self.intent_id is not None else self.changed(status="closed", error_code=code)

    def doubted(self, key: str, doubt: Doubt, now: datetime) -> Self:
        """The outcome of the request with this key is not known. Of an earlier request, it does not matter."""
        for verb, name in (("create", "creation"), ("confirm", "confirmation"), ("abort", "cancellation")):
            request: KeyedRequest | None = getattr(self, name)
            if request is not None and key == self.key(verb, request):
                return self.changed(**{name: request.doubted(doubt, now)})
        return self

    def charge_refused(self, key: str, code: str, now: datetime) -> Self:
        """The provider would not try to charge. A read shows whether the intent is paid or cancelled already."""
        charge = self.confirmation
        if charge is None or key != self.key("confirm", charge):
            return self
        return self.changed(confirmation=charge.refused(code, now))

    def seen(self, intent: SeenIntent, now: datetime) -> Self:
        """The provider's word on our intent. Others are not ours to look at, whatever their metadata says."""
        if intent.id != self.intent_id or not self.is_open:
            return self
        if intent.status == "succeeded":
            return self.changed(status="succeeded", error_code=None, decline_code=None, action_since=None)
        if intent.status == "canceled":
            return self.changed(status="closed", action_since=None)
        if intent.status in {"processing", "requires_capture"}:
            return self.changed(status="processing", action_since=None)
        if intent.status == "requires_action":
            return self.changed(status="action_required", action_since=self.action_since or now)
        return self._unpaid(intent)

    def _unpaid(self, intent: SeenIntent) -> Self:
        """Nothing is under way there: it was declined, or not tried yet."""
        if intent.error_code is None or self.confirmation is None:
            return self
        codes = {"error_code": intent.error_code, "decline_code": intent.decline_code}
        status: AttemptStatus = "action_required" if intent.error_code == _AUTHENTICATION else "declined"
        return self.changed(status=status, action_since=None, **codes)

    def checked(self, intent: SeenIntent, now: datetime) -> Self:
        """As `seen`, by a read: what has not happened, as far as that is decided, goes on under the next key."""
        seen = self.seen(intent, now)
        if not seen.is_open:
            return seen
        if seen.is_cancelled:
            abort = seen.cancellation
            return seen if abort is None or abort.may_be_sent(now) else seen.changed(cancellation=abort.next(now))
        charge = seen.confirmation
        if seen.status != "confirming" or charge is None or now < charge.decided_at:
            return seen
        if charge.refusal is not None:
            return seen.changed(status="declined", error_code=charge.refusal, decline_code=None)
        return seen.changed(confirmation=charge.next(now))
