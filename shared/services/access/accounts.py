"""Accounts: signing up, signing in, and who is a member of an organization."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import (
    FAILURES_BEFORE_LOCK,
    LOCK_MINUTES,
    Account,
    FailedSignIns,
    Membership,
    Session,
    address_partition,
    member_counts,
)
from shared.domain.kernel.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    LockedError,
    MalformedError,
    UnauthenticatedError,
)
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import fingerprint, new_id
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.access.authentication import Authentication
from shared.services.access.passwords import Hashing, Passwords
from shared.services.access.stored_accounts import ACCOUNT, FoundAccount, StoredAccounts
from shared.services.access.tokens import Claims, Tokens
from shared.services.storage import Outbox, Records, StaleEtagError, Store, Stored
from shared.services.tenancy.organizations import OrganizationDraft, Organizations
from shared.settings import Settings

_RETRY_AFTER = timedelta(seconds=30)
"""When the sweep completes a sign-up that was cut short."""
_FAILED = "failed_sign_ins"
_WRONG = "The e-mail address or the password is wrong"


class SignUp(BaseModel):
    """A person with a first organization, as they are asked for."""

    email: str
    password: str
    full_name: str
    organization_name: str
    currency: str
    timezone: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    access_token: str
    refresh_token: str
    expires_in: int
    """Seconds until the access token expires."""


class Accounts:
    """The account of an e-mail address decides a sign-up. It names all ids, so that its organization and membership
    can be created from it: at once, by a repeated sign-up, by the sign-in or by the sweep.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        organizations: Organizations,
        authentication: Authentication,
        tokens: Tokens,
        passwords: Passwords,
        outbox: Outbox,
        settings: Settings,
    ) -> None:
        self._clock = clock
        self._accounts = StoredAccounts(store, outbox)
        self._memberships = Records(store, TENANTS, Membership)
        self._sessions = Records(store, DIRECTORY, Session)
        self._failures = Records(store, DIRECTORY, FailedSignIns, called="account")
        self._organizations = organizations
        self._authentication = authentication
        self._tokens = tokens
        self._passwords = passwords
        self._settings = settings

    async def sign_up(self, wanted: SignUp) -> tuple[Account, Organization]:
        """The account and its organization. Repeating it with the same password completes what was begun.

        Raises `ConflictError` for a taken e-mail address, and `UnavailableError` where too many passwords wait.
        """
        with self._passwords.admitted() as hashing:
            found = await self._registered(wanted, hashing)
        return await self._complete(found)

    async def _registered(self, wanted: SignUp, hashing: Hashing) -> FoundAccount:
        """The account that decides the sign-up: a new one, or the same person's pending one."""
        now = self._clock.now()
        account = Account(
            id=ACCOUNT,
            user_id=new_id("usr"),
            email=wanted.email,
            full_name=wanted.full_name,
            password_hash=await hashing.hashed(wanted.password),
            status="pending",
            organization_ids=(new_id("org"),),
            created_at=now,
            organization_name=wanted.organization_name,
            currency=wanted.currency,
            timezone=wanted.timezone,
        )
        found = await self._accounts.create(account, due_at=now + _RETRY_AFTER)
        if found.account.user_id != account.user_id:
            is_same_person = await hashing.matches(found.account.password_hash, wanted.password)
            if found.account.status != "pending" or not is_same_person:
                raise ConflictError("The e-mail address is taken", errors=(FieldError("/email", "is taken"),))
        return found

    async def _complete(self, found: FoundAccount) -> tuple[Account, Organization]:
        """Create what a pending account promises, and make it active unless another was faster.

        The membership comes first, so that no organization is seen, and billed, without its owner.
        """
        account = found.account
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
        active = account.changed(status="active")
        with suppress(StaleEtagError):
            await self._accounts.write(found, active)
        return active, organization

    async def member_counts(self, organization_id: str) -> History[int]:
        """How many members the organization had from when on."""
        return member_counts([membership async for membership, _ in self._memberships.all(organization_id)])

    async def complete_due(self, stored: Stored[Account]) -> None:
        """Complete a sign-up that was cut short."""
        found = await self._accounts.find(stored.entity.email)
        if found is not None and found.account.status == "pending":
            await self._complete(found)

    async def sign_in(self, email: str, password: str, organization_id: str | None) -> SignedIn:
        """Start a session in one of the account's organizations.

        With None it is the account's only organization. Raises `LockedError` after 5 failures in an hour, also for an
        unknown address; `UnauthenticatedError`, also for an organization that was deleted long ago; `ForbiddenError`
        for a disabled account; `MalformedError` where the organization has to be chosen; `UnavailableError` where too
        many passwords wait, which counts no try.
        """
        with self._passwords.admitted() as hashing:
            await self._count_try(email)
            found = await self._accounts.find(email)
            matches = await hashing.matches(found.account.password_hash if found is not None else None, password)
        if found is None or not matches:
            raise UnauthenticatedError(_WRONG)
        account = found.account
        await self._failures.remove(address_partition(email), _FAILED)
        if account.status == "disabled":
            raise ForbiddenError("The account is disabled")
        if account.status == "pending":
            account, _ = await self._complete(found)
        chosen, roles = await self._chosen(account, organization_id)
        return await self._start_session(account, chosen, roles)

    async def _chosen(self, account: Account, organization_id: str | None) -> tuple[str | None, tuple[str, ...]]:
        """The organization to sign in to, None for the operator's side, and the roles there."""
        if account.operator_role is not None and organization_id is None:
            return None, (account.operator_role,)
        if organization_id is None and len(account.organization_ids) != 1:
            raise MalformedError(
                "Choose one of your organizations as organization_id",
                errors=tuple(FieldError("/organization_id", choice) for choice in account.organization_ids),
            )
        chosen = organization_id or account.organization_ids[0]
        is_member = chosen in account.organization_ids
        membership = await self._memberships.find(chosen, account.user_id) if is_member else None
        if membership is None:
            raise UnauthenticatedError(_WRONG)
        await self._authentication.check_open(chosen)
        return chosen, (membership.entity.role,)

    async def _start_session(self, account: Account, organization_id: str | None, roles: tuple[str, ...]) -> SignedIn:
        refresh_token = secrets.token_urlsafe(32)
        lifetime = timedelta(days=self._settings.refresh_token_days)
        session = Session(
            id=new_id("ses"),
            user_id=account.user_id,
            organization_id=organization_id,
            refresh_fingerprint=fingerprint(refresh_token),
            expires_at=self._clock.now() + lifetime,
        )
        await self._sessions.create(f"session:{session.id}", session, expires_in=lifetime)
        access_token = await self._tokens.issue(Claims(account.user_id, organization_id, roles, session.id))
        return SignedIn(access_token, refresh_token, int(self._tokens.lifetime.total_seconds()))

    async def _count_try(self, email: str) -> None:
        """Count a failure before the password is checked.

        So attempts at the same time do not pass uncounted. A success clears the count. Raises `LockedError`.
        """

        def decide(failures: FailedSignIns | None) -> FailedSignIns:
            now = self._clock.now()
            since = now - timedelta(minutes=LOCK_MINUTES)
            recent = tuple(at for at in (failures.at if failures is not None else ()) if at > since)
            if len(recent) >= FAILURES_BEFORE_LOCK:
                raise LockedError(f"Locked for up to {LOCK_MINUTES} minutes after {FAILURES_BEFORE_LOCK} failures")
            return FailedSignIns(id=_FAILED, at=(*recent, now))

        await self._failures.change_or_create(address_partition(email), _FAILED, decide)

    async def ensure_operator(self, email: str, password: str) -> bool:
        """Create the first superuser unless the address has an account. Whether it was created now."""
        with self._passwords.admitted() as hashing:
            password_hash = await hashing.hashed(password)
        account = Account(
            id=ACCOUNT,
            user_id=new_id("usr"),
            email=email,
            full_name="Operator",
            password_hash=password_hash,
            status="active",
            operator_role="system",
            created_at=self._clock.now(),
        )
        found = await self._accounts.create(account)
        return found.account.user_id == account.user_id
