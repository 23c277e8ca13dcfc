"""Leases: slices of credits for clients that spend by themselves, and how they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from shared.domain.credits.commands import ExtendLease, SettleLease, TakeLease, WriteOffLease
from shared.domain.credits.leases import Lease, LeaseState
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.kernel.errors import NotFoundError
from shared.domain.kernel.money import ZERO
from shared.domain.kernel.times import to_text
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.paying import Paying
from shared.services.credits.spending import Caller, SpendingContexts, SpentFor, identity_of
from shared.services.storage import Position, look_twice
from shared.services.storage.cursors import cursor_to, position_after, shape_of
from shared.services.tenancy.organizations import Organizations

_MAXIMUM_READS = 5
"""For one page: where few leases fit the filter, a page has fewer of them, or none."""


@dataclass(frozen=True, slots=True)
class ReportedEntry:
    """What part of an increase was spent on."""

    amount: Decimal
    agent_type: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class LeaseFilter:
    """None stands for all."""

    organization_id: str
    state: LeaseState | None = None
    unreported: bool = False
    """Only those that caps still count without a report."""

    def fits(self, lease: Lease) -> bool:
        is_own = lease.context.organization_id == self.organization_id
        return is_own and self.state in (None, lease.state) and (not self.unreported or bool(lease.unreported))

    def statuses(self) -> tuple[str | None, ...]:
        """Those under which such leases are stored. One that is due is still stored as open."""
        if self.unreported:
            return ("unreported", "open") if self.state in (None, "expired") else ()
        if self.state == "expired":
            return ("expired", "unreported", "open")
        return (self.state,)


class Leases:
    def __init__(
        self,
        wallets: Wallets,
        clock: Clock,
        paying: Paying,
        organizations: Organizations,
        contexts: SpendingContexts,
    ) -> None:
        self._wallets = wallets
        self._clock = clock
        self._paying = paying
        self._organizations = organizations
        self._contexts = contexts

    async def take(
        self, caller: Caller, amount: Decimal, spent_for: SpentFor, kind: str, expires_in: timedelta
    ) -> Transfer:
        """Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        command = TakeLease(
            **identity_of(caller),
            amount=amount,
            context=await self._contexts.context(caller, spent_for),
            expires_in=expires_in,
            calendars=organization.calendars,
            credit_kind=kind,
        )
        return await self._paying.run(command)

    async def extend(self, caller: Caller, lease_id: str, amount: Decimal | None, expires_in: timedelta) -> Transfer:
        """Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        command = ExtendLease(
            **identity_of(caller),
            lease_id=lease_id,
            amount=ZERO if amount is None else amount,
            expires_in=expires_in,
            calendars=organization.calendars,
        )
        return await self._paying.run_where_it_was_made(command)

    async def settle(
        self, caller: Caller, lease_id: str, total: Decimal, entries: Sequence[ReportedEntry], *, final: bool
    ) -> Transfer:
        """Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        lease = await self.get(caller.organization_id, lease_id)
        used = [UseEntry(entry.amount, lease.context, entry.agent_type, entry.action) for entry in entries]
        command = SettleLease(
            **identity_of(caller),
            lease_id=lease_id,
            total=total,
            entries=tuple(used),
            final=final,
            calendars=organization.calendars,
        )
        return await self._paying.run_where_it_was_made(command)

    async def write_off(self, caller: Caller, lease_id: str, reason: str | None) -> Transfer:
        """Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        command = WriteOffLease(
            **identity_of(caller), lease_id=lease_id, reason=reason, calendars=organization.calendars
        )
        return await self._paying.run_where_it_was_made(command)

    async def get(self, organization_id: str, lease_id: str) -> Lease:
        """As it is now. Raises `NotFoundError`."""
        return await look_twice(lambda: self._get(organization_id, lease_id), errors=(NotFoundError,))

    async def _get(self, organization_id: str, lease_id: str) -> Lease:
        for payer in await self._paying.payers(organization_id):
            stored = await self._wallets.read(payer, Wanted(leases=frozenset({lease_id})))
            lease = stored.wallet.leases.get(lease_id)
            if lease is not None and lease.context.organization_id == organization_id:
                return lease.at(self._clock.now())
        raise NotFoundError("There is no such lease")

    async def page(self, wanted: LeaseFilter, limit: int, cursor: str | None) -> tuple[list[Lease], str | None]:
        """Newest first, as they are now. Raises `MalformedError` for a cursor of another query."""
        shape = shape_of("leases", wanted)
        after = None if cursor is None else position_after(cursor, shape)
        found: list[Lease] = []
        for _ in range(_MAXIMUM_READS):
            read, is_more = await self._read(wanted, limit, after)
            for lease in read:
                after = Position(to_text(lease.admitted_at), lease.id)
                present = lease.at(self._clock.now())
                if wanted.fits(present):
                    found.append(present)
                    if len(found) == limit:
                        break
            else:
                if not is_more:
                    return found, None
                continue
            break
        return found, None if after is None else cursor_to(after, shape)

    async def _read(self, wanted: LeaseFilter, limit: int, after: Position | None) -> tuple[list[Lease], bool]:
        """The newest ones of all wallets, and whether there may be more."""
        pages = [
            await self._wallets.leases(payer, status, limit, after)
            for payer in await self._paying.payers(wanted.organization_id)
            for status in wanted.statuses()
        ]
        read = sorted(
            (lease for page in pages for lease in page), key=lambda lease: (lease.admitted_at, lease.id), reverse=True
        )
        return read[:limit], len(read) > limit or any(len(page) >= limit for page in pages)
