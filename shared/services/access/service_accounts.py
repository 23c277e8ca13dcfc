"""Service accounts: the operator's catalog of them, and their tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.containers import CATALOG, DIRECTORY, TENANTS
from shared.domain.access.api_keys import ApiKey, WorkingKey, key_partition, maker_of, new_token, parent_of
from shared.domain.access.identity import KeyReference, Permission, Principal
from shared.domain.access.service_accounts import (
    CurrentToken,
    ServiceAccount,
    ServiceAccountToken,
    TokenStatus,
    check_catalog,
    current_token_id,
    expiry_within,
    lifetime_within,
    scopes_within,
    token_document_ttl,
    working_key,
)
from shared.domain.kernel.errors import ConflictError, ForbiddenError, NotFoundError
from shared.domain.kernel.ids import fingerprint, new_id
from shared.ports.clock import Clock
from shared.services.storage import (
    OPERATOR,
    Operation,
    Owners,
    Page,
    Records,
    Store,
    Stored,
    creating,
    look_twice,
    replacing,
)

_CATALOG = "service_account"
_WORKING = "key"
MAXIMUM_ACCOUNTS = 200
"""In the catalog."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token as it is asked for."""

    scopes: tuple[Permission, ...] | None
    lifetime_minutes: int | None
    reason: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token: str | None
    """Shown this once; None where an equal one that is active answers the request."""
    listed: ServiceAccountToken


@dataclass(frozen=True, slots=True)
class _Line:
    """What a new token descends from."""

    lineage: Sequence[KeyReference] = ()
    created_by: str | None = None
    maker: str | None = None


