"""Workloads get tokens of service accounts by assertions: their own (RFC 7523), or tokens of Entra ID."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import jwt

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.api_keys import ApiKey, WorkingKey, key_partition, maker_of, parent_of
from shared.domain.access.identity import KeyReference, Permission, Principal
from shared.domain.access.service_accounts import client_fingerprint, scopes_within
from shared.domain.access.workload_clients import (
    CLOCKS_DIFFER,
    LONGEST_ASSERTION,
    MAXIMUM_CLIENTS,
    ClientCount,
    EntraWorkload,
    PublicKey,
    UsedAssertion,
    WorkloadClient,
    check_entra,
    check_times,
    used_assertion_partition,
)
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnauthenticatedError, XyraError
from shared.domain.kernel.ids import is_id
from shared.ports.clock import Clock
from shared.ports.openid import IdentityRefusedError, OpenId
from shared.ports.outbound import OutboundRefusedError
from shared.services.access.key_makers import KeyMakers
from shared.services.access.oauth_errors import InvalidClientError, InvalidScopeError
from shared.services.access.service_accounts import IssuedToken, ServiceAccounts, check_owner
from shared.services.storage import (
    OPERATOR,
    AlreadyExistsError,
    Operation,
    Owners,
    Page,
    Records,
    Store,
    creating,
    replacing,
)

_PREFIX = "sac"
_WORKING = "key"
_COUNT = "workload_clients"
_LONGEST_JTI = 256
TOKEN_PATH = "/api/v1/auth/token"  # noqa: S105  a path


class WorkloadClients:
    """A client is listed with its owner. What stops its tokens with it is in the directory, beside working keys: no
    credential begins with the prefix of a client's id, so nobody calls with that.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self, store: Store, clock: Clock, owners: Owners, accounts: ServiceAccounts, openid: OpenId, public_origin: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners
        self._accounts = accounts
        self._openid = openid
        self._audiences = {public_origin, public_origin + TOKEN_PATH}
        self._clients = Records(
            store, TENANTS, WorkloadClient, prefix=_PREFIX, called="client of a service account", owners=owners
        )
        self._counts = Records(store, TENANTS, ClientCount)
        self._working = Records(store, DIRECTORY, WorkingKey)
        self._makers = KeyMakers(store)

    async def add(self, client: WorkloadClient, by: Principal) -> WorkloadClient:
        """Register it. Raises `NotFoundError`, `ForbiddenError` for scopes that the caller does not have.

        Raises `ConflictError` where the owner has too many.
        """
        account = await self._accounts.get(client.service_account)
        check_owner(account, client.organization_id)
        scopes = scopes_within(account, None, by.permissions, of_tenant=client.organization_id is not None)
        owner, key = client.organization_id or OPERATOR, _as_key(client, scopes, by)

        async def attempt() -> WorkloadClient:
            present = await self._clients.find(owner, client.id)
            if present is not None:
                return present.entity  # an earlier try got through
            counting = await self._counting(owner, 1)
            return (await self._clients.write(owner, None, client, counting)).entity

        added = await self._clients.retry(attempt)
        await self._working.create(_partition(client.id), WorkingKey(id=_WORKING, key=key))
        return added

    async def _counting(self, owner: str, change: int) -> Operation:
        """What is stored in one batch with a client that comes or goes. Two at once change the same item.

        Owners of before are counted at their next change. Raises `ConflictError` for more than there may be.
        """
        counted = await self._counts.find(owner, _COUNT)
        number = change + (await self._number_of(owner) if counted is None else counted.entity.number)
        if change > 0 and number > MAXIMUM_CLIENTS:
            raise ConflictError(f"There are {MAXIMUM_CLIENTS} clients; remove one first")
        changed = ClientCount(number=max(0, number))
        return creating(changed) if counted is None else replacing(counted, changed)

    async def _number_of(self, owner: str) -> int:
        return len((await self._clients.page(owner, limit=MAXIMUM_CLIENTS)).entities)

    async def page(self, owner: str, service_account: str, limit: int, cursor: str | None) -> Page[WorkloadClient]:
        """Newest first."""
        page = await self._clients.page(owner, descending=True, limit=limit, cursor=cursor)
        return page.where(lambda client: client.service_account == service_account)

    async def remove(self, owner: str, client_id: str) -> None:
        """With its tokens. Raises `NotFoundError`."""

        async def attempt() -> None:
            stored = await self._clients.get(owner, client_id)
            await self._working.remove(_partition(client_id), _WORKING)
            await self._clients.erase(owner, stored, await self._counting(owner, -1))

        await self._clients.retry(attempt)

    async def remove_made_by(self, organization_id: str, user_id: str) -> None:
        """Remove all clients that a user registered in an organization, with their tokens. Safe to repeat."""
        async for client, _ in self._clients.all(organization_id):
            if client.created_by == user_id:
                with suppress(NotFoundError):
                    await self.remove(organization_id, client.id)

    async def token(self, client_id: str | None, assertion: str, scopes: tuple[Permission, ...] | None) -> IssuedToken:
        """A token of the client's service account, for a signed assertion, which is used up.

        Raises `InvalidClientError` for whatever is wrong with the assertion, `InvalidScopeError`.
        """
        issuer = _unverified(assertion)
        client, key = await self._client(issuer if client_id is None else client_id)
        not_after = await self._proven(client, issuer, assertion)
        account, given = await self._accounts.get(client.service_account), frozenset(key.scopes)
        if scopes is None:
            scopes = tuple(scope for scope in account.scopes if scope in given)
        if not scopes:
            raise InvalidScopeError("The catalog has none of the client's scopes any longer: register it anew")
        try:
            within = scopes_within(account, scopes, given, of_tenant=client.organization_id is not None)
        except XyraError as error:
            raise InvalidScopeError(error.detail) from error
        line = (*key.ancestors, KeyReference(key.id, key.fingerprint))
        return await self._accounts.issue_for_workload(account, client.organization_id, within, line, not_after)

    async def _proven(self, client: WorkloadClient, issuer: str, assertion: str) -> timedelta | None:
        """For how long the proof holds, where that matters. One that the client has signed by itself is used up.

        Raises `InvalidClientError`, and `UnavailableError` where Entra ID does not answer.
        """
        if client.entra is not None:
            return await self._proven_by_entra(client.entra, issuer, assertion)
        if client.id != issuer:
            raise InvalidClientError("client_id is another one than the assertion's iss")
        await self._use_once(client.id, _verified(assertion, client, self._audiences))
        return None

    async def _proven_by_entra(self, workload: EntraWorkload, issuer: str, assertion: str) -> timedelta:
        if issuer not in workload.issuers:
            raise InvalidClientError("The assertion is refused: its iss is not Entra ID for the registered tenant")
        try:
            claims = await self._openid.signed_claims(issuer, assertion)
            return check_entra(claims, workload, self._clock.now())
        except (IdentityRefusedError, OutboundRefusedError, ValueError) as error:
            raise InvalidClientError(f"The assertion is refused: {error}") from error

    async def _client(self, client_id: str) -> tuple[WorkloadClient, ApiKey]:
        """With what its tokens descend from.

        That has the scopes that whoever registered it could give: what the catalog adds later is not among them.
        """
        if not is_id(client_id, _PREFIX):
            raise InvalidClientError("There is no such client")
        try:
            owner = await self._owners.of(client_id)
            client = (await self._clients.get(owner, client_id)).entity
        except NotFoundError as error:
            raise InvalidClientError("There is no such client") from error
        working = await self._working.find(_partition(client_id), _WORKING)
        if working is None:
            raise InvalidClientError("There is no such client")
        await self._check_line(working.entity.key)
        return client, working.entity.key

    async def _check_line(self, key: ApiKey) -> None:
        """Raises `InvalidClientError` where what the client descends from has stopped."""
        found = [await self._working.find(key_partition(ancestor.fingerprint), _WORKING) for ancestor in key.ancestors]
        line = [key, *(each.entity.key for each in found if each is not None)]
        if len(line) <= len(found) or not all(each.valid_at(self._clock.now()) for each in line):
            raise InvalidClientError("The key that registered the client was revoked or has expired: register it anew")
        try:
            await self._makers.check(line)
        except UnauthenticatedError as error:
            raise InvalidClientError(
                "Who registered the client is no longer there, or may no longer do all that it does: register it anew"
            ) from error

    async def _use_once(self, client_id: str, claims: Mapping[str, Any]) -> None:
        """Raises `InvalidClientError` for times out of bounds, and for an assertion that was used."""
        now = self._clock.now()
        try:
            expires_at = check_times(claims, now)
        except ValueError as error:
            raise InvalidClientError(f"The assertion is refused: {error}") from error
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 1 <= len(jti) <= _LONGEST_JTI:
            raise InvalidClientError(f"The assertion needs a jti of 1 to {_LONGEST_JTI} characters")
        remembered = expires_at - now + CLOCKS_DIFFER
        used = UsedAssertion(ttl=int(min(remembered, LONGEST_ASSERTION + 2 * CLOCKS_DIFFER).total_seconds()) + 1)
        try:
            await self._store.batch(DIRECTORY.name, used_assertion_partition(client_id, jti), [creating(used)])
        except AlreadyExistsError as error:
            raise InvalidClientError("The assertion was used before: sign another one with its own jti") from error


