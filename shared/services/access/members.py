"""Members: listed, given another role or other projects, removed. An organization always keeps an owner."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from shared.containers import TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.access.identity import Principal, Role, may_give
from shared.domain.access.members import FormerMember, member_counts, user_id_of
from shared.domain.access.project_access import ProjectGrant
from shared.domain.kernel.errors import ForbiddenError, NotFoundError, ValidationError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import new_id
from shared.ports.clock import Clock
from shared.services.access.member_organizations import MemberOrganizations
from shared.services.access.owner_counts import OwnerCounts
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Page, Records, Store, Stored, creating, look_twice, putting
from shared.services.tenancy.allocation_targets import AllocationTargets

_READ_AT_ONCE = 20
"""Accounts, which are in partitions of their own."""


class Members:
    """A membership decides what a user may do in an organization; it is read anew at every call."""

    def __init__(
        self, store: Store, clock: Clock, owner_counts: OwnerCounts, organizations_of: MemberOrganizations
    ) -> None:
        self._clock = clock
        self._owner_counts = owner_counts
        self._organizations_of = organizations_of
        self._projects = AllocationTargets(store)
        self._memberships = Records(store, TENANTS, Membership, called="member")
        self._accounts = StoredAccounts(store).records
        self._former = Records(store, TENANTS, FormerMember)

    async def page(self, organization_id: str, limit: int, cursor: str | None) -> Page[Membership]:
        """Newest users first."""
        return await self._memberships.page(organization_id, descending=True, limit=limit, cursor=cursor)

    async def accounts_of(self, user_ids: Sequence[str]) -> dict[str, Account]:
        """The accounts of users by their ids; those that an earlier version stored are missing until they sign in."""
        accounts: dict[str, Account] = {}
        for start in range(0, len(user_ids), _READ_AT_ONCE):
            some = user_ids[start : start + _READ_AT_ONCE]
            stored = await asyncio.gather(*(self._accounts.find(user_partition(id_), ACCOUNT) for id_ in some))
            accounts |= {account.entity.user_id: account.entity for account in stored if account is not None}
        return accounts

    async def change(
        self, organization_id: str, member_id: str, changes: Mapping[str, Any], by: Principal, if_match: str | None
    ) -> Stored[Membership]:
        """Give a member another role or other projects, which ends the member's sessions in the organization.

        Raises `NotFoundError`, `PreconditionFailedError`, `LastOwnerError`, `ValidationError` for projects that there
        are not, and `ForbiddenError` for a role above the caller's own, before or after.
        """
        user_id = user_id_of(member_id)

        async def attempt() -> Stored[Membership]:
            current = await self._read(organization_id, user_id, if_match)
            check_may_change(by, current.entity)
            changed = current.entity.changed(**changes)
            await self.check_given(organization_id, changed.role, changed.projects, by)
            if changed == current.entity:
                return current
            changed = changed.changed(sessions_ended_at=self._clock.now())
            counted = await self._owner_counts.changing(organization_id, current.entity, changed)
            return await self._memberships.write(organization_id, current, changed, *counted)

        return await self._memberships.retry(attempt, if_match)

    async def check_given(
        self, organization_id: str, role: Role, projects: tuple[ProjectGrant, ...] | None, by: Principal
    ) -> None:
        """Whether the caller may make somebody a member with this role, or with these in projects.

        Raises `ForbiddenError` for more than the caller may do, `ValidationError` for what does not fit together.
        """
        check_may_give(by, role)
        if projects is None:
            return
        if role == "owner":
            raise ValidationError.at("/projects", "an owner cannot be limited to projects; give another role first")
        if len({grant.id for grant in projects}) < len(projects):
            raise ValidationError.at("/projects", "names a project twice")
        for index, grant in enumerate(projects):
            check_may_give(by, grant.role)
            await self._projects.check_known_project(organization_id, grant.id, f"/projects/{index}/id")

    async def remove(self, organization_id: str, member_id: str, by: Principal, if_match: str | None) -> None:
        """End a membership and its sessions. The seat that it was stays counted for its time.

        Raises `NotFoundError`, `PreconditionFailedError`, `LastOwnerError`, `ForbiddenError` as `change`.
        """
        user_id = user_id_of(member_id)
        await self.end(organization_id, user_id, by, if_match)

    async def end(
        self, organization_id: str, user_id: str, by: Principal | None = None, if_match: str | None = None
    ) -> None:
        """The same; without a caller whatever the role is."""
        entry = self._organizations_of.entry(organization_id, user_id)

        async def attempt() -> None:
            current = await self._read(organization_id, user_id, if_match)
            if by is not None:
                check_may_change(by, current.entity)
            counted = await self._owner_counts.changing(organization_id, current.entity, None)
            joined_at = current.entity.joined_at
            left = FormerMember(id=new_id("mem"), joined_at=joined_at, left_at=max(joined_at, self._clock.now()))
            await self._memberships.erase(organization_id, current, creating(left), putting(entry), *counted)

        await self._memberships.retry(attempt, if_match)
        await self._organizations_of.attempt(organization_id, entry)

    async def member_counts(self, organization_id: str) -> History[int]:
        """How many members the organization had from when on."""
        present = [membership async for membership, _ in self._memberships.all(organization_id)]
        former = [member async for member, _ in self._former.all(organization_id)]
        return member_counts(present, former)

    async def _read(self, organization_id: str, user_id: str, if_match: str | None) -> Stored[Membership]:
        return await look_twice(
            lambda: self._memberships.get(organization_id, user_id, if_match), errors=(NotFoundError,)
        )


def check_may_give(giver: Principal, role: Role) -> None:
    """Raise `ForbiddenError` for a role that may do what the giver may not."""
    if not may_give(giver.permissions, role):
        raise ForbiddenError(f"You cannot make somebody {role}, which may do more than you")


def check_may_change(changer: Principal, membership: Membership) -> None:
    """Raise `ForbiddenError` where the member may do what the changer may not."""
    if not may_give(changer.permissions, membership.role):
        raise ForbiddenError(f"You cannot change the membership of an {membership.role}, who may do more than you")
