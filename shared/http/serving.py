"""Serves a request by its endpoint's declaration: authenticate, authorize, validate, call, serialise."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
import pydantic

from shared import correlation, json
from shared.bootstrap import Application
from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import (
    FieldError,
    LengthRequiredError,
    MalformedError,
    NotFoundError,
    PreconditionRequiredError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
    ValidationError,
)
from shared.domain.kernel.ids import fingerprint, is_id
from shared.domain.kernel.validation import validation_error
from shared.http.actors import NOBODY_YET, actor_of, stranger
from shared.http.authorization import authorize
from shared.http.bodies import validated
from shared.http.declaration import Endpoint, IfMatch
from shared.http.error_format import ErrorFormat
from shared.http.limiting import Standings, count_caller, counted
from shared.http.problems import error_answer
from shared.http.project_access import check_projects
from shared.http.replies import Handler
from shared.http.schemas import NoBody, PathValues, Query
from shared.http.tenancy import Call
from shared.services.storage import within_deadline
from shared.services.storage.audit.acting import acting, becomes
from shared.services.storage.idempotency import Answer

MAXIMUM_IDEMPOTENCY_KEY = 255
LONG_TO_READ = 16 * 1024
"""Bytes of a body from which on one is read in each turn of the event loop, however many arrive."""
HEADERS_OF_ALL = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Of every answer that has no other value for them."""

Values = TypeVar("Values", Query, PathValues)

ANONYMOUS = Principal(id="anonymous", organization_id="", permissions=frozenset())


class Request(msgspec.Struct, frozen=True):
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
    standings = Standings()
    with acting(NOBODY_YET):
        answer = await answered(
            request,
            declared.name,
            lambda: _counted(declared, handler, request, application(), standings),
            declared.error_format,
            declared.headers,
        )
    standing = standings.headers()
    return msgspec.structs.replace(answer, headers={**answer.headers, **standing}) if standing else answer


async def answered(
    request: Request,
    name: str,
    answer: Callable[[], Awaitable[Answer]],
    error_format: ErrorFormat | None = None,
    declared_headers: Mapping[str, str] | None = None,
) -> Answer:
    """The answer with a correlation id. An error that is raised becomes one, by default as a problem document."""
    with correlation.correlated(correlation.accept(request.headers.get(correlation.HEADER.lower()))) as correlation_id:
        try:
            _refuse_what_is_no_text(request)
            finished = await within_deadline(answer())
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets an answer
            finished = error_answer(error, name, request.headers, error_format)
    headers = {**HEADERS_OF_ALL, **(declared_headers or {}), **finished.headers, correlation.HEADER: correlation_id}
    body = b"" if request.method == "HEAD" else finished.body
    return Answer(finished.status, headers, finished.media_type, body, finished.kept)


def _refuse_what_is_no_text(request: Request) -> None:
    """Refuse bytes that are not UTF-8, which hosts hand over as halves of surrogate pairs.

    Raises `MalformedError`.
    """
    for where, texts in (("header", request.headers), ("query", request.params), ("path", request.route_params)):
        if texts and not _is_text("".join((*texts, *texts.values()))):
            raise MalformedError(f"The {where} has bytes that are not UTF-8")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


async def _counted(
    declared: Endpoint, handler: Handler, request: Request, services: Application, standings: Standings
) -> Answer:
    """The answer to a request that long work of others makes room for."""
    with services.turns.request():
        return await _answer(declared, handler, request, services, standings)


async def _answer(
    declared: Endpoint, handler: Handler, request: Request, services: Application, standings: Standings
) -> Answer:
    _refuse_what_is_no_id(declared, request.route_params)
    headers, now = request.headers, services.clock.now()
    principal = ANONYMOUS
    somebody = stranger(headers, services.settings.trusted_hops)
    becomes(somebody)
    if not declared.public:
        principal = await services.authentication.authenticate(
            credential(headers, takes_basic=declared.takes_basic),
            for_events=declared.access is Permission.EVENTS_WRITE,
        )
        becomes(actor_of(principal, somebody.ip))
        authorize(principal, declared, now)
        await count_caller(services, principal, standings)
    raw = request.body if declared.body is not None else b""
    call = Call(
        services=services,
        principal=principal,
        query=_query(declared.query, request.params),
        body=await _read(declared, headers, raw, services),
        path=_path(declared.path_values, request.route_params),
        headers=headers,
        now=now,
        if_match=_if_match(declared.if_match, headers),
        idempotency_key=_idempotency_key(headers) if declared.looks_at_key else None,
        request_hash=_request_hash(declared, request, raw, principal),
        projects=principal.projects_with(declared.access) if isinstance(declared.access, Permission) else None,
    )
    if not declared.public and call.query.organization_id is not None:
        await call.organization_id()  # a credential that names another tenant is refused on every route
    await check_projects(declared, call)
    if declared.authorize is not None:
        await declared.authorize(call)

    async def act() -> Answer:
        if declared.rate_limits:
            async with counted(declared, call, standings):
                reply = await handler(call)
        else:
            reply = await handler(call)
        if declared.calculates:
            return await services.calculations.run(lambda: reply.answer(declared))
        if services.turns.is_long:
            await services.turns.one()
        return reply.answer(declared)

    if declared.needs_key and call.idempotency_key is None and not call.query.is_preview:
        await _refuse_without_key(declared, call)
    if call.idempotency_key is None or declared.keeps_own_keys:
        return await act()
    return await services.idempotency.once(
        owner=principal.organization_id,
        key=call.idempotency_key,
        request_hash=call.request_hash,
        act=act,
    )


