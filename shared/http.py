"""One way to declare an endpoint. From the declaration come the handler (authenticate, authorize, validate, call,
serialise), the errors (RFC 9457) and, in `openapi.py`, the document.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from http import HTTPStatus
from typing import Annotated, Any, Generic, Literal, Protocol, TypeVar
from urllib.parse import parse_qsl

import azure.functions as func
import pydantic
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared import correlation, json
from shared.bootstrap import Application, application
from shared.domain.errors import (
    FieldError,
    ForbiddenError,
    MalformedError,
    NotFoundError,
    PreconditionRequiredError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
    ValidationError,
    XyraError,
)
from shared.domain.identity import Permission, Principal
from shared.domain.ids import fingerprint, named_id, new_id
from shared.domain.organizations import Organization
from shared.domain.times import Time
from shared.domain.validation import validation_error
from shared.services.idempotency import Answer

PREFIX = "api/v1/"
MAXIMUM_BODY_BYTES = 1024 * 1024
MAXIMUM_FORM_FIELDS = 50
MAXIMUM_PATH_VALUE = 256
MAXIMUM_IDEMPOTENCY_KEY = 255

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

STATUS_OF_CODE = {
    "malformed": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "conflict": HTTPStatus.CONFLICT,
    "idempotency_conflict": HTTPStatus.CONFLICT,
    "precondition_failed": HTTPStatus.PRECONDITION_FAILED,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "validation": HTTPStatus.UNPROCESSABLE_ENTITY,
    "locked": HTTPStatus.LOCKED,
    "precondition_required": HTTPStatus.PRECONDITION_REQUIRED,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}

_log = logging.getLogger(__name__)


def _iso_text(value: object) -> object:
    if isinstance(value, str) and "T" in value.upper():
        return value
    raise ValueError("is not an ISO 8601 time with an offset, such as 2026-10-03T12:00:00Z")


ZonedTime = Annotated[Time, BeforeValidator(_iso_text, json_schema_input_type=str)]
"""A time in a request: ISO 8601 with an offset, cut to microseconds."""


class Schema(BaseModel):
    """Base of request and response models: what is not named is refused, never ignored."""

    # An answer always has all its fields, and its description says so. One that does not fit is logged without them.
    model_config = ConfigDict(
        extra="forbid",
        from_attributes=True,
        json_schema_serialization_defaults_required=True,
        hide_input_in_errors=True,
    )


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class MergePatch(Schema):
    """Base of JSON Merge Patches (RFC 7396): what is not sent stays as it is, so defaults mean nothing; objects are
    merged, and what is null in them is removed.
    """

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Query(Schema):
    """Base of query parameters; an operator's credential names the organization here."""

    organization_id: str | None = Field(default=None, max_length=256)


class ListQuery(Query):
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=2048)


def window(size: int, limit: int, cursor: str | None) -> tuple[slice, str | None]:
    """Where a page lies in a list that is whole in memory, and the cursor of the next one.

    Raises `MalformedError` for a cursor that no page gave.
    """
    if cursor is not None and not (cursor.isdecimal() and cursor.isascii() and 0 < int(cursor) < size):
        raise MalformedError("The cursor is not one of ours")
    end = int(cursor or 0) + limit
    return slice(end - limit, end), str(end) if end < size else None


class Problem(Schema):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]]
    correlation_id: str


class Access(Enum):
    """What a call needs instead of a permission."""

    PUBLIC = "public"


class IfMatch(Enum):
    NONE = "none"
    HONOURED = "honoured"
    REQUIRED = "required"


Body = TypeVar("Body")
Body_co = TypeVar("Body_co", covariant=True)
Parameters = TypeVar("Parameters", bound=Query)
Model = TypeVar("Model", bound=BaseModel)


class BodyFormat(Protocol[Body_co]):
    """How a request body is read and described."""

    @property
    def content(self) -> Mapping[str, Any]:
        """Media type -> the type that its schema is made from."""
        ...

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Body_co: ...


@dataclass(frozen=True, slots=True)
class JsonBody(Generic[Model]):
    """An empty one is an empty object."""

    model: type[Model]

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/json": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002  the format's face
        return validated(self.model, json.decode_request(raw or b"{}"))


