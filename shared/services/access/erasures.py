"""Erasing a person: what names them is deleted or can no longer be read; books and trails stay whole."""

from collections.abc import Awaitable, Callable
from typing import Any

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import (
    ACCOUNT,
    Account,
    AddressClaim,
    Membership,
    address_partition,
    comparable_address,
    trails_of_account,
    user_partition,
)
from shared.domain.access.identity import Permission, Principal
from shared.domain.access.identity_providers import LinkOffer
from shared.domain.access.invitations import Invitation
from shared.domain.access.lockout import FailedSignIns, KnownDevice
from shared.domain.access.second_factors import PendingSignIn
from shared.domain.access.sessions import Session
from shared.domain.access.users import ListedUser, user_slice
from shared.domain.kernel.audit import Target, by_value
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ForbiddenError, NotFoundError
from shared.domain.tenancy.organizations import Organization
from shared.ports.remnants import Remnants
from shared.services.access.api_keys import ApiKeys
from shared.services.access.members import Members
from shared.services.access.sessions import Sessions
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.access.users import Users
from shared.services.storage import OPERATOR, Outbox, OutboxEntry, Records, Store, look_twice, noting, putting
from shared.services.storage.audit.personal import PersonalKeys
from shared.services.storage.idempotency import Idempotency
from shared.services.tenancy.exports import Exports

USER_ERASED = "user_erased"
"""The effect of the decision to erase a person."""

Forget = Callable[[str, Account], Awaitable[None]]
"""Takes an organization's id and the account of who is erased. Has to be safe to repeat."""

_OF_USER: tuple[type[Entity], ...] = (
    Session,
    KnownDevice,
    PendingSignIn,
    FailedSignIns,
    LinkOffer,
    OutboxEntry,
)
_OF_ADDRESS: tuple[type[Entity], ...] = (AddressClaim, FailedSignIns, OutboxEntry)


class Erasures:
    """The decision disables the account and notes the effect beside it. The effect goes over everything that may name
    the person, and deletes the account last, so that each try knows whom it is about.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        users: Users,
        members: Members,
        sessions: Sessions,
        keys: ApiKeys,
        personal: PersonalKeys,
        idempotency: Idempotency,
        exports: Exports,
        outbox: Outbox,
        remnants: Remnants,
    ) -> None:
        self._store = store
        self._users = users
        self._members = members
        self._sessions = sessions
        self._keys = keys
        self._personal = personal
        self._idempotency = idempotency
        self._exports = exports
        self._outbox = outbox
        self._sender = outbox.sender(USER_ERASED)
        self._remnants = remnants
        self._forgetting: list[Forget] = []
        self._accounts = StoredAccounts(store)
        self._memberships = Records(store, TENANTS, Membership)
        self._organizations = Records(store, TENANTS, Organization, prefix="org", called="organization")
        self._invitations = Records(store, TENANTS, Invitation)

    def also(self, forget: Forget) -> None:
        """Let a service above this one take out what it keeps of a person in an organization."""
        self._forgetting.append(forget)

    async def ask(self, user_id: str, by: Principal) -> None:
        """Decide on it. The account is disabled at once; the rest follows within minutes.

        For the user, for support (not on the operator's staff), and for who owns every organization that the user is
        in. Raises `NotFoundError`, `ForbiddenError`, `LastOwnerError`.
        """
        account = (await look_twice(lambda: self._accounts.get(user_id), errors=(NotFoundError,))).entity
        await self._check_may(account, by)
        await self._users.suspend(account)
        entry = self._sender.entry(USER_ERASED, user_id=user_id)
        trails = trails_of_account(account) or (OPERATOR,)
        told = noting("users.erase", Target("user", user_id), trails)
        await self._sessions.end_all(
            user_id,
            lambda current: current.changed(status="disabled"),
            with_devices=True,
            beside=[putting(entry), told],
        )
        await self._outbox.attempt(DIRECTORY.name, user_partition(user_id), entry.id)

    async def _check_may(self, account: Account, by: Principal) -> None:
        if by.user_id == account.user_id:
            return
        if account.operator_role is not None and not by.may(Permission.STAFF_WRITE):
            raise ForbiddenError("This is an account of the operator's staff, which support does not act on")
        if by.may(Permission.USERS_WRITE):
            return
        owned = [await self._owns(organization_id, by) for organization_id in account.organization_ids]
        if not owned or not all(owned):
            raise ForbiddenError("This is for the user, for support, and for who owns all of the user's organizations")

    async def _owns(self, organization_id: str, by: Principal) -> bool:
        membership = await self._memberships.find(organization_id, by.user_id or "")
        return membership is not None and membership.entity.is_owner

    async def carry_out(self, user_id: str) -> None:
        """What happens for `USER_ERASED`. Safe to repeat."""
        stored = await self._accounts.records.find(user_partition(user_id), ACCOUNT)
        if stored is None:
            await self._remnants.overwrite_deleted()  # an earlier try got through, perhaps but for this
            return
        account = stored.entity
        for organization_id in account.organization_ids:
            await self._keys.delete_made_by(organization_id, user_id)
            await self._leave(organization_id, account)
        await self._idempotency.forget(OPERATOR, _named(account))
        await self._personal.destroy(user_id)
        await self._personal.destroy(by_value(account, account.email))
        for organization_id in account.organization_ids:  # what is written from here on does not name the person
            await self._exports.discard_all(organization_id)
        await self._clear(address_partition(account.email), *_OF_ADDRESS)
        await Records(self._store, DIRECTORY, ListedUser).remove(user_slice(user_id), user_id)
        await self._clear(user_partition(user_id), *_OF_USER)
        await self._remnants.remove_mails(account.email)
        await self._remnants.overwrite_deleted()
        await self._accounts.records.remove(user_partition(user_id), ACCOUNT)
        await self._remnants.overwrite_deleted()

    async def _leave(self, organization_id: str, account: Account) -> None:
        """End the membership, and take the address out of what the organization keeps."""
        email = comparable_address(account.email)

        def decide(organization: Organization) -> Organization:
            own = organization.own_settings
            contacts = tuple(each for each in own.billing_contacts if comparable_address(each) != email)
            fields: dict[str, Any] = {"own_settings": own.model_copy(update={"billing_contacts": contacts})}
            for name in ("billing_email", "contact"):
                value = getattr(organization, name)
                if value is not None and comparable_address(value) == email:
                    fields[name] = None
            return organization.changed(**fields)

        await self._organizations.change(organization_id, organization_id, decide)
        for forget in self._forgetting:
            await forget(organization_id, account)
        async for invitation in self._invitations.all(organization_id):
            if invitation.entity.is_for(account.email):
                await self._invitations.remove(organization_id, invitation.entity.id)
        await self._idempotency.forget(organization_id, _named(account))
        if await self._memberships.find(organization_id, account.user_id) is not None:
            await self._members.end(organization_id, account.user_id)

    async def _clear(self, partition: str, *models: type[Entity]) -> None:
        """Delete all of these kinds, but for the entry that this is the effect of: it goes once it has happened."""
        own = self._sender.entry(USER_ERASED, user_id="").id
        for model in models:
            records = Records(self._store, DIRECTORY, model)
            async for stored in records.all(partition):
                if stored.entity.id != own:
                    await records.remove(partition, stored.entity.id)


def _named(account: Account) -> tuple[str, ...]:
    """What names the person in texts."""
    return (account.email, account.full_name)
