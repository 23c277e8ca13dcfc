"""API keys: shown once, stored as a hash; the directory item is the key."""

from datetime import datetime

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ApiKey, key_partition, new_token, shown_prefix
from shared.domain.access.identity import OPERATOR_ONLY, Permission, Principal
from shared.domain.kernel.errors import ConflictError, ForbiddenError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import fingerprint, is_id
from shared.ports.clock import Clock
from shared.ports.store import AlreadyExistsError, Page, StaleEtagError, Store
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match

OPERATOR = "operator"
_ATTEMPTS = 5


class ApiKeys:
    """Listed before it works and revoked before it is unlisted, so every key that works can be seen and revoked."""

    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners

    async def create(  # noqa: PLR0913  the parts of a key
        self,
        key_id: str,
        *,
        organization_id: str | None,
        name: str,
        scopes: tuple[Permission, ...],
        expires_at: datetime | None,
        creator: Principal,
    ) -> tuple[ApiKey, str]:
        """The key and its token. Raises `ForbiddenError` for a scope that the creator does not have."""
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise ValidationError.at("/expires_at", "must be in the future")
        for index, scope in enumerate(scopes):
            if not creator.may(scope):
                raise ForbiddenError(f"You cannot give {scope.value}, which you do not have")
            if organization_id is not None and scope in OPERATOR_ONLY:
                raise ValidationError.at(f"/scopes/{index}", "is for the operator's own keys")
        token = new_token()
        key = ApiKey(
            id=key_id,
            organization_id=organization_id,
            name=name,
            scopes=scopes,
            key_prefix=shown_prefix(token),
            fingerprint=fingerprint(token),
            created_at=now,
            expires_at=expires_at,
        )
        owner = organization_id or OPERATOR
        await self._owners.note(key_id, owner)
        working = {"id": "key", "kind": "key", "key": key.document()}
        try:
            etag = await self._store.create(TENANTS.name, owner, key.document())
            await self._store.create(DIRECTORY.name, key_partition(key.fingerprint), working)
        except AlreadyExistsError as error:
            raise ConflictError(
                "This key was made before, and its token was shown then; delete it and make another"
            ) from error
        await self._confirm_listed(owner, key, etag)
        return key, token

    async def _confirm_listed(self, owner: str, key: ApiKey, etag: str) -> None:
        """Who deletes the key at this moment may have looked for it in the directory before it was there."""
        try:
            await self._store.replace(TENANTS.name, owner, key.document(), etag)
        except StaleEtagError as error:
            await self._store.delete(DIRECTORY.name, key_partition(key.fingerprint), "key")
            raise ConflictError("The key was deleted while it was being made") from error

    async def page(self, organization_id: str | None, limit: int, cursor: str | None) -> Page:
        return await self._store.query(
            TENANTS.name, organization_id or OPERATOR, ApiKey.kind, descending=True, limit=limit, cursor=cursor
        )

    async def delete(self, owner: str, key_id: str, if_match: str | None) -> None:
        """Raises `NotFoundError`, `PreconditionFailedError`."""
        for _ in range(_ATTEMPTS):
            item = await self._store.get(TENANTS.name, owner, key_id) if is_id(key_id, "key") else None
            if item is None or item.document["kind"] != ApiKey.kind:
                raise NotFoundError("There is no such API key")
            check_if_match(if_match, item.etag)
            key = ApiKey.read(item.document)
            await self._store.delete(DIRECTORY.name, key_partition(key.fingerprint), "key")
            try:
                await self._store.delete(TENANTS.name, owner, key_id, item.etag)
            except StaleEtagError:  # it works only since a moment ago
                continue
            return
        raise UnavailableError("The key is being changed by many at once")