def _partition(client_id: str) -> str:
    return key_partition(client_fingerprint(client_id))


def _as_key(client: WorkloadClient, scopes: tuple[Permission, ...], by: Principal) -> ApiKey:
    """What tokens of the client descend from. As an API key it stops with the key or the member that made it."""
    parent = parent_of(client.organization_id, by)
    return ApiKey(
        id=client.id,
        organization_id=client.organization_id,
        name=client.service_account,
        scopes=scopes,
        key_prefix="",
        fingerprint=client_fingerprint(client.id),
        created_at=client.created_at,
        service_account=client.service_account,
        ancestors=() if parent is None else parent.lineage,
        created_by=client.created_by,
        maker=maker_of(client.organization_id, by),
    )


def _unverified(assertion: str) -> str:
    """Whom the assertion says it is of. Raises `InvalidClientError`."""
    try:
        issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError) as error:
        raise InvalidClientError("The assertion is no JWT") from error
    if not isinstance(issuer, str):
        raise InvalidClientError("The assertion has no iss")
    return issuer


def _verified(assertion: str, client: WorkloadClient, audiences: set[str]) -> Mapping[str, Any]:
    """The claims of an assertion that the client has signed for us. Raises `InvalidClientError`."""
    try:
        key = _key_of(jwt.get_unverified_header(assertion).get("kid"), client)
        claims: Mapping[str, Any] = jwt.decode(
            assertion,
            jwt.PyJWK(key.jwk, key.algorithm),
            algorithms=[key.algorithm],
            audience=audiences,
            issuer=client.id,
            options={"require": ["exp", "iat", "sub", "aud", "jti"], "verify_exp": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError) as error:
        raise InvalidClientError(f"The assertion is refused: {error}") from error
    if claims.get("sub") != client.id:
        raise InvalidClientError("The assertion's iss and sub are both the client's id")
    return claims


def _key_of(kid: object, client: WorkloadClient) -> PublicKey:
    for key in client.keys:
        if key.kid == kid or (kid is None and len(client.keys) == 1):
            return key
    raise InvalidClientError("The client has no key with the assertion's kid")
