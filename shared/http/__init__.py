"""One way to declare an endpoint. From the declaration come the handler, the errors and the OpenAPI document."""

from shared.http.bodies import (
    FormBody,
    JsonBody,
    ListQuery,
    MergePatch,
    NoBody,
    Query,
    Schema,
    ZonedTime,
    validated,
    window,
)
from shared.http.declaration import ENDPOINTS, Access, Endpoint, IfMatch
from shared.http.platform import endpoint
from shared.http.problems import Problem
from shared.http.replies import Reply
from shared.http.tenancy import Call

__all__ = [
    "ENDPOINTS",
    "Access",
    "Call",
    "Endpoint",
    "FormBody",
    "IfMatch",
    "JsonBody",
    "ListQuery",
    "MergePatch",
    "NoBody",
    "Problem",
    "Query",
    "Reply",
    "Schema",
    "ZonedTime",
    "endpoint",
    "validated",
    "window",
]
