"""Accounts: signing up, signing in, and who is a member of an organization."""

from contextlib import suppress
from datetime import timedelta

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.access.accounts import (
    ACCOUNT,
    Account,
    AddressClaim,
    Membership,
)
from shared.domain.access.origins import UNKNOWN_ORIGIN, Origin
from shared.domain.kernel.errors import (
    ConflictError,
    FieldError,
    NotFoundError,
    UnauthenticatedError,
    XyraError,
)
from shared.domain.kernel.ids import new_id
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.access.email_verification import verification_mail
from shared.services.access.letters import ACCESS_MAIL
from shared.services.access.lockout import CountedTry, Lockout
from shared.services.access.passwords import Hashing, Passwords
from shared.services.access.pending_sign_ins import FactorRequired, PendingSignIns
from shared.services.access.proofs import Proof, Proven, by_password
from shared.services.access.scopes import SessionScope, SessionScopes
from shared.services.access.sessions import Sessions, SignedIn, check_enabled
from shared.services.access.stored_accounts import FoundAccount, StoredAccounts
from shared.services.storage import Outbox, Records, Store, Stored, putting
from shared.services.tenancy.organizations import OrganizationDraft, Organizations

_RETRY_AFTER = timedelta(seconds=30)
"""When the sweep completes a sign-up that was cut short."""
SIGNED_UP = "signed_up"
"""The effect of a sign-up: the organization's wallet begins with its bonus."""
_WRONG = "The e-mail address or the password is wrong"


class SignUp(BaseModel):
    """A person with a first organization, as they are asked for."""

    email: str
    password: str
    full_name: str
    organization_name: str
    currency: str
    timezone: str