class ServiceAccounts:
    """A token works while it is in the directory, as API keys do, and is listed with its owner."""

    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._clock = clock
        self._accounts = Records(store, CATALOG, ServiceAccount)
        self._tokens = Records(
            store, TENANTS, ServiceAccountToken, prefix="sat", called="token of a service account", owners=owners
        )
        self._current = Records(store, TENANTS, CurrentToken)
        self._working = Records(store, DIRECTORY, WorkingKey)

    async def put(self, account: ServiceAccount, if_match: str | None) -> Stored[ServiceAccount]:
        """Replace what the catalog says of a name; tokens that there are keep what they have.

        Raises `ValidationError`, `ConflictError` where there are too many, `PreconditionFailedError`.
        """
        check_catalog(account)
        if len(await self.all()) >= MAXIMUM_ACCOUNTS and await self._accounts.find(_CATALOG, account.id) is None:
            raise ConflictError(f"The catalog has {MAXIMUM_ACCOUNTS} service accounts, which is the most")

        def decide(before: ServiceAccount | None) -> ServiceAccount:
            return account if before is None else account.changed(created_at=before.created_at)

        return await self._accounts.change_or_create(_CATALOG, account.id, decide, if_match)

    async def all(self) -> list[ServiceAccount]:
        """By name."""
        return (await self._accounts.page(_CATALOG, limit=MAXIMUM_ACCOUNTS)).entities

    async def get(self, name: str) -> ServiceAccount:
        """Raises `NotFoundError`."""
        stored = await look_twice(lambda: self._accounts.get(_CATALOG, name), errors=(NotFoundError,))
        return stored.entity

    async def issue(
        self, name: str, organization_id: str | None, wanted: TokenRequest, issuer: Principal
    ) -> IssuedToken:
        """A token, or the record of an equal one that is active.

        Raises `NotFoundError`, `ForbiddenError` for what the issuer may not give, `ValidationError`.
        """
        account = await self.get(name)
        check_owner(account, organization_id)
        scopes = scopes_within(account, wanted.scopes, issuer.permissions, of_tenant=organization_id is not None)
        lifetime = lifetime_within(account, wanted.lifetime_minutes)
        parent = parent_of(organization_id, issuer)
        line = _Line(
            lineage=() if parent is None else parent.lineage,
            created_by=issuer.user_id if parent is None else parent.created_by,
            maker=maker_of(organization_id, issuer),
        )
        owner, current_id = organization_id or OPERATOR, current_token_id(name, scopes)

        async def attempt() -> IssuedToken:
            current = await self._current.find(owner, current_id)
            equal = None if current is None or wanted.force else await self._working_one(owner, current.entity)
            if equal is not None:
                return IssuedToken(None, equal)
            token, listed = self._new(account, organization_id, scopes, lifetime, wanted.reason)
            expires_at, now = expiry_within(parent, listed.expires_at), self._clock.now()
            listed = listed.changed(expires_at=expires_at, ttl=token_document_ttl(expires_at, now))
            names_it = CurrentToken(id=current_id, token_id=listed.id)
            naming = creating(names_it) if current is None else replacing(current, names_it)
            return await self._issued(token, listed, line, naming)

        return await self._tokens.retry(attempt)

    async def issue_for_workload(
        self,
        account: ServiceAccount,
        organization_id: str | None,
        scopes: tuple[Permission, ...],
        line: Sequence[KeyReference],
        not_after: timedelta | None,
    ) -> IssuedToken:
        """A token for a workload that has proven to be the client; `not_after` is how long its proof holds.

        It descends from the line, whose last is the client, and stops with it.
        """
        lifetime = timedelta(minutes=account.default_minutes)
        lifetime = lifetime if not_after is None else min(lifetime, not_after)
        token, listed = self._new(account, organization_id, scopes, lifetime, f"assertion of {line[-1].id}")
        return await self._issued(token, listed, _Line(lineage=line))

    def _new(
        self,
        account: ServiceAccount,
        organization_id: str | None,
        scopes: tuple[Permission, ...],
        lifetime: timedelta,
        reason: str,
    ) -> tuple[str, ServiceAccountToken]:
        now, token = self._clock.now(), new_token()
        return token, ServiceAccountToken(
            id=new_id("sat"),
            service_account=account.id,
            organization_id=organization_id,
            scopes=scopes,
            reason=reason,
            fingerprint=fingerprint(token),
            created_at=now,
            expires_at=now + lifetime,
            created_by=None,
            root_id="",
            ttl=token_document_ttl(now + lifetime, now),
        )

    async def _working_one(self, owner: str, current: CurrentToken) -> ServiceAccountToken | None:
        """The token that is named as the present one; None where it works no longer."""
        stored = await look_twice(
            lambda: self._tokens.find(owner, current.token_id), is_doubtful=lambda found: found is None
        )
        now = self._clock.now()
        if stored is None or stored.entity.status_at(now) != "active":
            return None
        key = await self._key(stored.entity.fingerprint)
        if key is None:
            return None
        line = [await self._key(ancestor.fingerprint) for ancestor in key.ancestors]
        works = all(each is not None and each.valid_at(now) for each in (key, *line))
        return stored.entity if works else None

    async def _key(self, token_fingerprint: str) -> ApiKey | None:
        partition = key_partition(token_fingerprint)
        stored = await look_twice(
            lambda: self._working.find(partition, _WORKING), is_doubtful=lambda found: found is None
        )
        return None if stored is None else stored.entity.key

    async def _issued(self, token: str, listed: ServiceAccountToken, line: _Line, *naming: Operation) -> IssuedToken:
        """First in the directory, then listed: a token that is not listed was shown to nobody, and expires there.

        Raises `StaleEtagError` or `AlreadyExistsError` where an equal one was issued meanwhile.
        """
        root_id = line.lineage[0].id if line.lineage else listed.id
        listed = listed.changed(created_by=line.created_by, root_id=root_id)
        key = working_key(listed, line.lineage, line.maker)
        remaining = listed.expires_at - self._clock.now()
        await self._working.create(
            key_partition(listed.fingerprint), WorkingKey(id=_WORKING, key=key), expires_in=remaining
        )
        await self._tokens.write(listed.organization_id or OPERATOR, None, listed, *naming)
        return IssuedToken(token, listed)

    async def page(
        self, organization_id: str | None, status: TokenStatus | None, limit: int, cursor: str | None
    ) -> Page[ServiceAccountToken]:
        """Newest first; without an organization the operator's own."""
        stored_as = None if status is None else {"status": "active" if status == "expired" else status}
        page = await self._tokens.page(
            organization_id or OPERATOR, equals=stored_as, descending=True, limit=limit, cursor=cursor
        )
        now = self._clock.now()
        return page if status is None else page.where(lambda token: token.status_at(now) == status)

    async def revoke_made_by(self, organization_id: str, user_id: str, reason: str) -> None:
        """Revoke all tokens that a user issued in an organization. Safe to repeat."""
        async for token, _ in self._tokens.all(organization_id):
            if token.created_by == user_id and token.status == "active":
                await self.revoke(organization_id, token.id, reason)

    async def revoke(self, owner: str, token_id: str, reason: str) -> ServiceAccountToken:
        """Stop it for good; it stays listed. Safe to repeat. Raises `NotFoundError`."""

        async def decide(token: ServiceAccountToken) -> ServiceAccountToken:
            await self._working.remove(key_partition(token.fingerprint), _WORKING)
            if token.status == "revoked":
                return token
            now = self._clock.now()
            return token.changed(
                status="revoked", revoked_reason=reason, revoked_at=now, ttl=token_document_ttl(token.expires_at, now)
            )

        return (await self._tokens.change(owner, token_id, decide)).entity


def check_owner(account: ServiceAccount, organization_id: str | None) -> None:
    """Raises `ForbiddenError` where the account is not for this owner."""
    if account.tenant_bound and organization_id is None:
        raise ForbiddenError(f"{account.id} is bound to organizations: name one by organization_id")
    if not account.tenant_bound and organization_id is not None:
        raise ForbiddenError(f"{account.id} is the operator's own, and no organization's")
