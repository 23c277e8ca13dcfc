"""The list of a user's organizations in the account, which follows the memberships."""

from shared.containers import TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.kernel.errors import NotFoundError
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Outbox, OutboxEntry, Records, Store, look_twice

MEMBERSHIP_CHANGED = "membership_changed"
"""The effect of a membership that was made or ended: the account lists the organization, or lists it no longer."""


class MemberOrganizations:
    """An entry is stored in one batch with the membership that it is about, under an id that is the user's.

    So an effect that has read the membership before it changed again happens once more.
    """

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._outbox = outbox
        self._sender = outbox.sender(MEMBERSHIP_CHANGED)
        self._accounts = StoredAccounts(store).records
        self._memberships = Records(store, TENANTS, Membership)

    def entry(self, organization_id: str, user_id: str) -> OutboxEntry:
        return self._sender.entry(f"{MEMBERSHIP_CHANGED}:{user_id}", organization_id=organization_id, user_id=user_id)

    async def attempt(self, organization_id: str, entry: OutboxEntry) -> None:
        """Let it happen now if possible. What fails is left for the sweep."""
        await self._outbox.attempt(TENANTS.name, organization_id, entry.id)

    async def follow(self, organization_id: str, user_id: str) -> None:
        """What happens for `MEMBERSHIP_CHANGED`. Safe to repeat."""

        async def decide(account: Account) -> Account:
            is_new = organization_id not in account.organization_ids
            membership = await look_twice(
                lambda: self._memberships.find(organization_id, user_id),
                is_doubtful=lambda found: found is None and is_new,
            )
            return account.in_organization(organization_id, is_member=membership is not None)

        try:
            await self._accounts.change(user_partition(user_id), ACCOUNT, decide)
        except NotFoundError:
            return  # an account of an earlier version, which is carried over at the next sign-in
