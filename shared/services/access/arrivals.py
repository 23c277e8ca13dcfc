"""People whom an identity provider vouches for, and who become members as they arrive."""

from datetime import timedelta

from shared.containers import TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership
from shared.domain.access.identity_providers import IdentityProvider, arriving_user
from shared.ports.clock import Clock
from shared.ports.openid import ProvenIdentity
from shared.services.access.member_organizations import MemberOrganizations
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import AlreadyExistsError, Records, Store, putting

_COMPLETED_WITHIN = timedelta(seconds=30)


class Arrivals:
    """The claim of the address decides, as at a sign-up; the account has no password."""

    def __init__(self, store: Store, clock: Clock, member_organizations: MemberOrganizations) -> None:
        self._clock = clock
        self._member_organizations = member_organizations
        self._accounts = StoredAccounts(store)
        self._memberships = Records(store, TENANTS, Membership)

    async def arrive(self, provider: IdentityProvider, identity: ProvenIdentity) -> Account | None:
        """The account of a new member; None where the address has an account already. Safe to repeat."""
        now, user_id = self._clock.now(), arriving_user(provider.id, identity.subject)
        account = Account(
            id=ACCOUNT,
            user_id=user_id,
            email=identity.email,
            full_name=identity.name,
            password_hash=None,
            status="pending",
            created_at=now,
            verified_at=now,
        )
        found = await self._accounts.claim(account, due_at=now + _COMPLETED_WITHIN)
        if found.account.user_id != user_id:
            return None
        created = found.account
        if found.is_pending:
            created = (await self._accounts.create(found, found.promised.changed(status="active"))).entity
        await self.join(provider, user_id)
        return created

    async def join(self, provider: IdentityProvider, user_id: str) -> None:
        """Unless the user is a member already."""
        organization_id = provider.organization_id
        entry = self._member_organizations.entry(organization_id, user_id)
        membership = Membership(id=user_id, role=provider.default_role, joined_at=self._clock.now())
        try:
            await self._memberships.write(organization_id, None, membership, putting(entry))
        except AlreadyExistsError:
            return
        await self._member_organizations.attempt(organization_id, entry)
