"""Who may call an endpoint: by the permission that it names, and by how the caller has signed in."""

from datetime import datetime

from shared.domain.access.identity import AFTER_DELETION, AFTER_STEP_UP, READING, Permission, Principal
from shared.domain.kernel.errors import (
    EmailUnverifiedError,
    EnrolmentRequiredError,
    ForbiddenError,
    OrganizationDeletedError,
    RestrictedError,
    StepUpRequiredError,
)
from shared.http.declaration import Endpoint, Method


def authorize(principal: Principal, declared: Endpoint, now: datetime) -> None:
    """Raises `ForbiddenError`, `StepUpRequiredError`."""
    _check_enrolled(principal, for_enrolment=declared.for_enrolment)
    if isinstance(declared.access, Permission):
        _check_permission(principal, declared.access)
        if declared.adds_costs and principal.restricted:
            raise RestrictedError(
                "An invoice has been overdue for too long: new agents, keys and spending are refused until it is paid"
            )
        _check_step_up(principal, declared.access, now)
    else:
        if declared.after_step_up:
            _check_recent(principal, now)
        _check_person(principal, declared.method, for_provider=declared.for_provider)


def check_person(principal: Principal, method: Method, *, for_enrolment: bool, for_provider: bool) -> None:
    """Whether a user may do what is for every signed-in user, by a page. Raises `ForbiddenError`."""
    _check_enrolled(principal, for_enrolment=for_enrolment)
    _check_person(principal, method, for_provider=for_provider)


def _check_enrolled(principal: Principal, *, for_enrolment: bool) -> None:
    if principal.for_enrolment and not for_enrolment:
        raise EnrolmentRequiredError(
            "The organization asks for more than you have shown: enrol a second factor with POST /api/v1/auth/totp or"
            " POST /api/v1/auth/passkeys/options, or link your account with POST /api/v1/auth/sso/{provider_id}/link"
        )


def _check_permission(principal: Principal, permission: Permission) -> None:
    if principal.organization_deleted and permission not in AFTER_DELETION:
        raise OrganizationDeletedError("The organization is deleted; its own credentials may only read and pay")
    if not principal.may(permission):
        raise ForbiddenError(f"This needs the permission {permission.value}")
    if principal.unverified and permission not in READING:
        raise EmailUnverifiedError(
            "Until your e-mail address is verified you may only read: follow the link in the mail, or ask for another"
            " with POST /api/v1/auth/email/send"
        )


def _check_step_up(principal: Principal, permission: Permission, now: datetime) -> None:
    if permission in AFTER_STEP_UP:
        _check_recent(principal, now)


def _check_recent(principal: Principal, now: datetime) -> None:
    if principal.step_up_required and not principal.is_recent(now):
        raise StepUpRequiredError(
            "You are asked to show again who you are before you change money or access: with"
            " POST /api/v1/auth/step-up, good for 10 minutes"
        )


def _check_person(principal: Principal, method: Method, *, for_provider: bool) -> None:
    if principal.organization_deleted and method != "GET":
        raise OrganizationDeletedError("The organization is deleted; sign in to another one to do this")
    if principal.user_id is None:
        raise ForbiddenError("This is for signed-in users: send an access token, not an API key")
    if principal.by_provider and not for_provider:
        raise ForbiddenError(
            "A session by an organization's identity provider is for that organization only: sign in otherwise for this"
        )
