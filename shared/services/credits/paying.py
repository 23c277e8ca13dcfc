"""Paying: in which wallet a command of an organization is done, and how an organization moves to another one."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from shared.domain.credits.budgets import MAXIMUM_BUDGETS, Budget
from shared.domain.credits.commands import (
    Capture,
    ExtendLease,
    Refund,
    Release,
    Reserve,
    SettleLease,
    TakeLease,
    Use,
    WriteOffLease,
)
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.members import Member, PayerChangedError
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.kernel.money import ZERO
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.credits.first_answers import first_answer
from shared.services.credits.ledger import LARGEST_CLOCK_DIFFERENCE, Ledger
from shared.services.credits.wanted import wanted_by
from shared.services.periods.periods import Periods
from shared.services.storage import retry_lost_races
from shared.services.tenancy.organizations import Organizations

KEYS_KEPT = timedelta(hours=24)
"""How long after a change of payer a key is looked for in earlier wallets before it is taken for new."""
_ROUNDS = 5

Spends = Use | Reserve | TakeLease
"""What takes credits of the wallet that pays now."""
Continues = Capture | Release | Refund | ExtendLease | SettleLease | WriteOffLease
"""What is about something that was made before, in the wallet that paid then."""


@dataclass(frozen=True, slots=True)
class Paid:
    """Who pays for an organization."""

    organization: Organization
    payer: str
    since: datetime
    until: datetime | None
    """When another one begins to; None where none is known to."""
    earlier: Mapping[str, datetime]
    """Who paid before, the last one first, and until when."""


class Paying:
    """A change of payer begins with a period. The first command after that moves the organization, once.

    The old wallet notes that it left, in a batch that changes the head, so that nothing more is admitted there. Then
    its own budgets are copied, and the new wallet notes that it joined. Credits and debt stay where they are.
    """

    def __init__(
        self, wallets: Wallets, ledger: Ledger, clock: Clock, organizations: Organizations, periods: Periods
    ) -> None:
        self._wallets = wallets
        self._ledger = ledger
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self.shares = ledger.shares

    async def now(self, organization_id: str, not_before: datetime | None = None) -> Paid:
        """Who pays at present. The period is created, so that no payer that is set later begins within it.

        The period keeps who pays for it: a host that has an old record of the organization reads it again.
        """
        organization = await self._organizations.cached(organization_id)
        instant = self._clock.now() if not_before is None else max(self._clock.now(), not_before)
        period = await self._periods.containing(organization, instant)
        payer = await self._periods.payer_of(organization, period)
        paid = _paid(organization, instant)
        if payer == paid.payer:
            return paid
        organization = await self._organizations.cached(organization_id, reload=True)
        if payer != organization.payer_at(instant) and len(organization.payers.entries) == 1:
            # The first period was created for the payer, and then the change was cut short.
            first = None if payer == organization_id else payer
            organization = organization.changed(payers=History[str | None].starting(first))
        paid = _paid(organization, instant)
        if payer != paid.payer:
            raise UnavailableError("The payer of the organization is being changed; repeat the request")
        return paid

    async def organization(self, payer: str) -> Organization:
        """The organization that pays."""
        return await self._organizations.cached(payer)

    async def payers(self, organization_id: str) -> Sequence[str]:
        """Who pays at present, and who paid before. Changes nothing.

        Other hosts may have another time: whoever pays within the next minute is the first.
        """
        instant = self._clock.now() + LARGEST_CLOCK_DIFFERENCE
        paid = _paid(await self._organizations.cached(organization_id), instant)
        return (paid.payer, *paid.earlier)

    async def read(self, organization_id: str, wanted: Wanted) -> tuple[Organization, Wallet]:
        """The wallet where its budgets lie, whether or not it has moved to its payer already. Changes nothing."""
        organization = await self._organizations.cached(organization_id)
        payers = await self.payers(organization_id)
        wanted = replace(wanted, members=wanted.members | {organization_id})
        for payer in payers:
            wallet = (await self._wallets.read(payer, wanted)).wallet
            with suppress(PayerChangedError):
                wallet.check_member(organization_id)
                await self.complete(wallet, organization_id, wanted.counters)
                return organization, wallet
        return organization, wallet

    async def complete(self, wallet: Wallet, organization_id: str, counters: Collection[str]) -> None:
        """As `CounterShares.complete`; raises `UnavailableError` where reads stay too stale."""
        await retry_lost_races(
            lambda: self.shares.complete(wallet, organization_id, counters),
            UnavailableError("The wallet that was left cannot be read yet"),
        )

    async def wallet_of(self, organization_id: str) -> Paid:
        """Who pays at present, where the organization has moved to."""
        paid = await self.now(organization_id)
        await self._move(paid)
        return paid

    async def run(self, command: Spends) -> Transfer:
        """What comes of a command that spends, in the wallet that pays now. Raises as `Ledger.run`."""
        since: datetime | None = None
        for _ in range(_ROUNDS):
            paid = await self.now(command.organization_id, since)
            try:
                known = await self._answered_earlier(paid, command)
                if known is not None:
                    return known
                return await self._ledger.run(paid.payer, await self._as_payer_allows(paid, command))
            except PayerChangedError as error:
                since = error.since
                await self._move(await self.now(command.organization_id, since))
        raise UnavailableError("The payer is changing; repeat the request with the same Idempotency-Key")

    async def run_where_it_was_made(self, command: Continues) -> Transfer:
        """What comes of a command on something that was made before, in its wallet. Raises as `Ledger.run`."""
        paid = await self.now(command.organization_id)
        upcoming = _paid(paid.organization, self._clock.now() + LARGEST_CLOCK_DIFFERENCE).payer
        payers = list(dict.fromkeys((upcoming, paid.payer, *paid.earlier)))
        first, *others = await self._likeliest_first(payers, command)
        for payer in others:
            with suppress(NotFoundError):
                return await self._continue(first, command)
            first = payer
        return await self._continue(first, command)

    async def _likeliest_first(self, payers: Sequence[str], command: Continues) -> Sequence[str]:
        """The wallet that knows the key before the one that has what the command names; others follow.

        A read may be stale, so none is left out.
        """
        if len(payers) == 1:
            return payers
        likely: dict[str, int] = {}
        for payer in payers:
            stored = await self._wallets.read(payer, wanted_by([command]))
            has_it = stored.wallet.holds or stored.wallet.leases or stored.transactions
            likely[payer] = 0 if command.transaction_id in stored.transactions else 1 if has_it else 2
        return sorted(payers, key=lambda payer: likely[payer])

    async def _continue(self, payer: str, command: Continues) -> Transfer:
        if isinstance(command, ExtendLease):
            overdraft = (await self._organizations.cached(payer)).settings.overdraft
            command = replace(command, overdraft=overdraft)
        return await self._ledger.run(payer, command)

    async def _as_payer_allows(self, paid: Paid, command: Spends) -> Spends:
        """How far below zero the payer lets its wallet fall, how long it pays, and what a credit is worth now.

        Only the default kind may fall, as callers can name kinds.
        """
        payer = await self._organizations.cached(paid.payer)
        value = payer.credit_value_at(self._clock.now(), command.credit_kind)
        overdraft = payer.settings.overdraft if command.credit_kind == DEFAULT_KIND else ZERO
        return replace(command, overdraft=overdraft, credit_value=value, paid_until=paid.until)

    async def _answered_earlier(self, paid: Paid, command: Spends) -> Transfer | None:
        """The first answer of a key that was used before the change. Raises `IdempotencyConflictError`.

        A key is new only where the wallet shows that the organization has left: then the read has all that was done
        there, however stale it is. Raises `PayerChangedError` where it does not show that.
        """
        if self._clock.now() > paid.since + KEYS_KEPT:
            return None
        id_, organization_id = command.transaction_id, command.organization_id
        for payer, until in paid.earlier.items():
            wanted = Wanted(transactions=frozenset({id_}), members=frozenset({organization_id}))
            stored = await self._wallets.read(payer, wanted)
            if (transfer := stored.transactions.get(id_)) is not None:
                return first_answer(command, transfer)
            member = stored.wallet.members.get(organization_id)
            if member is None or member.state != "left" or member.since < until:
                raise PayerChangedError(paid.since)
        return None

    async def _move(self, paid: Paid) -> None:
        """Bring the organization into the wallet that pays, through those that paid before."""
        organization = paid.organization
        entries = organization.payers.entries
        if len(entries) == 1 and paid.payer == organization.id:
            return
        if await self._has_joined(paid.payer, organization.id, paid.since):
            return
        payers = [(entry.value or organization.id, entry.effective_from) for entry in entries]
        first, since = payers[0]
        if first != organization.id:
            await self._join(first, Member(organization.id, "joined", since), ())
        revisions: dict[str, int] = {}
        for (previous, _), (payer, since) in pairwise(payers):
            if since <= paid.since:
                budgets, revisions[previous] = await self._leave(previous, organization.id, since)
                left = {each: revision for each, revision in revisions.items() if each != payer}
                await self._join(payer, Member(organization.id, "joined", since, left), budgets)

    async def _has_joined(self, payer: str, organization_id: str, since: datetime) -> bool:
        stored = await self._wallets.read(payer, Wanted(members=frozenset({organization_id})))
        member = stored.wallet.members.get(organization_id)
        return member is not None and member.since >= since

    async def _leave(self, payer: str, organization_id: str, since: datetime) -> tuple[tuple[Budget, ...], int]:
        """The organization's own budgets once nothing more is admitted in the wallet, and its revision by then."""

        async def attempt() -> tuple[tuple[Budget, ...], int]:
            stored = await self._wallets.read(payer, Wanted(members=frozenset({organization_id})))
            member = stored.wallet.members.get(organization_id)
            revision = stored.wallet.head.revision
            if member is None or member.since < since:
                wallet = stored.wallet.copy()
                wallet.members[organization_id] = Member(organization_id, "left", since)
                wallet.finish()
                revision = (await self._wallets.commit(stored, wallet)).wallet.head.revision
            own = tuple(each for each in stored.wallet.budgets if each.organization_id == organization_id)
            return own, revision

        return await retry_lost_races(attempt, _changing())

    async def _join(self, payer: str, joining: Member, budgets: tuple[Budget, ...]) -> None:
        organization_id = joining.organization_id

        async def attempt() -> None:
            stored = await self._wallets.read(payer, Wanted(members=frozenset({organization_id})))
            member = stored.wallet.members.get(organization_id)
            if member is not None and member.since >= joining.since:
                return
            wallet = stored.wallet.copy()
            wallet.members[organization_id] = joining
            others = tuple(each for each in wallet.budgets if each.organization_id != organization_id)
            if len(others) + len(budgets) > MAXIMUM_BUDGETS:
                raise ConflictError(
                    f"The payer's wallet has {len(others)} budgets, and the organization brings {len(budgets)}: "
                    f"at most {MAXIMUM_BUDGETS} fit, so remove some of the payer's"
                )
            if (*others, *budgets) != wallet.budgets:
                wallet.put_budgets((*others, *budgets))
            wallet.finish(above=max(joining.left.values(), default=0))
            await self._wallets.commit(stored, wallet)

        await retry_lost_races(attempt, _changing())


def _paid(organization: Organization, instant: datetime) -> Paid:
    index = organization.payers.index_at(instant) or 0
    entries = organization.payers.entries[: index + 1]
    payers = [entry.value or organization.id for entry in entries]
    left = [(payer, following.effective_from) for payer, following in zip(payers, entries[1:], strict=False)]
    earlier: dict[str, datetime] = {}
    for payer, until in reversed(left):
        if payer != payers[-1]:
            earlier.setdefault(payer, until)
    following = organization.payers.entries[index + 1 : index + 2]
    paid_until = following[0].effective_from if following else None
    return Paid(organization, payers[-1], entries[-1].effective_from, paid_until, earlier)


def _changing() -> UnavailableError:
    return UnavailableError("The wallet is being changed by many at once")
