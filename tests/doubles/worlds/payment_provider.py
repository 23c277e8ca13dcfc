"""A small model of a payment provider, for laws of attempts: intents, keys that are kept for a day, late requests."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from shared.domain.payments.attempts import Cancel, Confirm, Create, SeenIntent

KEPT = timedelta(hours=24)
LATEST = timedelta(minutes=90)

Fault = Literal["", "before", "after", "late", "429", "409", "unreadable", "500", "500 after"]
Charging = Literal["succeeds", "declines", "authenticates", "processes"]
Write = Create | Confirm | Cancel


@dataclass(frozen=True)
class Outcome:
    """What a sender learns."""

    kind: Literal["answer", "declined", "refused", "repeatable", "halted", "burnt"]
    intent: SeenIntent | None = None


@dataclass
class Provider:
    now: datetime
    charging: Charging = "succeeds"
    intents: dict[str, SeenIntent] = field(default_factory=dict)
    charges: list[str] = field(default_factory=list)
    """The intent of each charge that succeeded."""
    late: list[tuple[datetime, Write]] = field(default_factory=list)
    """What was sent, with when it lands at the latest."""
    _saved: dict[str, tuple[datetime, Outcome]] = field(default_factory=dict)

    def send(self, write: Write, fault: Fault) -> Outcome:
        match fault:
            case "before" | "429":
                return Outcome("repeatable")
            case "409":
                return Outcome("halted")
            case "late":
                self.late.append((self.now + LATEST, write))
                return Outcome("repeatable")
            case "500" | "500 after":
                return self._fail(write, has_effect=fault == "500 after")
        outcome = self._execute(write)
        return {"after": Outcome("repeatable"), "unreadable": Outcome("halted")}.get(fault, outcome)

    def land(self, count: int) -> None:
        """Some of the late requests are executed, in whatever order."""
        landing, self.late = self.late[:count], self.late[count:]
        for _, write in landing:
            self._execute(write)

    def pass_time(self, time: timedelta) -> None:
        """What is late lands before its time is over."""
        until = self.now + time
        for due, write in sorted(self.late, key=lambda each: each[0]):
            if due <= until:
                self.now = max(self.now, due)
                self.late.remove((due, write))
                self._execute(write)
        self.now = until

    def list(self) -> list[SeenIntent]:
        """Newest first."""
        return list(reversed(self.intents.values()))

    def act_of_customer(self, *, succeeds: bool) -> None:
        """The customer authenticates or pays by the link, or a debit ends: for every intent where that is possible."""
        for intent in self.intents.values():
            if intent.status in {"requires_action", "processing"} or (intent.error_code and _is_payable(intent)):
                self._succeed(intent) if succeeds else self._decline(intent, "card_declined")

    def _fail(self, write: Write, *, has_effect: bool) -> Outcome:
        saved = self._saved.get(write.key)
        if saved is not None and self.now - saved[0] < KEPT:
            return saved[1]
        if has_effect:
            self._execute(write)
        self._saved[write.key] = (self.now, Outcome("burnt"))
        return Outcome("repeatable")

    def _execute(self, write: Write) -> Outcome:
        saved = self._saved.get(write.key)
        if saved is not None and self.now - saved[0] < KEPT:
            return saved[1]
        outcome = self._outcome(write)
        self._saved[write.key] = (self.now, outcome)
        return outcome

    def _outcome(self, write: Write) -> Outcome:
        if isinstance(write, Create):
            intent = SeenIntent(f"pi_{len(self.intents)}", "requires_payment_method")
            self.intents[intent.id] = intent
            return Outcome("answer", intent)
        intent = self.intents[write.intent_id]
        if isinstance(write, Confirm):
            return self._confirm(intent)
        if intent.status in {"succeeded", "canceled", "processing"}:
            return Outcome("refused")
        return Outcome("answer", self._put(replace(intent, status="canceled")))

    def _confirm(self, intent: SeenIntent) -> Outcome:
        if not _is_payable(intent):
            return Outcome("refused")
        match self.charging:
            case "succeeds":
                return Outcome("answer", self._succeed(intent))
            case "declines":
                return Outcome("declined", self._decline(intent, "card_declined"))
            case "authenticates":
                return Outcome("declined", self._decline(intent, "authentication_required"))
            case "processes":
                return Outcome("answer", self._put(replace(intent, status="processing", error_code=None)))

    def _succeed(self, intent: SeenIntent) -> SeenIntent:
        self.charges.append(intent.id)
        return self._put(replace(intent, status="succeeded", error_code=None))

    def _decline(self, intent: SeenIntent, code: str) -> SeenIntent:
        return self._put(replace(intent, status="requires_payment_method", error_code=code))

    def _put(self, intent: SeenIntent) -> SeenIntent:
        self.intents[intent.id] = intent
        return intent


def _is_payable(intent: SeenIntent) -> bool:
    return intent.status in {"requires_payment_method", "requires_confirmation", "requires_action"}
