"""Invitations: made, listed, withdrawn, and accepted by who has the address."""

from dataclasses import dataclass

from shared.containers import TENANTS
from shared.domain.access.accounts import Account, Membership
from shared.domain.access.identity import Principal, Role, may_give
from shared.domain.access.invitations import VALID_FOR, Invitation
from shared.domain.access.project_access import ProjectGrant
from shared.domain.kernel.errors import (
    ConflictError,
    EmailUnverifiedError,
    FieldError,
    ForbiddenError,
    InvalidTokenError,
    NotFoundError,
)
from shared.ports.clock import Clock
from shared.services.access.invited_accounts import InvitedAccounts
from shared.services.access.letters import ACCESS_MAIL, Letter
from shared.services.access.mailed_links import LinkRequest, MailedLinks
from shared.services.access.member_organizations import MemberOrganizations
from shared.services.access.members import Members
from shared.services.access.owner_counts import OwnerCounts
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import (
    Outbox,
    OutboxEntry,
    Page,
    Records,
    Store,
    Stored,
    look_twice,
    putting,
    replacing,
)
from shared.services.tenancy.organizations import Organizations


@dataclass(frozen=True, slots=True)
class InvitationDraft:
    """An invitation as it is asked for."""

    email: str
    role: Role
    projects: tuple[ProjectGrant, ...] | None = None


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Who accepts an invitation without being signed in."""

    password: str
    full_name: str


class Invitations:
    """The batch that makes the membership uses the invitation up. So it makes one member, however often it is tried."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        organizations: Organizations,
        members: Members,
        owner_counts: OwnerCounts,
        member_organizations: MemberOrganizations,
        links: MailedLinks,
        accounts: InvitedAccounts,
    ) -> None:
        self._clock = clock
        self._organizations = organizations
        self._members = members
        self._owner_counts = owner_counts
        self._member_organizations = member_organizations
        self._links = links
        self._invited = accounts
        self._accounts = StoredAccounts(store)
        self._mails = outbox.sender(ACCESS_MAIL)
        self._invitations = Records(store, TENANTS, Invitation, prefix="invt")
        self._memberships = Records(store, TENANTS, Membership, called="membership")

    async def create(
        self, invitation_id: str, organization_id: str, draft: InvitationDraft, by: Principal
    ) -> Stored[Invitation]:
        """Invite who has an address; the mail follows. Repeating it with the same id gives what was created.

        Raises `ConflictError` for a member's address, `EmailUnverifiedError` for a caller without a verified one,
        `ForbiddenError` for a role above the caller's own, `ValidationError`.
        """
        await self._check_verified(by)
        await self._members.check_given(organization_id, draft.role, draft.projects, by)
        await self._refuse_member(organization_id, draft.email)
        now = self._clock.now()
        invitation = Invitation(
            id=invitation_id,
            organization_id=organization_id,
            email=draft.email,
            role=draft.role,
            projects=draft.projects,
            invited_by=by.id,
            invited_by_member=by.user_id is not None and by.organization_id == organization_id,
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        return await self._invitations.create(organization_id, invitation, putting(self._mail_entry(invitation)))

    async def _check_verified(self, by: Principal) -> None:
        if by.user_id is None or by.is_operator:
            return
        if (await self._account_of(by.user_id)).verified_at is None:
            raise EmailUnverifiedError("Verify your e-mail address before you invite others")

    async def _account_of(self, user_id: str) -> Account:
        """Of who is signed in, whose verification a read may not show yet."""
        stored = await look_twice(
            lambda: self._accounts.get(user_id),
            is_doubtful=lambda account: account.entity.verified_at is None,
            errors=(NotFoundError,),
        )
        return stored.entity

    async def _refuse_member(self, organization_id: str, email: str) -> None:
        found = await self._accounts.find(email)
        if found is None or await self._memberships.find(organization_id, found.account.user_id) is None:
            return
        raise ConflictError("This is a member's address", errors=(FieldError("/email", "is a member's"),))

    def _mail_entry(self, invitation: Invitation) -> OutboxEntry:
        return self._mails.entry(
            f"{ACCESS_MAIL}:{invitation.id}",
            template="invitation",
            request_id=invitation.id,
            organization_id=invitation.organization_id,
        )

    async def letter(self, *, request_id: str, organization_id: str) -> Letter | None:
        """The mail of an invitation; None where it was withdrawn, accepted or has expired."""
        stored = await look_twice(
            lambda: self._invitations.find(organization_id, request_id), is_doubtful=lambda found: found is None
        )
        if stored is None or not stored.entity.is_open(self._clock.now()):
            return None
        invitation = stored.entity
        link = await self._links.issue(
            LinkRequest(
                "invitation", invitation.id, organization_id, invitation.address_fingerprint, invitation.created_at
            )
        )
        if link is None:
            return None
        names = {
            "organization": (await self._organizations.get(organization_id)).name,
            "inviter": await self._name_of(invitation),
        }
        return Letter(to=invitation.email, written_at=invitation.created_at, link=link, names=names)

    async def _name_of(self, invitation: Invitation) -> str:
        accounts = await self._members.accounts_of([invitation.invited_by]) if invitation.invited_by_member else {}
        return accounts[invitation.invited_by].full_name if accounts else "Somebody"

    async def page(self, organization_id: str, limit: int, cursor: str | None) -> Page[Invitation]:
        """Those that nobody has accepted, newest first."""
        return await self._invitations.page(
            organization_id, equals={"status": "pending"}, descending=True, limit=limit, cursor=cursor
        )

    async def withdraw(self, organization_id: str, invitation_id: str, if_match: str | None) -> None:
        """Raises `NotFoundError`, `PreconditionFailedError`. Its link opens nothing from then on."""
        await self._invitations.delete(organization_id, invitation_id, if_match)

    async def accept(self, token: str, caller: Principal | None, person: NewPerson | None) -> tuple[Membership, str]:
        """Make who has the link a member: the caller, or a person with the password of the invited address.

        Raises `InvalidTokenError`, one answer for used, expired, withdrawn and unknown ones; `ForbiddenError` for an
        invitation to another address than the caller's, `ConflictError` for who is a member already; else as
        `InvitedAccounts.account_for`. Beside the membership is the id of its organization.
        """
        link = await self._links.find("invitation", token)
        stored = await self._open(link.holder_id, link.request_id)
        account = await self._account(stored.entity, caller, person)
        membership = await self._join(stored.entity, account)
        await self._member_organizations.attempt(
            link.holder_id, self._member_organizations.entry(link.holder_id, account.user_id)
        )
        return membership, link.holder_id

    async def _open(self, organization_id: str, invitation_id: str) -> Stored[Invitation]:
        """Raises `InvalidTokenError`."""
        stored = await look_twice(
            lambda: self._invitations.find(organization_id, invitation_id), is_doubtful=lambda found: found is None
        )
        if stored is None or not stored.entity.is_open(self._clock.now()):
            raise InvalidTokenError
        organization = await self._organizations.get(organization_id)
        if organization.deleted_at is not None or not await self._may_still_be_given(stored.entity):
            raise InvalidTokenError
        return stored

    async def _may_still_be_given(self, invitation: Invitation) -> bool:
        """Whether the member who invited may still make somebody that."""
        if not invitation.invited_by_member:
            return True
        inviter = await self._memberships.find(invitation.organization_id, invitation.invited_by)
        return inviter is not None and may_give(inviter.entity.permissions(), invitation.role)

    async def _account(self, invitation: Invitation, caller: Principal | None, person: NewPerson | None) -> Account:
        if person is not None:
            return await self._invited.account_for(invitation, person.password, person.full_name)
        if caller is None or caller.user_id is None:
            raise ForbiddenError("Sign in as the invited address, or send a password and your full name")
        account = await self._account_of(caller.user_id)
        if not invitation.is_for(account.email):
            raise ForbiddenError("The invitation is for another address than that of your account")
        if account.verified_at is None:
            raise EmailUnverifiedError(
                "Verify your e-mail address first, or accept with a new password, which ends what was set before"
            )
        return account

    async def _join(self, invitation: Invitation, account: Account) -> Membership:
        organization_id, user_id = invitation.organization_id, account.user_id
        entry = self._member_organizations.entry(organization_id, user_id)

        async def attempt() -> Membership:
            is_member = await self._memberships.find(organization_id, user_id) is not None
            current = await self._open(organization_id, invitation.id)
            if is_member:
                # It may be this invitation that made the member, a moment ago.
                await look_twice(lambda: self._open(organization_id, invitation.id), is_doubtful=lambda _: True)
                raise ConflictError("You are a member of this organization already")
            now = self._clock.now()
            membership = Membership(
                id=user_id,
                role=current.entity.role,
                projects=current.entity.projects,
                joined_at=now,
                sessions_ended_at=now,
            )
            await self._memberships.write(
                organization_id,
                None,
                membership,
                replacing(current, current.entity.changed(status="accepted")),
                putting(entry),
                *await self._owner_counts.changing(organization_id, None, membership),
            )
            return membership

        return await self._memberships.retry(attempt)
