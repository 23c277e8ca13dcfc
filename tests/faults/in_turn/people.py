"""People who are invited, given a role and removed, and the keys that stop."""

from contextlib import suppress
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from shared.bootstrap import Application
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, address_partition, user_partition
from shared.domain.access.identity import OPERATOR_ONLY, ROLE_PERMISSIONS, Permission, Principal
from shared.domain.access.invitations import Invitation
from shared.domain.access.members import FormerMember, OwnerCount, member_id
from shared.domain.kernel.errors import ConflictError, InvalidTokenError, NotFoundError, UnauthenticatedError
from shared.domain.kernel.ids import named_id
from shared.services.access.api_keys import ApiKeyDraft
from shared.services.access.invitations import InvitationDraft, NewPerson
from shared.services.storage import Records
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, Scene
from tests.faults.in_turn.path import Path, Result

OWNER = named_id("usr", "owner")
OTHER = named_id("usr", "other owner")
GRACE = "grace@example.com"
INVITATION = named_id("invt", "grace")
PERSON = NewPerson("six horses under a paper moon", "Grace Hopper")


def principal(user_id: str) -> Principal:
    permissions = ROLE_PERMISSIONS["owner"] - OPERATOR_ONLY
    return Principal(user_id, ORGANIZATION, permissions, user_id=user_id, role="owner")


async def join(scene: Scene, *user_ids: str) -> None:
    """Owners with verified accounts."""
    now = scene.clock.now()
    store = scene.host().audited_store
    memberships, accounts = Records(store, TENANTS, Membership), Records(store, DIRECTORY, Account)
    for user_id in user_ids:
        await memberships.ensure(ORGANIZATION, Membership(id=user_id, role="owner", joined_at=now))
        account = Account(
            id=ACCOUNT,
            user_id=user_id,
            email=f"{user_id}@example.com",
            full_name="Owner",
            password_hash=None,
            status="active",
            organization_ids=(ORGANIZATION,),
            created_at=now,
            verified_at=now,
        )
        await accounts.ensure(user_partition(user_id), account)


async def organizations_of(scene: Scene, user_id: str) -> tuple[str, ...]:
    item = await scene.store.get(DIRECTORY.name, user_partition(user_id), ACCOUNT)
    assert item is not None
    return Account.read(item.document).organization_ids


async def owners(scene: Scene) -> int:
    """How many owners there are, which the guarded number says, too."""
    members = await scene.documents(TENANTS.name, ORGANIZATION, Membership.kind)
    number = sum(member["role"] == "owner" for member in members)
    counted = await scene.documents(TENANTS.name, ORGANIZATION, OwnerCount.kind)
    assert [document["number"] for document in counted] in ([], [number])
    return number


class Invite(Path):
    """An owner invites somebody. Meanwhile another owner invites somebody else."""

    async def prepare(self) -> None:
        await join(self.scene, OWNER, OTHER)

    async def walk(self, host: Application) -> None:
        await self._invite(host, INVITATION, GRACE, OWNER)

    async def do_other(self, host: Application) -> None:
        await self._invite(host, named_id("invt", "another"), "another@example.com", OTHER)

    async def _invite(self, host: Application, invitation_id: str, email: str, by: str) -> None:
        draft = InvitationDraft(email, "developer")
        await host.invitations.create(invitation_id, ORGANIZATION, draft, principal(by))

    async def result(self) -> Result:
        await self.scene.drain()
        invitations = await self.scene.documents(TENANTS.name, ORGANIZATION, Invitation.kind)
        ours = [invitation for invitation in invitations if invitation["id"] == INVITATION]
        return Result([(each["email"], each["role"], each["status"]) for each in ours], None)


