"""Idempotency keys: for 24 hours the same key gives the same answer, also where that was an error."""

from dataclasses import dataclass, field
from datetime import timedelta

from tests.doubles.servers.stripe.refusals import StripeFault

KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class Saved:
    request: str
    """Method, path and form."""
    at: float
    status: int
    body: bytes


@dataclass
class Keys:
    """Of one mode. A request that is being executed holds its key."""

    saved: dict[str, Saved] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def answer(self, key: str, request: str, now: float) -> Saved | None:
        """The saved answer. Raises `StripeFault` for another request, or one that is being executed."""
        if key in self.held:
            message = "There is currently another in-progress request using this Idempotent Key"
            raise StripeFault(409, "idempotency_error", message, "idempotency_key_in_use", is_saved=False)
        saved = self.saved.get(key)
        if saved is None or now - saved.at >= KEPT.total_seconds():
            return None
        if saved.request != request:
            message = "Keys for idempotent requests can only be used with the same parameters they were first used with"
            raise StripeFault(400, "idempotency_error", message, is_saved=False)
        return saved

    def save(self, key: str, request: str, now: float, status: int, body: bytes) -> None:
        self.saved[key] = Saved(request, now, status, body)