async def _refuse_without_key(declared: Endpoint, call: Call[Any, Any, Any]) -> None:
    """Raises `ValidationError`, or `NotFoundError`, which comes first."""
    if declared.find is not None:
        await declared.find(call)
    detail = "is required here: a new one for each request, and the same one to repeat it"
    raise ValidationError.at("Idempotency-Key", detail)


def _refuse_what_is_no_id(declared: Endpoint, route_params: Mapping[str, str]) -> None:
    """Comes before authentication, as the platform's routes refuse other prefixes without asking for a credential."""
    for name, prefix in declared.id_prefixes.items():
        if not is_id(route_params[name], prefix):
            raise NotFoundError(f"There is no such path: {{{name}}} begins with {prefix}_")


def credential(headers: Mapping[str, str], *, takes_basic: bool = False) -> str:
    """The access token or API key of a request. Raises `UnauthenticatedError` where it has none."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    offered = value.strip() if scheme.lower() == "bearer" else ""
    if takes_basic and scheme.lower() == "basic":
        offered = _password(value.strip())
    sent = offered or headers.get("x-api-key", "").strip()
    if sent and sent.isascii():
        return sent
    raise UnauthenticatedError("Send an access token or API key as Authorization: Bearer, or an API key as X-API-Key")


def _password(basic: str) -> str:
    """Of Basic authentication; empty where there is none."""
    try:
        return base64.b64decode(basic, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


async def _read(declared: Endpoint, headers: Mapping[str, str], raw: bytes, services: Application) -> Any:  # noqa: ANN401  as `_body`
    if declared.calculates:
        return await services.calculations.run(lambda: _body(declared, headers, raw))
    if len(raw) <= LONG_TO_READ:
        return _body(declared, headers, raw)
    await services.turns.one()
    body = _body(declared, headers, raw)
    await services.turns.one()  # for what comes of it: others go on in between
    return body


def _body(declared: Endpoint, headers: Mapping[str, str], raw: bytes) -> Any:  # noqa: ANN401  as its format reads it
    body = declared.body
    if body is None:
        return NoBody()
    _refuse_what_was_lost(headers, raw)
    content = declared.body_limit.content_of(headers, raw)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower() or next(iter(body.content))
    if media_type not in body.content:
        raise UnsupportedMediaTypeError(f"Content-Type is {media_type}; accepted here: {', '.join(body.content)}")
    return body.read(media_type, headers, content)


def _refuse_what_was_lost(headers: Mapping[str, str], raw: bytes) -> None:
    """Refuse a body that was sent in chunks and came empty: the platform hands over only those that say their length.

    Raises `LengthRequiredError`: taken as empty, it would be ignored in silence.
    """
    if not raw and "chunked" in headers.get("transfer-encoding", "").lower():
        raise LengthRequiredError(
            "The body was sent in chunks, which the platform does not hand over: send it with Content-Length. "
            "docs/send-usage.md says how for OpenTelemetry"
        )


def _query(model: type[Query], params: Mapping[str, str]) -> Query:
    return validated(model, dict(params), "?") if params else _without_values(model)


@cache
def _without_values(model: type[Values]) -> Values:
    """Of a request that has none, as most do. Raises `ValidationError` where one is required."""
    return validated(model, {}, "?")


def _path(model: type[PathValues], route_params: Mapping[str, str]) -> PathValues:
    if not route_params:
        nothing: PathValues = _without_values(model)
        return nothing
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
    of a key. A service that keeps its own keys compares the caller itself. Empty without an idempotency key, as nothing
    is compared then.
    """
    if "idempotency-key" not in request.headers:
        return ""
    carried = {
        name: value for name, value in request.headers.items() if name.startswith("ce-") or name == "content-type"
    }
    any_caller = declared.keeps_own_keys or declared.access is Permission.EVENTS_WRITE
    caller = [] if any_caller else [principal.id]
    parts = [dict(request.route_params), dict(request.params), carried, *caller]
    return fingerprint(json.encode_canonical([declared.name, *parts]) + raw)
