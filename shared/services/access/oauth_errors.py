"""Errors of the token endpoint, in the terms of OAuth 2.0 (RFC 6749, 5.2). The code is what it calls `error`."""

from http import HTTPStatus

from shared.domain.kernel.errors import MalformedError, UnauthenticatedError


class InvalidClientError(UnauthenticatedError):
    """The client has not shown who it is."""

    status = HTTPStatus.UNAUTHORIZED
    code = "invalid_client"
    title = "The client has not shown who it is"


class InvalidScopeError(MalformedError):
    """The client may not have what it asks for."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_scope"
    title = "The scope is not the client's"


class UnsupportedGrantTypeError(MalformedError):
    """Only `client_credentials` is answered."""

    status = HTTPStatus.BAD_REQUEST
    code = "unsupported_grant_type"
    title = "The grant type is not supported"


class InvalidRequestError(MalformedError):
    """Something is missing, or there twice."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_request"
    title = "The request is not valid"
