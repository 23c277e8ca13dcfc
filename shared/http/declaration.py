"""The declaration of a route: the only source of its handler, its checks and its description."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from shared.domain.access.identity import Permission
from shared.http.bodies import BodyFormat, Query

PREFIX = "api/v1/"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Access(Enum):
    """What a call needs instead of a permission."""

    PUBLIC = "public"


class IfMatch(Enum):
    NONE = "none"
    HONOURED = "honoured"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The declaration of a route: the only source of its handler and of its description."""

    name: str
    method: Method
    path: str
    summary: str
    access: Permission | Access
    body: BodyFormat[Any] | None
    query: type[Query]
    answers: Mapping[int, Any]
    if_match: IfMatch
    idempotent: bool
    secret_answer: bool
    example: Any
    media_type: str
    tag: str

    @property
    def route(self) -> str:
        """As the platform's route template, below the (empty) route prefix."""
        return self.path.lstrip("/") if self.path.startswith("/") else PREFIX + self.path

    @property
    def public(self) -> bool:
        return self.access is Access.PUBLIC


ENDPOINTS: list[Endpoint] = []
"""All declared endpoints, in the order of their declaration."""