class Accept(Invite):
    """Who was invited to be an owner makes an account by accepting. Meanwhile an owner removes the other one.

    Where the answer got lost, the link says that it was used, and the person signs in.
    """

    token = ""

    async def prepare(self) -> None:
        await super().prepare()
        host = self.scene.host()
        draft = InvitationDraft(GRACE, "owner")
        await host.invitations.create(INVITATION, ORGANIZATION, draft, principal(OWNER))
        letter = await host.invitations.letter(request_id=INVITATION, organization_id=ORGANIZATION)
        assert letter is not None
        assert letter.link is not None
        (type(self).token,) = parse_qs(urlsplit(letter.link.url).query)["token"]

    async def walk(self, host: Application) -> None:
        with suppress(InvalidTokenError):
            await host.invitations.accept(self.token, None, PERSON)

    async def do_other(self, host: Application) -> None:
        with suppress(NotFoundError):
            await host.members.remove(ORGANIZATION, member_id(OTHER), principal(OWNER), None)

    async def result(self) -> Result:
        """One account, one membership, and a link that opens nothing any more."""
        await self.scene.drain()
        host = self.scene.host()
        signed_in = await host.accounts.sign_in(GRACE, PERSON.password, None)
        user = await host.authentication.authenticate(signed_in.access_token, for_events=False)
        claim = await self.scene.store.get(DIRECTORY.name, address_partition(GRACE), ACCOUNT)
        assert claim is not None
        assert (claim.document["user_id"], "pending" in claim.document) == (user.user_id, False)
        assert await organizations_of(self.scene, str(user.user_id)) == (ORGANIZATION,)
        for person in (None, PERSON):
            with suppress(InvalidTokenError):
                await host.invitations.accept(self.token, user, person)
                raise AssertionError("The link works twice")
        removed = 2 - len(await self._left(OWNER, OTHER))
        return Result((user.role, await owners(self.scene) + removed), None)

    async def _left(self, *user_ids: str) -> list[str]:
        members = await self.scene.documents(TENANTS.name, ORGANIZATION, Membership.kind)
        return [member["id"] for member in members if member["id"] in user_ids]


class ChangeRole(Path):
    """An owner steps down. Meanwhile the other owner does: the second one is refused, as one has to stay."""

    async def prepare(self) -> None:
        await join(self.scene, OWNER, OTHER)

    async def walk(self, host: Application) -> None:
        await self._step_down(host, OWNER)

    async def do_other(self, host: Application) -> None:
        await self._step_down(host, OTHER)

    async def _step_down(self, host: Application, user_id: str) -> None:
        with suppress(ConflictError):
            await host.members.change(ORGANIZATION, member_id(user_id), {"role": "admin"}, principal(user_id), None)

    async def result(self) -> Result:
        await self.scene.drain()
        await self._step_down(self.scene.host(), OTHER)
        return Result(await owners(self.scene), None)


class RemoveMember(ChangeRole):
    """An owner is removed. Meanwhile the other one steps down."""

    async def walk(self, host: Application) -> None:
        with suppress(NotFoundError, ConflictError):
            await host.members.remove(ORGANIZATION, member_id(OWNER), principal(OTHER), None)

    async def result(self) -> Result:
        """One owner, one seat for each member of then, and an account that lists what there is."""
        await self.scene.drain()
        members = await self.scene.documents(TENANTS.name, ORGANIZATION, Membership.kind)
        left = await self.scene.documents(TENANTS.name, ORGANIZATION, FormerMember.kind)
        assert len(members) + len(left) == 2
        for user_id in (OWNER, OTHER):
            is_member = user_id in [member["id"] for member in members]
            assert await organizations_of(self.scene, user_id) == ((ORGANIZATION,) if is_member else ())
        await self._step_down(self.scene.host(), OTHER)
        return Result(await owners(self.scene), None)


