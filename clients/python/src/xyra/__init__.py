"""Reports what AI agents do to Xyra, and spends credits."""

from xyra.client import AsyncClient, Client
from xyra.connection import etag_of
from xyra.errors import (
    ApiError,
    Conflict,
    Forbidden,
    InsufficientCredits,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unreachable,
    XyraError,
)
from xyra.version import __version__

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Conflict",
    "Forbidden",
    "InsufficientCredits",
    "InvalidRequest",
    "LimitExceeded",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "XyraError",
    "__version__",
    "etag_of",
]
