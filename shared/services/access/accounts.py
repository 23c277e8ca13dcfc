"""Sign-up, sign-in, and the first operator."""

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from pydantic import BaseModel

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import (
    FAILURES_BEFORE_LOCK,
    LOCK_MINUTES,
    Account,
    FailedSignIns,
    Membership,
    Session,
    email_partition,
    member_counts,
)
from shared.domain.kernel.errors import (
    ConflictError,
    FieldError,
    ForbiddenError,
    LockedError,
    MalformedError,
    UnauthenticatedError,
    UnavailableError,
)
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import fingerprint, new_id
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Item, StaleEtagError, Store, every_item
from shared.services.access.tokens import Claims, Tokens
from shared.services.tenancy.organizations import OrganizationDraft, Organizations
from shared.settings import Settings

_RETRY_AFTER = timedelta(seconds=30)
_FAILED = "failed_sign_ins"
_TRIES_AT_ONCE = 20
_WRONG = "The e-mail address or the password is wrong"
_hasher = PasswordHasher()


class SignUp(BaseModel):
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


class Accounts:
    """The directory item of an e-mail address decides a sign-up. It carries all ids; the organization and the
    membership are made from it at once, by a repeated sign-up, by the sign-in or by the sweep.
    """

    def __init__(
        self, store: Store, clock: Clock, organizations: Organizations, tokens: Tokens, settings: Settings
    ) -> None:
        self._store = store
        self._clock = clock
        self._organizations = organizations
        self._tokens = tokens
        self._settings = settings

    async def sign_up(self, wanted: SignUp) -> tuple[Account, Organization]:
        """Raises `ConflictError` for a taken e-mail; a repeated call of the same person completes what was begun."""
        now = self._clock.now()
        account = Account(
            id="account",
            user_id=new_id("usr"),
            email=wanted.email,
            full_name=wanted.full_name,
            password_hash=await _hashed(wanted.password),
            status="pending",
            organization_ids=(new_id("org"),),
            created_at=now,
            organization_name=wanted.organization_name,
            currency=wanted.currency,
            timezone=wanted.timezone,
        )
        document = {**account.document(), "due_at": to_text(now + _RETRY_AFTER)}
        try:
            etag = await self._store.create(DIRECTORY.name, email_partition(wanted.email), document)
        except AlreadyExistsError as error:
            item = await self._item(wanted.email)
            if item is None:
                raise UnavailableError("The account was made a moment ago and cannot be read yet") from error
            account, etag = Account.read(item.document), item.etag
            if account.status != "pending" or not await _matches(account.password_hash, wanted.password):
                raise ConflictError(
                    "The e-mail address is taken", errors=(FieldError("/email", "is taken"),)
                ) from error
        return await self._complete(account, etag)

    async def _complete(self, account: Account, etag: str) -> tuple[Account, Organization]:
        """Whatever comes later to an account that is complete must stand, so only a pending one is written over. The
        membership first, so that no organization is seen, and rated, without its owner.
        """
        organization_id = account.organization_ids[0]
        owner = Membership(id=account.user_id, role="owner", joined_at=account.created_at)
        with suppress(AlreadyExistsError):
            await self._store.create(TENANTS.name, organization_id, owner.document())
        organization = await self._organizations.create(
            organization_id,
            OrganizationDraft(
                name=account.organization_name,
                currency=account.currency,
                timezone=account.timezone,
                billing_email=account.email,
            ),
        )
        active = account.changed(status="active")
        with suppress(StaleEtagError):  # another was faster
            await self._store.replace(DIRECTORY.name, email_partition(account.email), active.document(), etag)
        return active, organization

    async def member_counts(self, organization_id: str) -> History[int]:
        """How many members the organization had from when on."""
        members = every_item(self._store, TENANTS.name, organization_id, Membership.kind)
        return member_counts([Membership.read(item.document) async for item in members])

    async def complete_due(self, item: Item) -> None:
        if item.document["status"] == "pending":
            await self._complete(Account.read(item.document), item.etag)

    async def sign_in(self, email: str, password: str, organization_id: str | None) -> SignedIn:
        """Raises `LockedError` after 5 failures in an hour (unknown e-mails alike), `UnauthenticatedError`,
        `ForbiddenError` for a disabled account, `MalformedError` where the organization has to be chosen.
        """
        await self._count_try(email)
        item = await self._item(email)
        account = Account.read(item.document) if item else None
        nobodys = await asyncio.to_thread(_nobodys_hash)  # also where it is not needed: it takes long the first time
        if not await _matches(account.password_hash if account else nobodys, password) or account is None:
            raise UnauthenticatedError(_WRONG)
        await self._store.delete(DIRECTORY.name, email_partition(email), _FAILED)
        if account.status == "disabled":
            raise ForbiddenError("The account is disabled")
        if item is not None and account.status == "pending":
            account, _ = await self._complete(account, item.etag)
        chosen, roles = await self._chosen(account, organization_id)
        return await self._start_session(account, chosen, roles)

    async def _chosen(self, account: Account, organization_id: str | None) -> tuple[str | None, tuple[str, ...]]:
        """The organization to sign in to and the roles there; None is the operator's side."""
        if account.operator_role is not None and organization_id is None:
            return None, (account.operator_role,)
        if organization_id is None and len(account.organization_ids) != 1:
            raise MalformedError(
                "Choose one of your organizations as organization_id",
                errors=tuple(FieldError("/organization_id", choice) for choice in account.organization_ids),
            )
        chosen = organization_id or account.organization_ids[0]
        item = (
            await self._store.get(TENANTS.name, chosen, account.user_id) if chosen in account.organization_ids else None
        )
        if item is None:
            raise UnauthenticatedError(_WRONG)
        return chosen, (Membership.read(item.document).role,)

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
        document = {**session.document(), "ttl": int(lifetime.total_seconds())}
        await self._store.create(DIRECTORY.name, f"session:{session.id}", document)
        access_token = await self._tokens.issue(Claims(account.user_id, organization_id, roles, session.id))
        return SignedIn(access_token, refresh_token, int(self._tokens.lifetime.total_seconds()))

    async def _item(self, email: str) -> Item | None:
        return await self._store.get(DIRECTORY.name, email_partition(email), "account")

    async def _count_try(self, email: str) -> None:
        """Counted as a failure before the password is looked at, so that many at once do not pass; a success clears
        the count. Raises `LockedError`.
        """
        since = self._clock.now() - timedelta(minutes=LOCK_MINUTES)
        for attempt in range(_TRIES_AT_ONCE):
            item = await self._store.get(DIRECTORY.name, email_partition(email), _FAILED)
            failed = FailedSignIns.read(item.document) if item else FailedSignIns(id=_FAILED)
            recent = tuple(at for at in failed.at if at > since)
            if len(recent) >= FAILURES_BEFORE_LOCK:
                raise LockedError(f"Locked for up to {LOCK_MINUTES} minutes after {FAILURES_BEFORE_LOCK} failures")
            counted = failed.changed(at=(*recent, self._clock.now()))
            document = {**counted.document(), "ttl": LOCK_MINUTES * 60}
            try:
                if item is None:
                    await self._store.create(DIRECTORY.name, email_partition(email), document)
                else:
                    await self._store.replace(DIRECTORY.name, email_partition(email), document, item.etag)
            except (AlreadyExistsError, StaleEtagError):
                await asyncio.sleep(0.01 * attempt)
            else:
                return
        raise UnavailableError("Too many sign-ins to this account at once")

    async def ensure_operator(self, email: str, password: str) -> bool:
        """Make the first superuser unless the address has an account; whether it was made."""
        account = Account(
            id="account",
            user_id=new_id("usr"),
            email=email,
            full_name="Operator",
            password_hash=await _hashed(password),
            status="active",
            operator_role="system",
            created_at=self._clock.now(),
        )
        try:
            await self._store.create(DIRECTORY.name, email_partition(email), account.document())
        except AlreadyExistsError:
            return False
        return True


async def _hashed(password: str) -> str:
    return await asyncio.to_thread(_hasher.hash, password)


@cache
def _nobodys_hash() -> str:
    """Checked against for unknown e-mails, so that these take as long as known ones."""
    return _hasher.hash(secrets.token_urlsafe())


async def _matches(password_hash: str, password: str) -> bool:
    try:
        return await asyncio.to_thread(_hasher.verify, password_hash, password)
    except VerificationError:
        return False
