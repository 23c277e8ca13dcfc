"""Serves a request by its endpoint's declaration: authenticate, authorize, validate, call, serialise."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pydantic

from shared import correlation, json
from shared.bootstrap import Application
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import (
    FieldError,
    ForbiddenError,
    NotFoundError,
    PreconditionRequiredError,
    TooLargeError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
    ValidationError,
)
from shared.domain.kernel.ids import fingerprint, is_id
from shared.domain.kernel.validation import validation_error
from shared.http.bodies import BodyFormat, validated
from shared.http.declaration import Endpoint, IfMatch
from shared.http.problems import problem_answer
from shared.http.replies import Handler
from shared.http.schemas import NoBody, PathValues
from shared.http.tenancy import Call
from shared.services.storage import within_deadline
from shared.services.storage.idempotency import Answer

API_BODY_BYTES = 1024 * 1024
MAXIMUM_IDEMPOTENCY_KEY = 255

ANONYMOUS = Principal(id="anonymous", organization_id="", permissions=frozenset())


@dataclass(frozen=True, slots=True)
class Request:
    """A request, independent of the platform. Header names are in lower case."""

    method: str
    headers: Mapping[str, str]
    params: Mapping[str, str]
    route_params: Mapping[str, str]
    body: bytes


async def serve(
    declared: Endpoint, handler: Handler, request: Request, application: Callable[[], Application]
) -> Answer:
    """Answer a request by the declaration of its endpoint."""
    return await answered(request, declared.name, lambda: _answer(declared, handler, request, application()))


async def answered(request: Request, name: str, answer: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer with a correlation id. An error that is raised becomes a problem document."""
    with correlation.correlated(correlation.accept(request.headers.get(correlation.HEADER.lower()))) as correlation_id:
        try:
            finished = await within_deadline(answer())
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a problem document
            finished = problem_answer(error, name)
    headers = {**finished.headers, correlation.HEADER: correlation_id}
    return replace(finished, headers=headers, body=b"" if request.method == "HEAD" else finished.body)


async def _answer(declared: Endpoint, handler: Handler, request: Request, services: Application) -> Answer:
    _refuse_what_is_no_id(declared, request.route_params)
    headers = request.headers
    principal = ANONYMOUS
    if not declared.public:
        principal = await services.authentication.authenticate(
            _credential(headers), for_events=declared.access is Permission.EVENTS_WRITE
        )
        if isinstance(declared.access, Permission) and not principal.may(declared.access):
            raise ForbiddenError(f"This needs the permission {declared.access.value}")
    raw = request.body if declared.body is not None else b""
    call = Call(
        services=services,
        principal=principal,
        query=validated(declared.query, dict(request.params), "?"),
        body=_body(declared.body, headers, raw),
        path=_path(declared.path_values, request.route_params),
        headers=headers,
        now=services.clock.now(),
        if_match=_if_match(declared.if_match, headers),
        idempotency_key=_idempotency_key(headers) if declared.idempotent else None,
        request_hash=_request_hash(declared, request, raw, principal),
    )
    if not declared.public and call.query.organization_id is not None:
        await call.organization_id()  # a credential that names another tenant is refused on every route
    if declared.authorize is not None:
        await declared.authorize(call)
    if call.idempotency_key is None:
        return (await handler(call)).answer(declared)

    async def act() -> Answer:
        return (await handler(call)).answer(declared)

    return await services.idempotency.once(
        owner=principal.organization_id,
        key=call.idempotency_key,
        request_hash=call.request_hash,
        act=act,
    )


def _refuse_what_is_no_id(declared: Endpoint, route_params: Mapping[str, str]) -> None:
    """Comes before authentication, as the platform's routes refuse other prefixes without asking for a credential."""
    for name, prefix in declared.id_prefixes.items():
        if not is_id(route_params[name], prefix):
            raise NotFoundError(f"There is no such path: {{{name}}} begins with {prefix}_")


def _credential(headers: Mapping[str, str]) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    offered = value.strip() if scheme.lower() == "bearer" else ""
    credential = offered or headers.get("x-api-key", "").strip()
    if credential and credential.isascii():
        return credential
    raise UnauthenticatedError("Send an access token or API key as Authorization: Bearer, or an API key as X-API-Key")


def _body(body: BodyFormat[Any] | None, headers: Mapping[str, str], raw: bytes) -> Any:  # noqa: ANN401
    if body is None:
        return NoBody()
    if len(raw) > API_BODY_BYTES:
        raise TooLargeError(
            f"A body has at most {API_BODY_BYTES} bytes, this one has {len(raw)}",
            errors=(FieldError("", f"has {len(raw)} bytes, at most {API_BODY_BYTES} are allowed"),),
        )
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower() or next(iter(body.content))
    if media_type not in body.content:
        raise UnsupportedMediaTypeError(f"Content-Type is {media_type}; accepted here: {', '.join(body.content)}")
    return body.read(media_type, headers, raw)


def _path(model: type[PathValues], route_params: Mapping[str, str]) -> PathValues:
    # On Azure an encoded slash is one before routes are matched; Core Tools leave it encoded.
    values = {name: value.replace("%2F", "/").replace("%2f", "/") for name, value in route_params.items()}
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        raise validation_error(error, placed=lambda pointer: f"{{{pointer.removeprefix('/')}}}") from error


def _if_match(wanted: IfMatch, headers: Mapping[str, str]) -> str | None:
    value = headers.get("if-match", "").strip()
    if wanted is IfMatch.REQUIRED and not value:
        raise PreconditionRequiredError("Send If-Match with the ETag of the version that you read")
    if wanted is IfMatch.NONE or not value or value == "*":
        return None
    return value.removeprefix("W/").strip('"')


def _idempotency_key(headers: Mapping[str, str]) -> str | None:
    key = headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAXIMUM_IDEMPOTENCY_KEY or not (key.isascii() and key.isprintable()):
        raise ValidationError(
            "The Idempotency-Key is not usable",
            errors=(FieldError("Idempotency-Key", f"has 1 to {MAXIMUM_IDEMPOTENCY_KEY} printable ASCII characters"),),
        )
    return key


def _request_hash(declared: Endpoint, request: Request, raw: bytes, principal: Principal) -> str:
    """Identifies a request by its route, path values, query, CloudEvents headers, content type, body and caller.

    Events are known by their own identity: their report may be repeated with another credential, as after the rotation
    of a key. Empty without an idempotency key, as nothing is compared then.
    """
    if "idempotency-key" not in request.headers:
        return ""
    carried = {
        name: value for name, value in request.headers.items() if name.startswith("ce-") or name == "content-type"
    }
    caller = [] if declared.access is Permission.EVENTS_WRITE else [principal.id]
    parts = [dict(request.route_params), dict(request.params), carried, *caller]
    return fingerprint(json.encode_canonical([declared.name, *parts]) + raw)