@dataclass(frozen=True, slots=True)
class FormBody(Generic[Model]):
    model: type[Model]

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/x-www-form-urlencoded": self.model}

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> Model:  # noqa: ARG002
        try:
            pairs = parse_qsl(
                raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), max_num_fields=MAXIMUM_FORM_FIELDS
            )
        except ValueError as error:
            # Its text quotes the field that is none, and that is a part of a password where this has a bare `&` in it.
            raise MalformedError(f"The body is not a form of at most {MAXIMUM_FORM_FIELDS} fields") from error
        return validated(self.model, dict(pairs))


class NoBody(Schema):
    """Of endpoints that take none."""


def validated(model: type[Model], value: object, prefix: str = "") -> Model:
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        raise validation_error(error, prefix) from error


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


@dataclass(frozen=True, slots=True)
class Call(Generic[Body, Parameters]):
    """A request that passed: known caller, allowed, valid."""

    services: Application
    principal: Principal
    body: Body
    query: Parameters
    path: Mapping[str, str]
    headers: Mapping[str, str]
    now: datetime
    if_match: str | None
    idempotency_key: str | None
    request_hash: str

    async def organization(self, named: str | None = None) -> str:
        """The organization that this call is about: the credential's, or the one that an operator names.

        Raises `NotFoundError` where a credential names another tenant, `ValidationError` where an operator names none.
        """
        reference = named or self.query.organization_id
        own = self.principal.organization_id
        if own is not None:
            if reference is None or reference == own or await self.services.organizations.find(reference) == own:
                return own
            raise NotFoundError("There is no such organization")
        if reference is None:
            raise ValidationError.at("?organization_id", "an operator's credential has to name the organization")
        found = await self.services.organizations.find(reference)
        if found is None:
            raise NotFoundError("There is no such organization")
        return found

    async def tenant(self) -> Organization:
        """The same organization, whole."""
        return await self.services.organizations.get(await self.organization())

    async def organization_or_operator(self, named: str | None = None) -> str | None:
        """As `organization`; None where an operator names none and means the operator's own."""
        if self.principal.is_operator and named is None and self.query.organization_id is None:
            return None
        return await self.organization(named)

    async def owner_of(self, thing_id: str) -> str:
        """The organization whose thing this is, for paths that name only the thing."""
        if self.principal.is_operator and self.query.organization_id is None:
            return await self.services.owners.of(thing_id)
        return await self.organization()

    async def tenant_of(self, thing_id: str) -> Organization:
        """The same organization, whole."""
        return await self.services.organizations.get(await self.owner_of(thing_id))

    def new_id(self, prefix: str) -> str:
        """A fresh id; the same again when the call is repeated under its idempotency key."""
        if self.idempotency_key is None:
            return new_id(prefix)
        owner = self.principal.organization_id or "operator"
        return named_id(prefix, "idempotency", owner, self.idempotency_key, self.request_hash)


@dataclass(frozen=True, slots=True)
class Reply:
    body: BaseModel | Mapping[str, Any] | bytes | None = None
    status: int = 200
    etag: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    def answer(self) -> Answer:
        headers = dict(self.headers)
        if self.etag is not None:
            headers["ETag"] = f'"{self.etag}"'
        return Answer(self.status, headers, self.media_type, _serialised(self.body))


def _serialised(body: BaseModel | Mapping[str, Any] | bytes | None) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, BaseModel):
        return body.model_dump_json().encode()
    return json.encode(body)


