"""The token endpoint: a signed assertion for a token of a service account, as OAuth 2.0 has it (RFC 6749, 7523)."""

from collections.abc import Mapping
from typing import Any, Literal

import azure.functions as func
from pydantic import ConfigDict, Field

from functions.access.signing_in import NOT_KEPT
from shared.domain.access.identity import Permission
from shared.domain.access.rate_limits import FAILED_SIGN_INS
from shared.domain.kernel.errors import ConflictError, UnavailableError, ValidationError, XyraError
from shared.http import Access, Call, FormBody, Reply, Schema, endpoint
from shared.http.replies import serialised
from shared.services.access.oauth_errors import (
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    UnsupportedGrantTypeError,
)

blueprint = func.Blueprint()

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TEXT = 2048


class TokenForm(Schema):
    model_config = ConfigDict(extra="ignore")  # as RFC 6749 has it

    grant_type: str = Field(default="", max_length=_TEXT)
    """`client_credentials`."""
    client_assertion_type: str = Field(default="", max_length=_TEXT)
    """`urn:ietf:params:oauth:client-assertion-type:jwt-bearer`."""
    client_assertion: str = Field(default="", max_length=16_384)
    """A JWT that the client has signed: `iss` and `sub` are its id, `aud` is our address or this endpoint's, `exp` is
    at most 5 minutes after `iat`, and `jti` is used once. Or a token of Entra ID, which works until it expires.
    """
    client_id: str | None = Field(default=None, max_length=_TEXT)
    """The client's id. An assertion that the client has signed says it as well; a token of Entra ID does not."""
    scope: str = Field(default="", max_length=_TEXT)
    """Permissions of the token, separated by spaces; all of the service account's by default."""


class WorkloadTokenAnswer(Schema):
    access_token: str
    """Sent as `Authorization: Bearer`."""
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the scheme's name
    """How the token is sent."""
    expires_in: int
    """Seconds until the token expires."""
    scope: str
    """The permissions of the token."""


class OAuthProblem(Schema):
    """As RFC 6749, 5.2."""

    error: str
    """What is wrong, by one of the codes of OAuth 2.0."""
    error_description: str
    """The same in words."""


class OAuthErrors:
    """Errors as OAuth 2.0 has them."""

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/json": OAuthProblem}

    def written(self, error: XyraError, headers: Mapping[str, str]) -> tuple[str, bytes]:  # noqa: ARG002  as `ErrorFormat` has it
        code = "invalid_request" if isinstance(error, ValidationError) else error.code
        problem = {"error": code, "error_description": error.public_detail}
        return "application/json", serialised(OAuthProblem, problem)


@endpoint(
    blueprint,
    "POST",
    "auth/token",
    summary="A token of a service account, for an assertion that its client has signed",
    access=Access.PUBLIC,
    body=FormBody(TokenForm),
    answers={200: WorkloadTokenAnswer},
    rate_limits=(FAILED_SIGN_INS,),
    errors=(
        InvalidClientError,
        InvalidScopeError,
        UnsupportedGrantTypeError,
        InvalidRequestError,
        ConflictError,
        UnavailableError,
    ),
    error_format=OAuthErrors(),
    example={
        "grant_type": "client_credentials",
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": "eyJ.eyJ.signature",
    },
)
async def issue_workload_token(call: Call[TokenForm]) -> Reply:
    form = call.body
    if form.grant_type != "client_credentials":
        raise UnsupportedGrantTypeError("grant_type is client_credentials")
    if form.client_assertion_type != _ASSERTION_TYPE or not form.client_assertion:
        raise InvalidRequestError(f"Send a client_assertion, with client_assertion_type {_ASSERTION_TYPE}")
    scopes = _scopes(form.scope)
    issued = await call.services.workload_clients.token(form.client_id, form.client_assertion, scopes)
    listed = issued.listed
    return Reply(
        {
            "access_token": issued.token,
            "expires_in": int((listed.expires_at - call.now).total_seconds()),
            "scope": " ".join(listed.scopes),
        },
        headers=NOT_KEPT,
    )


def _scopes(text: str) -> tuple[Permission, ...] | None:
    """Raises `InvalidScopeError`."""
    try:
        return tuple(Permission(name) for name in text.split()) or None
    except ValueError as error:
        raise InvalidScopeError(f"There is no such permission: {error}") from error
