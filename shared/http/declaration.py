"""The declaration of a route: the only source of its handler, its checks and its description."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from shared.domain.access.identity import Permission
from shared.http.bodies import BodyFormat, Query

PREFIX = "api/v1/"

ID_PREFIXES = {
    "agent_id": "agt",
    "department_id": "dep",
    "event_id": "evt",
    "invoice_id": "inv",
    "job_id": "job",
    "key_id": "key",
    "model_id": "bm",
    "outcome_id": "out",
    "parked_id": "park",
    "price_id": "llp",
    "project_id": "prj",
    "run_id": "run",
    "thread_id": "thr",
}
"""Path values that are ids of ours, and what such an id begins with. Other path values are free."""

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
        """The path as callers write it, from the root and without a leading slash."""
        return self.path.lstrip("/") if self.path.startswith("/") else PREFIX + self.path

    @property
    def template(self) -> str:
        """The route template for the platform, with ids constrained by their prefix.

        The platform tries routes in the order of function names: unconstrained, `events/{event_id}` would take
        `events/parked`.
        """
        return re.sub(
            r"\{(\w+)\}",
            lambda value: f"{{{value[1]}:regex(^{ID_PREFIXES[value[1]]}_)}}" if value[1] in ID_PREFIXES else value[0],
            self.route,
        )

    @property
    def public(self) -> bool:
        return self.access is Access.PUBLIC


ENDPOINTS: list[Endpoint] = []
"""All declared endpoints, in the order of their declaration."""
