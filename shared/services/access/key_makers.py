"""API keys stop with those who made them."""

from collections.abc import Sequence

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.access.api_keys import ApiKey
from shared.domain.kernel.errors import UnauthenticatedError
from shared.services.storage import Records, Store, Stored, look_twice


class KeyMakers:
    """Whether who made a key is still there and may do all that the key does.

    The maker of an organization's key is a member of it, that of an operator's key is one of the operator's staff.
    """

    def __init__(self, store: Store) -> None:
        self._memberships = Records(store, TENANTS, Membership)
        self._accounts = Records(store, DIRECTORY, Account)

    async def check(self, keys: Sequence[ApiKey]) -> None:
        """Raises `UnauthenticatedError` where one of the keys, which are of one line, has stopped."""
        for organization_id, maker_id in {(key.organization_id, key.maker) for key in keys}:
            if maker_id is None:
                continue
            maker = await self._maker(organization_id, maker_id)
            made = [key for key in keys if key.maker == maker_id]
            if maker is None or not all(key.is_covered_by(maker) for key in made):
                raise UnauthenticatedError(
                    "The API key has stopped: its maker is no longer there, or may no longer do all that it does. "
                    "An owner can adopt it"
                )

    async def _maker(self, organization_id: str | None, user_id: str) -> Membership | Account | None:
        stored = await look_twice(lambda: self._read(organization_id, user_id), is_doubtful=lambda maker: maker is None)
        return None if stored is None else stored.entity

    async def _read(self, organization_id: str | None, user_id: str) -> Stored[Membership] | Stored[Account] | None:
        if organization_id is None:
            return await self._accounts.find(user_partition(user_id), ACCOUNT)
        return await self._memberships.find(organization_id, user_id)
