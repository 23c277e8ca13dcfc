"""Failed requests to Cosmos DB, translated into the errors of the port."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Self

from aiohttp import ClientConnectorError
from azure.core.exceptions import AzureError
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from shared.domain.kernel.errors import UnavailableError, XyraError
from shared.ports.store import AlreadyExistsError, StaleEtagError, StoreLimitError

_RETRY_WITH = 449
"""Status of Cosmos DB for an operation that collided with another and took no effect."""
_SESSION_NOT_AVAILABLE = 1002
"""Sub-status with 404: the replica has not yet received this session's own writes."""


@dataclass(frozen=True, slots=True)
class Fault:
    status: int | None = None
    """The HTTP status, in a batch that of the operation that failed; None where no answer came."""
    sub_status: int = 0
    index: int = 0
    """The position of that operation in its batch."""
    retry_after: float | None = None
    """Seconds."""
    was_sent: bool = True

    @classmethod
    def of(cls, error: AzureError) -> Self:
        if isinstance(error, CosmosBatchOperationError):
            return cls._of_batch(error)
        if isinstance(error, CosmosHttpResponseError):
            return cls(error.status_code, error.sub_status or 0, retry_after=_retry_after(error.headers))
        return cls(was_sent=not isinstance(error.inner_exception, ClientConnectorError))

    @classmethod
    def _of_batch(cls, error: CosmosBatchOperationError) -> Self:
        """The first operation that failed by itself; all others of its batch have 424."""
        for index, answer in enumerate(error.operation_responses):
            status = int(answer["statusCode"])
            if status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.FAILED_DEPENDENCY:
                milliseconds = answer.get("retryAfterMilliseconds")
                retry_after = _retry_after(error.headers) if milliseconds is None else float(milliseconds) / 1000
                return cls(status, index=index, retry_after=retry_after)
        return cls()

    @property
    def is_throttling(self) -> bool:
        return self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def is_missing(self) -> bool:
        """The document does not exist. A missing container and a lagging replica have a sub-status."""
        return self.status == HTTPStatus.NOT_FOUND and self.sub_status == 0

    @property
    def is_lagging(self) -> bool:
        """A replica lags behind; repeating the read reaches another one, or the same one later."""
        return self.status == HTTPStatus.NOT_FOUND and self.sub_status == _SESSION_NOT_AVAILABLE

    @property
    def is_transient(self) -> bool:
        if self.status is None or self.is_lagging:
            return True
        return self.status in _TRANSIENT or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def took_no_effect(self) -> bool:
        """Certainly not executed, so that a write may be repeated."""
        return not self.was_sent or self.status in {HTTPStatus.TOO_MANY_REQUESTS, _RETRY_WITH}

    def at(self, index: int) -> Self:
        return replace(self, index=index)

    def error(self) -> XyraError:
        if self.status == HTTPStatus.CONFLICT:
            return AlreadyExistsError("The item exists already", index=self.index)
        if self.status == HTTPStatus.PRECONDITION_FAILED or self.is_missing:
            return StaleEtagError("The item has changed or is gone", index=self.index)
        if self.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
            return StoreLimitError(f"Cosmos DB refuses this with {self.status}", index=self.index)
        detail = "The store is busy" if self.is_throttling else "The store does not answer"
        return UnavailableError(detail, retry_after=self.retry_after or 1.0)

    def __str__(self) -> str:
        if self.status is None:
            return "no answer"
        return f"{self.status}/{self.sub_status}" if self.sub_status else str(self.status)


_TRANSIENT = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS, _RETRY_WITH}


def _retry_after(headers: Mapping[str, Any]) -> float | None:
    try:
        if "x-ms-retry-after-ms" in headers:
            return float(headers["x-ms-retry-after-ms"]) / 1000
        return float(headers["Retry-After"]) if "Retry-After" in headers else None
    except ValueError:  # it may be a date
        return None
