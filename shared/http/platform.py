"""Registers endpoints with Azure Functions. Only this module knows its requests and responses."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import azure.functions as func
from pydantic import BaseModel, ValidationError

from shared.bootstrap import application
from shared.domain.access.identity import Permission
from shared.domain.access.project_access import PROJECT_PERMISSIONS
from shared.domain.access.rate_limits import RateLimit
from shared.domain.kernel.errors import XyraError
from shared.http.bodies import SMALL_BODY, BodyFormat, BodyLimit, JsonBody
from shared.http.cors import with_cors
from shared.http.declaration import ENDPOINTS, Access, Endpoint, IfMatch, Method, Projects
from shared.http.error_format import ErrorFormat
from shared.http.replies import Handler
from shared.http.routes import UNKNOWN_ROUTE, answer_unknown
from shared.http.schemas import PathValues, Query
from shared.http.serving import Request, serve
from shared.services.storage.idempotency import Answer
from shared.settings import settings

HANDLERS: dict[str, Handler] = {}
"""By the name of its endpoint, what answers it."""


class UndecidedError(Exception):
    """A bug: an endpoint does not declare what it has to."""


def endpoint(  # noqa: PLR0913  a declaration names everything there is to say of a route
    blueprint: func.Blueprint,
    method: Method,
    path: str,
    *,
    summary: str,
    access: Permission | Access,
    projects: Projects | None = None,
    answers: Mapping[int, Any],
    path_values: type[PathValues] = PathValues,
    query: type[Query] = Query,
    body: BodyFormat[Any] | type[BaseModel] | None = None,
    body_limit: BodyLimit = SMALL_BODY,
    if_match: IfMatch | None = None,
    idempotent: bool | None = None,
    requires_key: bool = False,
    keeps_own_keys: bool = False,
    find: Callable[[Any], Awaitable[None]] | None = None,
    secret_answer: bool = False,
    authorize: Callable[[Any], Awaitable[None]] | None = None,
    calculates: bool = False,
    rate_limits: tuple[RateLimit, ...] = (),
    errors: tuple[type[XyraError], ...] = (),
    example: Any = None,  # noqa: ANN401  JSON is any of its types
    media_type: str = "application/json",
    other_forms: Mapping[str, Any] | None = None,
    error_format: ErrorFormat | None = None,
    headers: Mapping[str, str] | None = None,
    adds_costs: bool = False,
    takes_basic: bool = False,
    for_enrolment: bool = False,
    after_step_up: bool = False,
    for_provider: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare an endpoint and register it on the blueprint. The parts are described at `Endpoint`.

    Unless declared otherwise, every PUT, PATCH and DELETE looks at `If-Match`, and every POST that needs a permission
    at `Idempotency-Key`. Raises `UndecidedError` where the permission is one of projects and `projects` is left out.
    """

    def declare(handler: Handler) -> Handler:
        if projects is None and access in PROJECT_PERMISSIONS:
            raise UndecidedError(f"{method} {path} does not say what callers limited to projects get")
        declared = Endpoint(
            name=getattr(handler, "__name__", ""),
            area=handler.__module__.rpartition(".")[0],
            method=method,
            path=path,
            summary=summary,
            access=access,
            answers=answers,
            path_values=path_values,
            query=query,
            body=JsonBody(body) if isinstance(body, type) else body,
            body_limit=body_limit,
            if_match=if_match or (IfMatch.HONOURED if method in ("PUT", "PATCH", "DELETE") else IfMatch.NONE),
            idempotent=(method == "POST" and isinstance(access, Permission) and not keeps_own_keys)
            if idempotent is None
            else idempotent,
            requires_key=requires_key,
            keeps_own_keys=keeps_own_keys,
            find=find,
            secret_answer=secret_answer,
            authorize=authorize,
            calculates=calculates,
            rate_limits=rate_limits,
            further_errors=errors,
            example=example,
            media_type=media_type,
            other_forms=other_forms or {},
            error_format=error_format,
            headers=headers or {},
            adds_costs=adds_costs,
            takes_basic=takes_basic,
            for_enrolment=for_enrolment,
            after_step_up=after_step_up,
            for_provider=for_provider,
            projects=projects or Projects.REFUSED,
        )
        ENDPOINTS.append(declared)
        HANDLERS[declared.name] = handler

        async def invoke(req: func.HttpRequest) -> func.HttpResponse:
            request = _request(req)
            return _response(request, await serve(declared, handler, request, application))

        invoke.__name__ = declared.name
        blueprint.function_name(declared.name)(
            blueprint.route(route=declared.template, methods=declared.methods, auth_level=func.AuthLevel.ANONYMOUS)(
                invoke
            )
        )
        return handler

    return declare


def catch_all(blueprint: func.Blueprint) -> None:
    """Register the function that answers all requests for which there is no endpoint."""

    async def invoke(req: func.HttpRequest) -> func.HttpResponse:
        request = _request(req)
        return _response(request, await answer_unknown(request, req.route_params.get("path", "")))

    invoke.__name__ = UNKNOWN_ROUTE
    blueprint.function_name(UNKNOWN_ROUTE)(
        blueprint.route(route="{*path}", auth_level=func.AuthLevel.ANONYMOUS)(invoke)
    )


def _request(request: func.HttpRequest) -> Request:
    return Request(
        method=request.method,
        headers=dict(request.headers),  # the platform has them in lower case
        params=request.params,
        route_params=request.route_params,
        body=request.get_body(),
    )


def _response(request: Request, answer: Answer) -> func.HttpResponse:
    answer = with_cors(request.method, request.headers, answer, _origins())
    return func.HttpResponse(answer.body, status_code=answer.status, headers=answer.headers, mimetype=answer.media_type)


def _origins() -> Collection[str]:
    try:
        return settings().cors_origins
    except ValidationError:  # settings that cannot be used are the answer already
        return ()
