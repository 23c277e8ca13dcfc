"""Users: read, changed, disabled and enabled again, and the operator's staff."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import ACCOUNT, Account, Membership, user_partition
from shared.domain.access.identity import OperatorRole, Permission, Principal
from shared.domain.access.members import LastOwnerError
from shared.domain.access.users import SLICES, ListedUser, user_slices
from shared.domain.kernel.errors import ConflictError, FieldError, ForbiddenError, MalformedError, NotFoundError
from shared.ports.clock import Clock
from shared.services.access.members import Members
from shared.services.access.owner_counts import OwnerCounts
from shared.services.access.sessions import Sessions
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Records, Store, Stored, look_twice


class Users:
    """An account belongs to its user. Organizations act on memberships, and support on accounts of customers."""

    def __init__(
        self, store: Store, clock: Clock, members: Members, owner_counts: OwnerCounts, sessions: Sessions
    ) -> None:
        self._clock = clock
        self._members = members
        self._owner_counts = owner_counts
        self._sessions = sessions
        self._accounts = StoredAccounts(store)
        self._memberships = Records(store, TENANTS, Membership)
        self._listed = Records(store, DIRECTORY, ListedUser)

    async def get(self, user_id: str, by: Principal) -> Stored[Account]:
        """Raises `NotFoundError`, and `ForbiddenError` for another user than the caller, except for support."""
        if by.user_id != user_id and not by.may(Permission.USERS_WRITE):
            raise ForbiddenError("This is for the user, and for the operator's support")
        stored = await look_twice(lambda: self._accounts.get(user_id), errors=(NotFoundError,))
        is_staff = stored.entity.operator_role is not None
        if by.user_id != user_id and is_staff and not by.may(Permission.STAFF_WRITE):
            raise ForbiddenError("This is an account of the operator's staff, which support does not act on")
        return stored

    async def change(
        self, user_id: str, changes: Mapping[str, Any], by: Principal, if_match: str | None
    ) -> Stored[Account]:
        """Apply changed fields, which are never roles or organizations. Raises as `get`, `PreconditionFailedError`."""
        await self.get(user_id, by)
        partition = user_partition(user_id)
        return await self._accounts.records.change(
            partition, ACCOUNT, lambda account: account.changed(**changes), if_match
        )

    async def deactivate(self, user_id: str, by: Principal) -> Stored[Account]:
        """Disable the account and end its sessions; its keys stop. Safe to repeat.

        Raises as `get`, and `LastOwnerError` where an organization would be left without an owner: then nothing is
        changed.
        """
        await self.suspend((await self.get(user_id, by)).entity)
        return await self._sessions.end_all(
            user_id, lambda current: current.changed(status="disabled"), with_devices=True
        )

    async def suspend(self, account: Account) -> None:
        """In every organization of the account. Raises `LastOwnerError`, and then nothing is changed."""
        try:
            await self._suspend_all(account, suspended=True)
        except LastOwnerError:
            if account.status != "disabled":
                await self._suspend_all(account, suspended=False)
            raise

    async def activate(self, user_id: str, by: Principal) -> Stored[Account]:
        """Enable a disabled account again. Raises as `get`."""
        await self.get(user_id, by)

        def enabled(account: Account) -> Account:
            return account.changed(status="active") if account.status == "disabled" else account

        stored = await self._accounts.records.change(user_partition(user_id), ACCOUNT, enabled)
        await self._suspend_all(stored.entity, suspended=False)
        return stored

    async def delete(self, user_id: str, by: Principal) -> None:
        """End all memberships and disable the account. Raises as `deactivate`, and then nothing is changed."""
        account = (await self.deactivate(user_id, by)).entity
        for organization_id in account.organization_ids:
            with suppress(NotFoundError):  # an earlier try got through
                await self._members.end(organization_id, user_id)

    async def _suspend_all(self, account: Account, *, suspended: bool) -> None:
        """In every organization of the account. Raises `LastOwnerError`."""
        for organization_id in account.organization_ids:
            await self._suspend(organization_id, account.user_id, suspended=suspended)

    async def _suspend(self, organization_id: str, user_id: str, *, suspended: bool) -> None:
        async def attempt() -> None:
            current = await self._memberships.find(organization_id, user_id)
            if current is None or current.entity.suspended == suspended:
                return
            changed = current.entity.changed(suspended=suspended)
            counted = await self._owner_counts.changing(organization_id, current.entity, changed)
            await self._memberships.write(organization_id, current, changed, *counted)

        await self._memberships.retry(attempt)

    async def create_staff(self, user_id: str, email: str, full_name: str, role: OperatorRole) -> Stored[Account]:
        """An account of the operator's staff, without a password until its user chooses one by a mailed link.

        Repeating it with the same id gives what was created. Raises `ConflictError` for a taken address.
        """
        now = self._clock.now()
        account = Account(
            id=ACCOUNT,
            user_id=user_id,
            email=email,
            full_name=full_name,
            password_hash=None,
            status="pending",
            operator_role=role,
            created_at=now,
        )
        found = await self._accounts.claim(account, due_at=now)
        if found.account.user_id != user_id:
            raise ConflictError("The e-mail address is taken", errors=(FieldError("/email", "is taken"),))
        return await self._accounts.create(found, found.promised.changed(status="active"))

    async def page(self, limit: int, cursor: str | None) -> tuple[list[Account], str | None]:
        """A part of all users, one slice after the other, and where the next part starts.

        Users whom an earlier version stored are listed from their next sign-in on. Raises `MalformedError`.
        """
        number, inner = _read_cursor(cursor)
        ids: list[str] = []
        while number < SLICES and len(ids) < limit:
            page = await self._listed.page(user_slices()[number], limit=limit - len(ids), cursor=inner)
            ids += [listed.id for listed in page.entities]
            inner = page.cursor
            if inner is None:
                number += 1
        accounts = await self._members.accounts_of(ids)
        following = f"{number}.{inner or ''}" if number < SLICES else None
        return [accounts[id_] for id_ in ids if id_ in accounts], following


def _read_cursor(cursor: str | None) -> tuple[int, str | None]:
    number, _, inner = (cursor or "0.").partition(".")
    if not number.isdecimal() or int(number) >= SLICES:
        raise MalformedError("The cursor is not one of ours")
    return int(number), inner or None
