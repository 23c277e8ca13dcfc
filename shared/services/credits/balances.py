"""Balances and grants as they are now. Reading writes nothing: what is due is worked out, not stored."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, localcontext

from shared.domain.credits.accounts import (
    CLAWED_BACK,
    CONSUMED,
    DEBT,
    EXPIRED,
    LEASED,
    RESERVED,
    available,
    balance,
    granted,
)
from shared.domain.credits.budgets import credits_left
from shared.domain.credits.commands import ExpireHold, ExpireLease
from shared.domain.credits.counters import Context, new_counter
from shared.domain.credits.deciding import bring_up_to, decide
from shared.domain.credits.grants import Grant
from shared.domain.credits.payments import GrantRecord
from shared.domain.credits.wallet import Wallet
from shared.domain.credits.windows import windows_at
from shared.domain.kernel.histories import History
from shared.domain.kernel.money import EXACT, ZERO
from shared.domain.periods.periods import Calendar
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.paying import Paying
from shared.services.credits.present_counters import PresentCounters
from shared.services.tenancy.organizations import Organizations

EXPIRING_WITHIN = timedelta(days=30)
MAXIMUM_EXPIRING = 100


@dataclass(frozen=True, slots=True)
class Expiring:
    """Free credits that are gone at an instant."""

    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """Of one kind of credits. available = granted - consumed - reserved - leased - expired - clawed_back."""

    kind: str
    available: Decimal
    granted: Decimal
    purchased: Decimal
    consumed: Decimal
    reserved: Decimal
    leased: Decimal
    expired: Decimal
    clawed_back: Decimal
    debt: Decimal
    expiring: Sequence[Expiring]
    sequence: int
    """Of the last transfer that it counts."""
    currency: str
    credit_value: Decimal | None
    """What one of them is worth in that currency; None where nobody has said."""
    payer_id: str | None = None
    """Whose credits are available; None for its own."""

    @property
    def held(self) -> Decimal:
        return self.reserved + self.leased


@dataclass(frozen=True, slots=True)
class GrantState:
    """A grant, and what is left of it now."""

    record: GrantRecord
    free: Decimal
    pinned: Decimal
    expires_at: datetime | None
    """Later than it was given where it has rolled over."""


class Balances:
    def __init__(self, wallets: Wallets, clock: Clock, organizations: Organizations, paying: Paying) -> None:
        self._organizations = organizations
        self._paying = paying
        self._present_counters = PresentCounters(wallets, paying)
        self._wallets = wallets
        self._clock = clock

    async def of(self, organization_id: str, kind: str) -> Balance:
        """Without holds whose time is over and grants that have lapsed.

        Of an organization that another one pays for `available` is the payer's, or what is left of its own budgets
        where that is less, and `credit_value` is the payer's; the rest is its own.
        """
        now = self._clock.now()
        own = await self._of_wallet(organization_id, kind, now)
        organization = await self._organizations.cached(organization_id)
        payer = organization.payer_at(now)
        if payer == organization_id:
            return own
        paying = await self._of_wallet(payer, kind, now)
        available = paying.available
        for left in await self._left_of_own(organization, payer, kind, now):
            available = min(available, left)
        return replace(own, available=available, credit_value=paying.credit_value, payer_id=payer)

    async def _left_of_own(self, organization: Organization, payer: str, kind: str, now: datetime) -> list[Decimal]:
        """What each hard budget of the whole organization still admits of a payer's credits."""
        _, wallet = await self._paying.read(organization.id, Wanted())
        context = Context(organization.id)
        caps = [
            budget
            for budget in wallet.budgets
            if budget.enforcement == "hard" and budget.kind == kind and budget.applies_to(context) is not None
        ]
        if not caps:
            return []
        empty = new_counter("organization", organization.id, organization.id)
        _, counter = await self._present_counters.read(wallet.payer, empty, organization, now)
        windows = {window.name: window for window in windows_at(now, organization.calendars)}
        value = (await self._organizations.cached(payer)).credit_value_at(now, kind)
        return [credits_left(budget, counter.spending(kind, windows[budget.window]), value) for budget in caps]

    async def _of_wallet(self, payer: str, kind: str, now: datetime) -> Balance:
        wallet = await self._present(payer, now)
        organization = await self._organizations.cached(payer)
        balances = wallet.balances(kind)
        return Balance(
            kind=kind,
            available=available(balances),
            granted=granted(balances),
            purchased=granted(balances, "purchase"),
            consumed=balance(balances, CONSUMED),
            reserved=balance(balances, RESERVED),
            leased=balance(balances, LEASED),
            expired=balance(balances, EXPIRED),
            clawed_back=balance(balances, CLAWED_BACK),
            debt=-balance(balances, DEBT),
            expiring=_expiring(wallet.grants(kind), now),
            sequence=wallet.head.sequence,
            currency=organization.currency,
            credit_value=organization.credit_value_at(now, kind),
        )

    async def grants(self, payer: str, limit: int, cursor: str | None) -> tuple[list[GrantState], str | None]:
        """The grants that were given, newest first."""
        records, following = await self._wallets.grant_records(payer, limit, cursor)
        wallet = await self._present(payer, self._clock.now())
        kinds = {record.credit_kind for record in records}
        open_grants: dict[str, list[Grant]] = {}
        for grant in (grant for kind in kinds for grant in wallet.grants(kind)):
            open_grants.setdefault(grant.id, []).append(grant)
        return [_state_of(record, open_grants.get(record.id, [])) for record in records], following

    async def _present(self, payer: str, now: datetime) -> Wallet:
        """The wallet as it would be if all that is due were done."""
        stored = await self._wallets.read(payer, Wanted())
        if stored.wallet.head.owing:
            stored = await self._wallets.read(payer, Wanted(grants=frozenset(stored.wallet.head.owing)), stored)
        wallet = stored.wallet.copy()
        if not wallet.head.sequence:
            wallet.sign_up_bonus = (await self._organizations.cached(payer)).sign_up_bonus
        accounts = wallet.head.accounts.values()
        if any(balance(balances, LEASED) for balances in accounts):
            for lease in await self._wallets.due_leases(payer, now):
                wallet.leases[lease.id] = lease
                organization_id = lease.context.organization_id
                lease_expiry = ExpireLease(
                    organization_id=organization_id, key=lease.id, by_system=True, lease_id=lease.id, calendars=_ANY
                )
                decide(wallet, lease_expiry, now)
        if any(balance(balances, RESERVED) for balances in accounts):
            for hold in await self._wallets.due_holds(payer, now):
                wallet.holds[hold.id] = hold
                expiry = ExpireHold(
                    organization_id=hold.context.organization_id,
                    key=hold.id,
                    by_system=True,
                    hold_id=hold.id,
                    calendars=_ANY,
                )
                decide(wallet, expiry, now)
        bring_up_to(wallet, now)
        return wallet


_ANY = History[Calendar].starting(Calendar(timezone="UTC"))
"""Balances do not depend on the windows in which a hold counts."""


def _state_of(record: GrantRecord, open_grants: Sequence[Grant]) -> GrantState:
    """What is left at its place, and at the one behind it where some of it has rolled over."""
    ends = [grant.terms.expires_at for grant in open_grants if grant.free and grant.terms.expires_at is not None]
    return GrantState(
        record,
        sum((grant.free for grant in open_grants), ZERO),
        sum((grant.pinned for grant in open_grants), ZERO),
        max(ends, default=record.terms.expires_at),
    )


def _expiring(grants: Iterable[Grant], now: datetime) -> list[Expiring]:
    by_instant: dict[datetime, Decimal] = {}
    with localcontext(EXACT):
        for grant in grants:
            expires_at = grant.terms.expires_at
            if grant.free and expires_at is not None and expires_at <= now + EXPIRING_WITHIN:
                by_instant[expires_at] = by_instant.get(expires_at, ZERO) + grant.free
    return [Expiring(amount, at) for at, amount in sorted(by_instant.items())][:MAXIMUM_EXPIRING]
