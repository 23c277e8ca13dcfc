"""The number of owners of an organization, which guards that one stays."""

from collections.abc import Sequence

from shared.containers import TENANTS
from shared.domain.access.accounts import Membership
from shared.domain.access.members import LastOwnerError, OwnerCount
from shared.services.storage import Operation, Records, Store, Stored, creating, look_twice, replacing
from shared.services.tenancy.organizations import Organizations

_ID = "owners"


class OwnerCounts:
    """Two owners who step down at once replace the same item: the second one finds that it would be the last."""

    def __init__(self, store: Store, organizations: Organizations) -> None:
        self._organizations = organizations
        self._counts = Records(store, TENANTS, OwnerCount)
        self._memberships = Records(store, TENANTS, Membership)

    async def changing(
        self, organization_id: str, before: Membership | None, after: Membership | None
    ) -> Sequence[Operation]:
        """What is stored in one batch with a change of a membership, None where there is none.

        Raises `LastOwnerError`.
        """
        change = _owners(after) - _owners(before)
        if change == 0:
            return ()
        counted = await self._counts.find(organization_id, _ID)
        number = await self._number(organization_id, counted) + change
        if number < 1 and await self._is_live(organization_id):
            raise LastOwnerError
        changed = OwnerCount(number=number)
        return (creating(changed) if counted is None else replacing(counted, changed),)

    async def _number(self, organization_id: str, counted: Stored[OwnerCount] | None) -> int:
        """As counted; where nobody has counted yet, by the memberships.

        Until owners are counted none goes, so of two reads the one with more of them is the newer one.
        """
        if counted is not None:
            return counted.entity.number
        seen = await self._owners_of(organization_id)
        return max(seen, await look_twice(lambda: self._owners_of(organization_id), is_doubtful=lambda _: True))

    async def _owners_of(self, organization_id: str) -> int:
        return sum([_owners(membership) async for membership, _ in self._memberships.all(organization_id)])

    async def _is_live(self, organization_id: str) -> bool:
        organization = await self._organizations.find_by_id(organization_id)
        return organization is None or organization.deleted_at is None


def _owners(membership: Membership | None) -> int:
    return int(membership is not None and membership.is_owner)
