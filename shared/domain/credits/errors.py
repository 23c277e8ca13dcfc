"""Refusals of the ledger as errors for callers. They are final for their key."""

from collections.abc import Mapping
from http import HTTPStatus

from shared.domain.credits.transfers import Refusal
from shared.domain.kernel.errors import ConflictError, ValidationError, XyraError


class InsufficientCreditsError(XyraError):
    status = HTTPStatus.PAYMENT_REQUIRED
    code = "insufficient_credits"
    title = "There are not enough credits"

    def __init__(self, detail: str, *, available: str | None = None) -> None:
        super().__init__(detail)
        self.available = available


class BudgetExceededError(XyraError):
    status = HTTPStatus.FORBIDDEN
    code = "limit_exceeded"
    title = "A budget would be passed"

    def __init__(
        self,
        detail: str,
        *,
        budget_id: str | None = None,
        left: str | None = None,
        window: Mapping[str, str | None] | None = None,
    ) -> None:
        """`window` has its name and its end."""
        super().__init__(detail)
        self.budget_id = budget_id
        self.left = left
        self.window = window


class HoldResolvedError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "hold_resolved"
    title = "The hold is captured or released already"


class HoldExpiredError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "hold_expired"
    title = "The hold has expired"


class WindowEndedError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "window_ended"
    title = "The window of a budget has ended"


class LeasePayerChangedError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "payer_changed"
    title = "Another organization pays from now on"


def refusal_error(refusal: Refusal) -> XyraError:  # noqa: PLR0911  one for each code
    """The error that answers a refused command."""
    match refusal.code:
        case "insufficient_credits":
            return InsufficientCreditsError(refusal.detail, **refusal.members)
        case "limit_exceeded":
            return BudgetExceededError(refusal.detail, **refusal.members)
        case "hold_resolved":
            return HoldResolvedError(refusal.detail)
        case "hold_expired":
            return HoldExpiredError(refusal.detail)
        case "window_ended":
            return WindowEndedError(refusal.detail)
        case "payer_changed":
            return LeasePayerChangedError(refusal.detail)
        case "conflict":
            return ConflictError(refusal.detail)
        case "validation":
            return ValidationError(refusal.detail)
