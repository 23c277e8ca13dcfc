"""Who may call an endpoint: by the permission that it names, and by how the caller has signed in."""

from datetime import datetime

from shared.domain.access.identity import AFTER_DELETION, AFTER_STEP_UP, READING, Permission, Principal
from shared.domain.kernel.errors import (
    EmailUnverifiedError,
    EnrolmentRequiredError,
    ForbiddenError,
    OrganizationDeletedError,
    StepUpRequiredError,
)
from shared.http.declaration import Endpoint


def authorize(principal: Principal, declared: Endpoint, now: datetime) -> None:
    """Raises `ForbiddenError`, `StepUpRequiredError`."""
    if principal.for_enrolment and not declared.for_enrolment:
        raise EnrolmentRequiredError(
            "The organization asks for more than you have shown: enrol a second factor with POST /api/v1/auth/totp or"
            " POST /api/v1/auth/passkeys/options, or link your account with POST /api/v1/auth/sso/{provider_id}/link"
        )
    if isinstance(declared.access, Permission):
        _check_permission(principal, declared.access)
        _check_step_up(principal, declared.access, now)
    else:
        _check_person(principal, declared)


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
    if principal.step_up_required and permission in AFTER_STEP_UP and not principal.is_recent(now):
        raise StepUpRequiredError(
            "The organization asks you to show again who you are before you change money or access: with"
            " POST /api/v1/auth/step-up, good for 10 minutes"
        )


def _check_person(principal: Principal, declared: Endpoint) -> None:
    if principal.organization_deleted and declared.method != "GET":
        raise OrganizationDeletedError("The organization is deleted; sign in to another one to do this")
    if principal.user_id is None:
        raise ForbiddenError("This is for signed-in users: send an access token, not an API key")
    if principal.by_provider and not declared.for_provider:
        raise ForbiddenError(
            "A session by an organization's identity provider is for that organization only: sign in otherwise for this"
        )
