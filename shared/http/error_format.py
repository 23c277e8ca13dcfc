"""Errors in the form of another protocol, where a route speaks one."""

from collections.abc import Mapping
from typing import Any, Protocol

from shared.domain.kernel.errors import XyraError


class ErrorFormat(Protocol):
    """How the errors of a route are written."""

    @property
    def content(self) -> Mapping[str, Any]:
        """Content type -> the type that describes an error in the OpenAPI document."""
        ...

    def written(self, error: XyraError, headers: Mapping[str, str]) -> tuple[str, bytes]:
        """The content type and the body for an error, by the headers of the request."""
        ...
