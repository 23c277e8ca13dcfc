"""Where a user's sessions may lead: the organizations that they are a member of."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.containers import TENANTS
from shared.domain.access.accounts import Account, Membership
from shared.domain.access.identity import OperatorRole, Role, deletion_stage
from shared.domain.access.sessions import Session
from shared.domain.kernel.errors import (
    ForbiddenError,
    NotFoundError,
    OrganizationChoice,
    OrganizationRequiredError,
    UnauthenticatedError,
)
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.storage import Store, get_two
from shared.settings import Settings

DELETED = "The organization was deleted"


@dataclass(frozen=True, slots=True)
class SessionScope:
    """Where a session leads: an organization and the role there, or the operator's side."""

    organization_id: str | None
    role: Role | OperatorRole
    name: str = ""
    """Of the organization."""
    sessions_ended_at: datetime | None = None
    """Sessions there that began until then have ended."""
    mfa_required: bool = False
    password_allowed: bool = True

    def allows(self, session: Session) -> bool:
        """Whether the session has shown what is asked for there."""
        return session.satisfies(mfa_required=self.mfa_required, password_allowed=self.password_allowed)


class SessionScopes:
    def __init__(self, store: Store, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._readable = timedelta(days=settings.deleted_readable_days)
        self._staff_mfa_required = settings.staff_mfa_required

    async def in_organization(self, user_id: str, organization_id: str) -> SessionScope:
        """Raises `NotFoundError` where the user is no member, `UnauthenticatedError` where it was deleted long ago."""
        organization, membership = await get_two(
            self._store, TENANTS, organization_id, (Organization, organization_id), (Membership, user_id)
        )
        if membership is None or membership.entity.suspended:
            raise NotFoundError("There is no such organization")
        name, mfa_required, password_allowed = organization_id, False, True
        if organization is not None:
            name, mfa_required = organization.entity.name, organization.entity.own_settings.mfa_required
            password_allowed = organization.entity.password_allowed
            if deletion_stage(organization.entity.deleted_at, self._clock.now(), self._readable) == "closed":
                raise UnauthenticatedError(DELETED)
        return SessionScope(
            organization_id,
            membership.entity.role,
            name,
            membership.entity.sessions_ended_at,
            mfa_required,
            password_allowed,
        )

    async def of_session(self, account: Account, organization_id: str | None) -> SessionScope:
        """Where a session of this organization leads now. Raises `UnauthenticatedError` where it leads nowhere."""
        if organization_id is None:
            if account.operator_role is None:
                raise UnauthenticatedError("The account is no operator's any longer")
            return self._of_staff(account.operator_role)
        try:
            return await self.in_organization(account.user_id, organization_id)
        except NotFoundError as error:
            raise UnauthenticatedError("The membership in the organization has ended") from error

    def _of_staff(self, role: OperatorRole) -> SessionScope:
        return SessionScope(None, role, mfa_required=self._staff_mfa_required)

    async def only_one(self, account: Account) -> SessionScope:
        """The operator's side for an operator, else the only organization that is left.

        Raises `OrganizationRequiredError`, which names them, where there are several; `UnauthenticatedError` where all
        were deleted long ago, `ForbiddenError` where the user is no member of any.
        """
        if account.operator_role is not None:
            return self._of_staff(account.operator_role)
        scopes: list[SessionScope] = []
        deleted: UnauthenticatedError | None = None
        for organization_id in account.organization_ids:
            try:
                scopes.append(await self.in_organization(account.user_id, organization_id))
            except NotFoundError:
                continue
            except UnauthenticatedError as error:
                deleted = error
        if len(scopes) == 1:
            return scopes[0]
        if scopes:
            choices = [OrganizationChoice(scope.organization_id or "", scope.name) for scope in scopes]
            raise OrganizationRequiredError("Choose one of your organizations as organization_id", choices)
        raise deleted or ForbiddenError("You are a member of no organization")
