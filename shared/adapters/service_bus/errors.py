"""Faults of Service Bus, translated into `UnavailableError`."""

import asyncio
import logging
from contextlib import suppress
from typing import Protocol

from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from shared.domain.kernel.errors import UnavailableError

_log = logging.getLogger("xyra.service_bus")

_SOON_SECONDS = 2.0
_BUSY_SECONDS = 10.0
"""The pause that Service Bus asks of a throttled client."""
_OPERATOR_SECONDS = 30.0
_CLOSE_SECONDS = 2.0

_NEEDS_AN_OPERATOR = (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
)


class Closable(Protocol):
    async def close(self) -> None: ...


def is_worth_repeating(error: Exception) -> bool:
    """Whether to retry at once over a new link: not where Service Bus refused on purpose."""
    return not isinstance(error, (ServiceBusServerBusyError, *_NEEDS_AN_OPERATOR))


def unavailable(queue: str, error: Exception) -> UnavailableError:
    """Log a fault, in the call that suffers from it, and translate it."""
    log_fault(queue, error)
    return translated(queue, error)


def log_fault(queue: str, error: BaseException | None) -> None:
    """To be called where somebody waits: the platform drops what a background task logs after its invocation."""
    if isinstance(error, _NEEDS_AN_OPERATOR):
        _log.error("queue %s cannot be used: %s", queue, error)
    else:
        _log.warning("queue %s does not answer as it should: %s: %s", queue, type(error).__name__, error)


def translated(queue: str, error: Exception) -> UnavailableError:
    if isinstance(error, _NEEDS_AN_OPERATOR):
        return UnavailableError(f"The queue {queue} cannot be used now", retry_after=_OPERATOR_SECONDS)
    if isinstance(error, ServiceBusServerBusyError):
        return UnavailableError(f"The queue {queue} is busy", retry_after=_BUSY_SECONDS)
    return UnavailableError(f"The queue {queue} does not answer", retry_after=_SOON_SECONDS)


async def discard(link: Closable) -> None:
    """Close a link that may be broken, with a short timeout and without errors."""
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await link.close()
