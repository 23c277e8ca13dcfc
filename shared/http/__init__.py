"""Endpoints by declaration: validation, errors, answers and the OpenAPI document all follow from it."""

from shared.domain.kernel.times import CalendarDate, ZonedTime
from shared.http.bodies import LARGE_BODY, BodyLimit, FormBody, JsonBody, validated
from shared.http.declaration import ENDPOINTS, Access, Endpoint, IfMatch, Projects
from shared.http.platform import catch_all, endpoint
from shared.http.problems import Problem
from shared.http.replies import Reply
from shared.http.schemas import (
    Document,
    ListQuery,
    MergePatch,
    NoBody,
    PathText,
    PathValues,
    Query,
    Schema,
    TextFile,
    ThingId,
    VerbatimJson,
    VerbatimObject,
    window,
)
from shared.http.tenancy import Call

__all__ = [
    "ENDPOINTS",
    "LARGE_BODY",
    "Access",
    "BodyLimit",
    "CalendarDate",
    "Call",
    "Document",
    "Endpoint",
    "FormBody",
    "IfMatch",
    "JsonBody",
    "ListQuery",
    "MergePatch",
    "NoBody",
    "PathText",
    "PathValues",
    "Problem",
    "Projects",
    "Query",
    "Reply",
    "Schema",
    "TextFile",
    "ThingId",
    "VerbatimJson",
    "VerbatimObject",
    "ZonedTime",
    "catch_all",
    "endpoint",
    "validated",
    "window",
]