class Accounts:
    """The claim of an e-mail address decides a sign-up. It carries all ids, so that membership, organization and
    account can be created from it: at once, by a repeated sign-up, by the sign-in or by the sweep.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        organizations: Organizations,
        scopes: SessionScopes,
        sessions: Sessions,
        lockout: Lockout,
        passwords: Passwords,
        pending_sign_ins: PendingSignIns,
        outbox: Outbox,
    ) -> None:
        self._clock = clock
        self._accounts = StoredAccounts(store, outbox)
        self._memberships = Records(store, TENANTS, Membership)
        self._organizations = organizations
        self._scopes = scopes
        self._sessions = sessions
        self._lockout = lockout
        self._passwords = passwords
        self._pending_sign_ins = pending_sign_ins
        self._mails = outbox.sender(ACCESS_MAIL)
        self._signed_up = outbox.sender(SIGNED_UP)

    async def sign_up(self, wanted: SignUp) -> tuple[Account, Organization]:
        """The account and its organization. Repeating it with the same password completes what was begun.

        Raises `ConflictError` for a taken e-mail address, `ValidationError` for a password that is easy to guess, and
        `UnavailableError` where too many passwords wait.
        """
        with self._passwords.admitted() as hashing:
            found = await self._registered(wanted, hashing)
        return await self._complete(found)

    async def _registered(self, wanted: SignUp, hashing: Hashing) -> FoundAccount:
        """The account that decides the sign-up: a new one, or the same person's pending one."""
        await hashing.check_strength(wanted.password, email=wanted.email, full_name=wanted.full_name)
        now = self._clock.now()
        account = Account(
            id=ACCOUNT,
            user_id=new_id("usr"),
            email=wanted.email,
            full_name=wanted.full_name,
            password_hash=await hashing.hashed(wanted.password),
            status="pending",
            needs_verification=True,
            organization_ids=(new_id("org"),),
            created_at=now,
            organization_name=wanted.organization_name,
            currency=wanted.currency,
            timezone=wanted.timezone,
        )
        found = await self._accounts.claim(account, due_at=now + _RETRY_AFTER)
        if found.account.user_id != account.user_id:
            is_same_person = await hashing.matches(found.account.password_hash, wanted.password)
            if not (found.is_pending and is_same_person):
                raise ConflictError("The e-mail address is taken", errors=(FieldError("/email", "is taken"),))
        return found

    async def _complete(self, found: FoundAccount) -> tuple[Account, Organization]:
        """Create what a claim promises; safe to repeat.

        The membership comes first, so that no organization is seen, and billed, without its owner.
        """
        account = found.promised
        organization_id = account.organization_ids[0]
        owner = Membership(id=account.user_id, role="owner", joined_at=account.created_at)
        await self._memberships.ensure(organization_id, owner)
        organization = await self._organizations.create(
            organization_id,
            OrganizationDraft(
                name=account.organization_name,
                currency=account.currency,
                timezone=account.timezone,
                billing_email=account.email,
                is_signing_up=True,
            ),
        )
        mail = verification_mail(self._mails, account, self._clock.now())
        signed_up = self._signed_up.entry(f"{SIGNED_UP}:{organization_id}", organization_id=organization_id)
        stored = await self._accounts.create(found, account.changed(status="active"), [mail, putting(signed_up)])
        return stored.entity, organization

    async def _completed(self, found: FoundAccount) -> Account:
        """The account, after what its claim promises was created."""
        if not found.is_pending:
            return found.account
        # The account comes last. The operator's staff and who was invited have nothing else.
        if found.stored is not None or not found.promised.organization_ids:
            return (await self._accounts.create(found, found.promised.changed(status="active"))).entity
        account, _ = await self._complete(found)
        return account

    async def get(self, user_id: str) -> Account:
        """Raises `NotFoundError`."""
        return (await self._accounts.get(user_id)).entity

    async def complete_due(self, claim: Stored[AddressClaim]) -> None:
        """Complete a sign-up that was cut short."""
        if claim.entity.pending is not None:
            await self._complete_of(claim.entity.pending.email)

    async def complete_due_of_before(self, account: Stored[Account]) -> None:
        """Complete a sign-up that was cut short before claims carried the account."""
        await self._complete_of(account.entity.email)

    async def _complete_of(self, email: str) -> None:
        found = await self._accounts.find(email)
        if found is not None:
            await self._completed(found)

    async def sign_in(
        self,
        email: str,
        password: str,
        organization_id: str | None,
        *,
        device_token: str | None = None,
        origin: Origin = UNKNOWN_ORIGIN,
    ) -> SignedIn | FactorRequired:
        """Start a session in one of the account's organizations, or ask for the second factor that the account has.

        With None it is the account's only organization. A known address and an unknown one take the same reads, writes
        and hashes until a password is right. Raises `LockedError` after 5 failures in an hour, also for an unknown
        address; `UnauthenticatedError`, also for an organization that was deleted long ago; `ForbiddenError` for a
        disabled account; `OrganizationRequiredError` where the organization has to be chosen; `UnavailableError` where
        too many passwords wait, which counts no try.
        """
        with self._passwords.admitted() as hashing:
            found = await self._accounts.find(email, device_token or "")
            counted = await self._count(email, found)
            matches = await hashing.matches(found.account.password_hash if found is not None else None, password)
        if found is None or not matches:
            await self._lockout.tell(counted, None if found is None else found.account)
            raise UnauthenticatedError(_WRONG)
        try:
            check_enabled(found.account)
            account = await self._completed(found)
            scope = await self._scope(account, organization_id)
            if account.second_factors.any:
                required = await self._pending_sign_ins.begin(account, scope, counted.device_id)
                await self._lockout.take_back(counted)
                return required
            signed_in = await self._sessions.begin(
                account.user_id,
                scope,
                origin,
                prove=_without_factor(found.account.password_hash),
                device_id=counted.device_id,
            )
        except XyraError:
            await self._lockout.take_back(counted)
            raise
        await self._lockout.clear(counted)
        return signed_in

    async def _count(self, email: str, found: FoundAccount | None) -> CountedTry:
        """Count a failure before the password is checked: for the device where it is known, else for the address."""
        device = None if found is None else found.device
        if found is None or device is None or not device.is_known(self._clock.now(), found.account.devices_ended_at):
            return await self._lockout.count_for_address(email)
        with suppress(NotFoundError):
            return await self._lockout.count_for_device(found.account.user_id, device.id)
        return await self._lockout.count_for_address(email)

    async def _scope(self, account: Account, organization_id: str | None) -> SessionScope:
        """Where the sign-in leads."""
        if organization_id is None:
            return await self._scopes.only_one(account)
        try:
            return await self._scopes.in_organization(account.user_id, organization_id)
        except NotFoundError as error:
            raise UnauthenticatedError(_WRONG) from error

    async def ensure_operator(self, email: str, password: str) -> bool:
        """Create the first superuser unless the address has an account. Whether it was created now."""
        with self._passwords.admitted() as hashing:
            password_hash = await hashing.hashed(password)
        now = self._clock.now()
        account = Account(
            id=ACCOUNT,
            user_id=new_id("usr"),
            email=email,
            full_name="Operator",
            password_hash=password_hash,
            status="pending",
            operator_role="system",
            created_at=now,
        )
        found = await self._accounts.claim(account, due_at=now + _RETRY_AFTER)
        if found.account.operator_role is not None:
            await self._completed(found)
        return found.account.user_id == account.user_id


def _without_factor(password_hash: str | None) -> Proof:
    """That the password is right, and the account still has no second factor."""
    proof = by_password(password_hash)

    async def prove(account: Account) -> Proven:
        if account.second_factors.any:
            raise UnauthenticatedError("A second factor was enrolled meanwhile; sign in again")
        return await proof(account)

    return prove
