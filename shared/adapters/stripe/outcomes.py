"""What an error of Stripe's means: refused, declined, or unknown.

Only what Stripe certainly did not do is refused. The rule's source: docs/stripe.md, "Unknown outcomes".
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import stripe

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.payments.requests import Doubt
from shared.ports.payments import (
    LONGEST_KEY,
    OutcomeUnknownError,
    PaymentDeclinedError,
    PaymentRefusedError,
)

Answer = TypeVar("Answer")

_NOT_FOUND = 404
_REFUSED = (400, 404)
_DECLINED = 402
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_REPLAYED = "Idempotent-Replayed"
_UNANSWERED = "Stripe has not answered as it should; what came of the request is looked up later"


def options(key: str) -> dict[str, str]:
    """The SDK's options of a write. Raises `ValueError` without a usable key: the SDK would make up one."""
    if not key or len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise ValueError("a write needs an idempotency key of 1 to 255 printable ASCII characters")
    return {"idempotency_key": key}


async def written(call: Awaitable[Any], read: Callable[[dict[str, Any]], Answer]) -> Answer:
    """The outcome of a write. Raises as the port says."""
    try:
        answer = await call
    except stripe.StripeError as error:
        raise _outcome(error) from error
    return _readable(answer, read, OutcomeUnknownError)


async def found(call: Awaitable[Any], read: Callable[[dict[str, Any]], Answer]) -> Answer:
    """The answer to a read. Raises `NotFoundError`, `UnavailableError`."""
    try:
        answer = await call
    except stripe.StripeError as error:
        if error.http_status == _NOT_FOUND and _type_of(error) == "invalid_request_error":
            raise NotFoundError("Stripe has no such object") from error
        raise UnavailableError("Stripe cannot be asked now") from error
    return _readable(answer, read, UnavailableError)


def _readable(
    answer: Any,  # noqa: ANN401  an object of the SDK
    read: Callable[[dict[str, Any]], Answer],
    unreadable: type[UnavailableError],
) -> Answer:
    try:
        return read(answer.to_dict())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unreadable(_UNANSWERED) from error


def _outcome(error: stripe.StripeError) -> Exception:
    kind, said = _type_of(error), _said(error)
    code = said.get("code")
    if error.http_status == _DECLINED and kind == "card_error":
        text = str(said.get("message") or "The payment was declined")
        return PaymentDeclinedError(text, code=str(code), decline_code=said.get("decline_code"))
    if error.http_status in _REFUSED and kind == "invalid_request_error" and code != "rate_limit":
        return PaymentRefusedError(str(said.get("message")), code=code, parameter=said.get("param"))
    return OutcomeUnknownError(_UNANSWERED, doubt=_doubt_of(error), provider_code=code)


def _doubt_of(error: stripe.StripeError) -> Doubt:
    status = error.http_status
    if status is None or status == _TOO_MANY_REQUESTS:
        return "repeatable"
    if status < _SERVER_ERROR:
        return "halted"
    return "burnt" if (error.headers or {}).get(_REPLAYED) == "true" else "repeatable"


def _said(error: stripe.StripeError) -> dict[str, Any]:
    body = error.json_body
    said = body.get("error") if isinstance(body, dict) else None
    return said if isinstance(said, dict) else {}


def _type_of(error: stripe.StripeError) -> str | None:
    kind = _said(error).get("type")
    return kind if isinstance(kind, str) else None