class Deactivate(ChangeRole):
    """An owner disables the own account. Meanwhile the other owner steps down."""

    async def prepare(self) -> None:
        await super().prepare()
        self.scene.clock.move(timedelta(minutes=5))

    async def walk(self, host: Application) -> None:
        with suppress(ConflictError):
            await host.users.deactivate(OWNER, principal(OWNER))

    async def do_other(self, host: Application) -> None:
        await self._step_down(host, OTHER)

    async def result(self) -> Result:
        """An owner who can sign in stays, and is counted; the account and the membership say the same."""
        await self.scene.drain()
        members = await self.scene.documents(TENANTS.name, ORGANIZATION, Membership.kind)
        (membership,) = [Membership.read(document) for document in members if document["id"] == OWNER]
        item = await self.scene.store.get(DIRECTORY.name, user_partition(OWNER), ACCOUNT)
        assert item is not None
        assert membership.suspended == (item.document["status"] == "disabled")
        await self._step_down(self.scene.host(), OTHER)
        working = [document for document in members if Membership.read(document).is_owner]
        counted = await self.scene.documents(TENANTS.name, ORGANIZATION, OwnerCount.kind)
        assert [document["number"] for document in counted] == [1]
        return Result(min(len(working), 1), None)


class CreateStaff(Path):
    """An operator makes an account of the staff. Meanwhile another one does, for the same address."""

    user_id = named_id("usr", "staff")

    async def walk(self, host: Application) -> None:
        await self._create(host, self.user_id)

    async def do_other(self, host: Application) -> None:
        await self._create(host, named_id("usr", "other staff"))

    async def _create(self, host: Application, user_id: str) -> None:
        with suppress(ConflictError):
            await host.users.create_staff(user_id, GRACE, "Grace", "support")

    async def result(self) -> Result:
        """The address has one account, which is listed."""
        await self.scene.drain()
        claim = await self.scene.store.get(DIRECTORY.name, address_partition(GRACE), ACCOUNT)
        assert claim is not None
        users, _ = await self.scene.host().users.page(100, None)
        assert claim.document["user_id"] in [account.user_id for account in users]
        (account,) = [account for account in users if account.user_id == claim.document["user_id"]]
        return Result((account.status, account.operator_role, "pending" in claim.document), None)


class DeactivateKey(Path):
    """An owner deactivates a key. Meanwhile another owner adopts it."""

    key_id = named_id("key", "stopped")
    token = ""

    async def prepare(self) -> None:
        await join(self.scene, OWNER, OTHER)
        draft = ApiKeyDraft(name="Key", scopes=(Permission.EVENTS_WRITE,))
        _, type(self).token = await self.scene.host().api_keys.create(
            self.key_id, ORGANIZATION, draft, principal(OWNER)
        )
        self.scene.clock.move(timedelta(minutes=5))

    async def walk(self, host: Application) -> None:
        await host.api_keys.deactivate(ORGANIZATION, self.key_id)

    async def do_other(self, host: Application) -> None:
        await host.api_keys.adopt(ORGANIZATION, self.key_id, principal(OTHER))

    async def result(self) -> Result:
        await self.scene.drain()
        host = self.scene.host()
        with suppress(UnauthenticatedError):
            await host.authentication.authenticate(self.token, for_events=False)
            raise AssertionError("The key still works")
        listed, _ = await host.api_keys.get(ORGANIZATION, self.key_id)
        return Result(listed.is_active, None)


class Erase(ChangeRole):
    """An owner is erased by the own decision. Meanwhile the other owner steps down."""

    async def prepare(self) -> None:
        await super().prepare()
        self.scene.clock.move(timedelta(minutes=5))

    async def walk(self, host: Application) -> None:
        with suppress(ConflictError, NotFoundError):
            await host.erasures.ask(OWNER, principal(OWNER))

    async def do_other(self, host: Application) -> None:
        await self._step_down(host, OTHER)

    async def result(self) -> Result:
        """Either the person is gone, with the address, or the last owner stays; never a part of it."""
        await self.scene.drain()
        account = await self.scene.store.get(DIRECTORY.name, user_partition(OWNER), ACCOUNT)
        members = await self.scene.documents(TENANTS.name, ORGANIZATION, Membership.kind)
        is_member = OWNER in [member["id"] for member in members]
        assert (account is None) == (not is_member)
        working = [document for document in members if Membership.read(document).is_owner]
        return Result(len(working) >= 1, None)
