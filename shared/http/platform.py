"""Routes on the platform's blueprints: the only place that knows its requests and responses."""

from collections.abc import Callable, Mapping
from typing import Any

import azure.functions as func
from pydantic import BaseModel

from shared.domain.access.identity import Permission
from shared.http.bodies import BodyFormat, JsonBody, Query
from shared.http.declaration import ENDPOINTS, Access, Endpoint, IfMatch, Method
from shared.http.replies import Handler
from shared.http.serving import Request, serve
from shared.services.storage.idempotency import Answer


def endpoint(  # noqa: PLR0913  a declaration names everything there is to say of a route
    blueprint: func.Blueprint,
    method: Method,
    path: str,
    *,
    summary: str,
    access: Permission | Access,
    answers: Mapping[int, Any],
    body: BodyFormat[Any] | type[BaseModel] | None = None,
    query: type[Query] = Query,
    if_match: IfMatch | None = None,
    idempotent: bool | None = None,
    secret_answer: bool = False,
    example: Any = None,  # noqa: ANN401  JSON is any of its types
    media_type: str = "application/json",
) -> Callable[[Handler], Handler]:
    """Declare a route on a blueprint.

    `path` is below `/api/v1`, or absolute with a leading slash. `If-Match` is honoured on every PUT, PATCH and DELETE,
    an `Idempotency-Key` on every POST with a credential, unless said otherwise. `example` is a valid body, for the
    document and for the tests made from the declarations.
    """

    def declare(handler: Handler) -> Handler:
        declared = Endpoint(
            name=getattr(handler, "__name__", ""),
            method=method,
            path=path,
            summary=summary,
            access=access,
            body=JsonBody(body) if isinstance(body, type) else body,
            query=query,
            answers=answers,
            if_match=if_match or (IfMatch.HONOURED if method in ("PUT", "PATCH", "DELETE") else IfMatch.NONE),
            idempotent=(method == "POST" and access is not Access.PUBLIC) if idempotent is None else idempotent,
            secret_answer=secret_answer,
            example=example,
            media_type=media_type,
            tag=path.strip("/").split("/")[0],
        )
        ENDPOINTS.append(declared)

        async def invoke(req: func.HttpRequest) -> func.HttpResponse:
            return _response(await serve(declared, handler, _request(req)))

        invoke.__name__ = declared.name
        blueprint.function_name(declared.name)(
            blueprint.route(route=declared.template, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(invoke)
        )
        return handler

    return declare


def _request(request: func.HttpRequest) -> Request:
    return Request(
        headers={name.lower(): value for name, value in request.headers.items()},
        params=request.params,
        route_params=request.route_params,
        body=request.get_body(),
    )


def _response(answer: Answer) -> func.HttpResponse:
    return func.HttpResponse(
        answer.body, status_code=answer.status, headers=dict(answer.headers), mimetype=answer.media_type
    )