Handler = Callable[[Call[Any, Any]], Awaitable[Reply]]


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
            return await serve(declared, handler, req)

        invoke.__name__ = declared.name
        blueprint.function_name(declared.name)(
            blueprint.route(route=declared.route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(invoke)
        )
        return handler

    return declare


async def serve(declared: Endpoint, handler: Handler, request: func.HttpRequest) -> func.HttpResponse:
    """Answer one request by its declaration; every refusal is a problem document, every fault of ours a logged 500."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    with correlation.correlated(correlation.accept(headers.get(correlation.HEADER.lower()))) as correlation_id:
        try:
            answer = await _answer(declared, handler, request, headers)
        except XyraError as error:
            answer = _problem(error, correlation_id)
        except Exception:  # noqa: BLE001  the last resort: whatever it is, the caller gets a problem document
            _log.exception("unexpected failure", extra={"endpoint": declared.name})
            answer = _problem(
                XyraError("An unexpected failure; it has been logged under this correlation id"), correlation_id
            )
    return func.HttpResponse(
        answer.body,
        status_code=answer.status,
        headers={**answer.headers, correlation.HEADER: correlation_id},
        mimetype=answer.media_type,
    )


async def _answer(
    declared: Endpoint, handler: Handler, request: func.HttpRequest, headers: Mapping[str, str]
) -> Answer:
    services = application()
    principal = ANONYMOUS
    if not declared.public:
        principal = await services.access.authenticate(
            _credential(headers), for_events=declared.access is Permission.EVENTS_WRITE
        )
        if isinstance(declared.access, Permission) and not principal.may(declared.access):
            raise ForbiddenError(f"This needs the permission {declared.access.value}")
    raw = request.get_body() if declared.body is not None else b""
    call = Call(
        services=services,
        principal=principal,
        query=_query(declared.query, request.params),
        body=_body(declared.body, headers, raw),
        path=_path(request.route_params),
        headers=headers,
        now=services.clock.now(),
        if_match=_if_match(declared.if_match, headers),
        idempotency_key=_idempotency_key(headers) if declared.idempotent else None,
        request_hash=_request_hash(declared, request, headers, raw),
    )
    if not declared.public and call.query.organization_id is not None:
        await call.organization()  # a credential that names another tenant is refused on every route
    if call.idempotency_key is None:
        return (await handler(call)).answer()

    async def act() -> Answer:
        return (await handler(call)).answer()

    return await services.idempotency.once(
        owner=principal.organization_id,
        key=call.idempotency_key,
        request_hash=call.request_hash,
        act=act,
        secret=declared.secret_answer,
    )


ANONYMOUS = Principal(id="anonymous", organization_id="", permissions=frozenset())


def _credential(headers: Mapping[str, str]) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    offered = value.strip() if scheme.lower() == "bearer" else ""
    credential = offered or headers.get("x-api-key", "").strip()
    if credential and credential.isascii():
        return credential
    raise UnauthenticatedError("Send an access token or API key as Authorization: Bearer, or an API key as X-API-Key")


def _query(model: type[Query], params: Mapping[str, str]) -> Query:
    try:
        return model.model_validate(dict(params))
    except pydantic.ValidationError as error:
        raise validation_error(error, "?") from error


def _body(body: BodyFormat[Any] | None, headers: Mapping[str, str], raw: bytes) -> Any:  # noqa: ANN401
    if body is None:
        return NoBody()
    if len(raw) > MAXIMUM_BODY_BYTES:
        raise TooLargeError(
            f"A body has at most {MAXIMUM_BODY_BYTES} bytes, this one has {len(raw)}",
            errors=(FieldError("", f"has {len(raw)} bytes, at most {MAXIMUM_BODY_BYTES} are allowed"),),
        )
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower() or next(iter(body.content))
    if media_type not in body.content:
        raise UnsupportedMediaTypeError(f"Content-Type is {media_type}; accepted here: {', '.join(body.content)}")
    return body.read(media_type, headers, raw)


def _path(route_params: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in route_params.items():
        if len(value) > MAXIMUM_PATH_VALUE:
            raise ValidationError.at(f"{{{name}}}", f"has at most {MAXIMUM_PATH_VALUE} characters")
    # The platform decodes path values, but for slashes in them.
    return {name: value.replace("%2F", "/").replace("%2f", "/") for name, value in route_params.items()}


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


def _request_hash(declared: Endpoint, request: func.HttpRequest, headers: Mapping[str, str], raw: bytes) -> str:
    """Of all that says what is asked for: route, parameters, query, headers that carry content, body."""
    carried = {name: value for name, value in headers.items() if name.startswith("ce-") or name == "content-type"}
    parts = [dict(request.route_params), dict(request.params), carried]
    return fingerprint(json.encode_canonical([declared.name, *parts]) + raw)


def _problem(error: XyraError, correlation_id: str) -> Answer:
    status = STATUS_OF_CODE.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    problem = {
        "type": f"urn:xyra:problem:{error.code}",
        "title": error.title,
        "status": int(status),
        "detail": error.detail,
        "errors": [{"pointer": place.pointer, "detail": place.detail} for place in error.errors],
        "correlation_id": correlation_id,
    }
    headers: dict[str, str] = {}
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(int(status), headers, "application/problem+json", json.encode(problem))
