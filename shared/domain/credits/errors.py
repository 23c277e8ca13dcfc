"""Refusals of the ledger as errors for callers. They are final for their key."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from shared.domain.credits.transfers import Refusal
from shared.domain.kernel.errors import ConflictError, ValidationError, XyraError


class CreditRefusalError(XyraError):
    """The problem document has further `members`."""

    def __init__(self, detail: str, members: Mapping[str, Any]) -> None:
        super().__init__(detail)
        self.members = members


class InsufficientCreditsError(CreditRefusalError):
    status = HTTPStatus.PAYMENT_REQUIRED
    code = "insufficient_credits"
    title = "There are not enough credits"


class BudgetExceededError(CreditRefusalError):
    status = HTTPStatus.FORBIDDEN
    code = "limit_exceeded"
    title = "A budget would be passed"


class HoldResolvedError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "hold_resolved"
    title = "The hold is captured or released already"


class HoldExpiredError(XyraError):
    status = HTTPStatus.CONFLICT
    code = "hold_expired"
    title = "The hold has expired"


def refusal_error(refusal: Refusal) -> XyraError:
    """The error that answers a refused command."""
    match refusal.code:
        case "insufficient_credits":
            return InsufficientCreditsError(refusal.detail, refusal.members)
        case "limit_exceeded":
            return BudgetExceededError(refusal.detail, refusal.members)
        case "hold_resolved":
            return HoldResolvedError(refusal.detail)
        case "hold_expired":
            return HoldExpiredError(refusal.detail)
        case "conflict":
            return ConflictError(refusal.detail)
        case "validation":
            return ValidationError(refusal.detail)
