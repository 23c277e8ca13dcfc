"""API keys: their token is shown once and stored as a hash."""

from datetime import datetime

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ApiKey, WorkingKey, key_partition, new_token, shown_prefix
from shared.domain.access.identity import OPERATOR_ONLY, Permission, Principal
from shared.domain.kernel.errors import ConflictError, ForbiddenError, ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.ports.clock import Clock
from shared.services.storage import OPERATOR, Owners, Page, Records, StaleEtagError, Store, Stored


class ApiKeys:
    """A key works while it is in the directory. It is listed before that, and until after that, so that every key
    that works can be seen and revoked.
    """

    def __init__(self, store: Store, clock: Clock, owners: Owners) -> None:
        self._clock = clock
        self._keys = Records(store, TENANTS, ApiKey, prefix="key", called="API key", owners=owners)
        self._working_keys = Records(store, DIRECTORY, WorkingKey)

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
        """The key and its token; without an organization a key of the operator's.

        Raises `ForbiddenError` for a scope that the creator does not have, `ValidationError`, and `ConflictError` where
        the key was created before: its token cannot be shown again.
        """
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
        listed = await self._keys.create(owner, key)
        if listed.entity.fingerprint != key.fingerprint:
            raise ConflictError("This key was made before, and its token was shown then; delete it and make another")
        await self._working_keys.create(key_partition(key.fingerprint), WorkingKey(id="key", key=key))
        await self._confirm_listed(owner, listed)
        return key, token

    async def _confirm_listed(self, owner: str, listed: Stored[ApiKey]) -> None:
        """Fails where the key was deleted meanwhile: the deletion may have come before the key was in the directory."""
        try:
            await self._keys.write(owner, listed, listed.entity)
        except StaleEtagError as error:
            await self._working_keys.remove(key_partition(listed.entity.fingerprint), "key")
            raise ConflictError("The key was deleted while it was being made") from error

    async def page(self, organization_id: str | None, limit: int, cursor: str | None) -> Page[ApiKey]:
        """Newest first; without an organization the operator's own keys."""
        return await self._keys.page(organization_id or OPERATOR, descending=True, limit=limit, cursor=cursor)

    async def delete(self, owner: str, key_id: str, if_match: str | None) -> None:
        """Revoke it, then unlist it. Raises `NotFoundError`, `PreconditionFailedError`."""

        async def attempt() -> None:
            listed = await self._keys.get(owner, key_id, if_match)
            await self._working_keys.remove(key_partition(listed.entity.fingerprint), "key")
            await self._keys.erase(owner, listed)  # loses to `_confirm_listed` of a key that has just begun to work

        await self._keys.retry(attempt, if_match)
