"""What everything that begins or refreshes a session shares."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from shared.domain.access.origins import Origin, country_of, device_of, masked
from shared.domain.access.password_policy import MAXIMUM_PASSWORD, MINIMUM_PASSWORD
from shared.domain.access.second_factors import Method
from shared.http import Call, Schema
from shared.http.client_addresses import client_address

NOT_KEPT: Mapping[str, str] = {"Cache-Control": "no-store"}
"""Headers of an answer with a credential."""

NewPassword = Annotated[str, StringConstraints(min_length=MINIMUM_PASSWORD, max_length=MAXIMUM_PASSWORD)]


class TokenAnswer(Schema):
    access_token: str
    """Sent in the header `Authorization`, after `Bearer`."""
    refresh_token: str
    """Used once, to get new tokens by `auth/refresh`."""
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  the scheme's name
    """How the access token is sent."""
    expires_in: int
    """Seconds until the access token expires."""
    session_id: str
    """The session that the tokens belong to."""
    organization_id: str | None
    """The organization that it is in; null on the operator's side."""


class SignInAnswer(TokenAnswer):
    device_token: str
    """Sent with later sign-ins on this device, for 90 days: nobody else's wrong guesses lock it out."""


class FactorRequiredAnswer(Schema):
    mfa_token: str
    """Sent to `auth/mfa` with the second factor, within 5 minutes. It works once."""
    methods: list[Method]
    """The second factors that the user has."""


def origin_of(call: Call[Any, Any, Any]) -> Origin:
    """Where the request comes from, as its session shows it."""
    header = call.services.settings.location_header.lower()
    return Origin(
        device=device_of(call.headers.get("user-agent", "")),
        ip=masked(client_address(call.headers, call.services.settings.trusted_hops)),
        location=country_of(call.headers.get(header, "")) if header else None,
    )
