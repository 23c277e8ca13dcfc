"""The ledger: does commands on wallets, each once, in guarded batches.

Nothing rests on the memory of a process. A batch writes the head under its ETag, so of two hosts with the same head one
succeeds; the other reads again and decides anew. A repeated command finds its transfer by its key.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from cachetools import LRUCache

from shared.domain.credits.alerts import raise_alerts
from shared.domain.credits.commands import AnyCommand, ExpireHold, ExpireLease, Reserve, TakeLease, sign_up_bonus
from shared.domain.credits.deciding import bring_up_to, decide
from shared.domain.credits.granting import expired_grants
from shared.domain.credits.head import HEAD_ID
from shared.domain.credits.members import PayerChangedError
from shared.domain.credits.returns import LostPinError
from shared.domain.credits.top_ups import ask_for_top_up
from shared.domain.credits.transfers import Transfer
from shared.domain.credits.wallet import Wallet
from shared.domain.kernel.errors import (
    NotFoundError,
    RateLimitedError,
    UnavailableError,
    ValidationError,
    WrongClockError,
)
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock, StoreTime
from shared.ports.wallets import StoredWallet, Wallets
from shared.services.credits.counter_shares import CounterShares
from shared.services.credits.credit_alerts import CreditAlerts
from shared.services.credits.expiries import all_of, expiry_of, held_in_left_wallets, may_have_due
from shared.services.credits.first_answers import is_answered_before
from shared.services.credits.later_parts import LaterParts
from shared.services.credits.payment_news import PaymentNews
from shared.services.credits.waiting import Lanes, Waiting
from shared.services.credits.wanted import counters_admitted_by, refunded_by, wanted_behind, wanted_by
from shared.services.storage import AlreadyExistsError, Outbox, OutboxEntry, StaleEtagError, look_twice, putting
from shared.services.tenancy.organizations import Organizations

MAXIMUM_OPERATIONS = 100
MAXIMUM_BYTES = 900_000
"""Of a batch, well below what stores take."""
MAXIMUM_BYTES_WITH_HOLDS = 800_000
"""Less where credits are set aside: what resolves a hold writes a little more than what made it."""
EXPIRED_AT_ONCE = 500
"""Grants, about; more lapse in batches of their own, before a command is decided."""
RETRIED_FOR = timedelta(seconds=2)
"""How long a command tries again after lost races."""
LONGEST_WAIT = timedelta(minutes=10)
"""Older commands are not begun: their keys may be forgotten before they end."""
LARGEST_CLOCK_DIFFERENCE = timedelta(seconds=60)
"""A host whose clock is further behind the ledger, or further off the store, commits nothing."""

_CACHED_WALLETS = 500
_CACHED_ITEMS = 600
_LONGEST_PAUSE_SECONDS = 0.05


def _too_busy() -> RateLimitedError:
    return RateLimitedError("Many requests change this wallet at once; repeat this one with the same Idempotency-Key")


class Ledger:
    """Wallets of payers. An organization pays for itself."""

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        wallets: Wallets,
        clock: Clock,
        organizations: Organizations,
        outbox: Outbox,
        store_time: StoreTime | None = None,
        alerts: CreditAlerts | None = None,
    ) -> None:
        """`store_time` tells how far the store's clock differs; without it they are one.

        Without `alerts` none are raised.
        """
        self._alerts = alerts
        self._outbox = outbox
        self._news = PaymentNews(outbox, organizations)
        self._later_parts = LaterParts(outbox, clock)
        self.shares = CounterShares(wallets, clock, organizations, outbox, alerts)
        self._wallets = wallets
        self._clock = clock
        self._organizations = organizations
        self._store_time = store_time
        self._lanes = Lanes(self._run_pack, _too_busy)
        self._following: LRUCache[str, list[str]] = LRUCache(_CACHED_WALLETS)
        """Outbox entries of a batch, by one of its commands."""
        self._known: LRUCache[str, StoredWallet] = LRUCache(_CACHED_WALLETS)
        """Wallets as this process stored them last: good as long as nobody else has changed the head."""

    async def run(self, payer: str, command: AnyCommand) -> Transfer:
        """What comes of a command, or came of it the first time.

        Raises `IdempotencyConflictError` for a key that was used for something else, `NotFoundError` where the command
        names what is not there, `PayerChangedError` where another wallet pays, `ValidationError` where it does not fit
        into a batch, `RateLimitedError`, and `UnavailableError`; after the last two repeat it with the same key.
        """
        transfer = await look_twice(lambda: self._lanes.run(payer, command, self._clock.now()), errors=(NotFoundError,))
        await self._follow_up(payer, command)
        return transfer

    async def begin(self, organization_id: str) -> None:
        """Give the sign-up bonus of an organization, where it has one and nothing has moved yet. Safe to repeat."""
        organization = await self._organizations.cached(organization_id)
        if organization.sign_up_bonus:
            await self.run(organization_id, sign_up_bonus(organization_id, organization.sign_up_bonus))

    async def expire_due(self, payer: str, *, within_command: bool = False) -> int:
        """Expire the holds and leases of a payer whose time is over; how many there were."""
        now = self._clock.now()
        holds = await self._wallets.due_holds(payer, now)
        leases = await self._wallets.due_leases(payer, now)
        due_now = all_of(holds, leases)
        for due in due_now:
            organization_id = due.context.organization_id
            calendars = (await self._organizations.cached(organization_id)).calendars
            command = expiry_of(due, organization_id, calendars)
            await self._expire(payer, command)
            if not within_command:
                await self._follow_up(payer, command)
        return len(due_now)

    async def _follow_up(self, payer: str, command: AnyCommand) -> None:
        """What follows in other partitions, behind the lane: it may have a command for the same wallet.

        The sweep does what is cut short here.
        """
        for entry_id in self._following.pop(command.transaction_id, ()):
            await self._outbox.attempt(*self._wallets.place(payer), entry_id)

    async def _expire(self, payer: str, command: ExpireHold | ExpireLease) -> None:
        """In a batch of its own. Nothing happens where it is resolved meanwhile."""
        waiting = Waiting(command, self._clock.now(), asyncio.get_running_loop().create_future())
        while not waiting.done.done():
            await self._attempt(payer, [waiting])
            await self._pause([waiting])
        with suppress(NotFoundError):
            waiting.done.result()

    async def _run_pack(self, payer: str, pack: Sequence[Waiting]) -> Sequence[Waiting]:
        """Answer some of the commands; those that are left come again in the next pack."""
        for waiting in pack:
            if self._clock.now() - waiting.since > LONGEST_WAIT:
                waiting.fail(UnavailableError("The request waited too long; repeat it with the same Idempotency-Key"))
        pack = _open(pack)
        try:
            if pack and not await self._attempt(payer, pack):
                await self._pause(pack)
        except Exception as error:  # noqa: BLE001  whatever it is, those who wait are told
            self._known.pop(payer, None)
            for waiting in pack:
                waiting.fail(error)
        return _open(pack)

    async def _pause(self, pack: Sequence[Waiting]) -> None:
        """After a lost race. Those that have lost for too long are given up."""
        for waiting in pack:
            if self._clock.now() - waiting.since > RETRIED_FOR:
                waiting.fail(_too_busy())
        if _open(pack):
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311  jitter

    async def _attempt(self, payer: str, pack: Sequence[Waiting]) -> bool:
        """Read, decide and store once. False where that has to be done again, as another host was faster."""
        try:
            stored = await self._read(payer, [waiting.command for waiting in pack])
            pack = [waiting for waiting in pack if not is_answered_before(waiting, stored)]
            now = self._clock.now()
            self._check_clock(stored, now)
            if expired_grants(stored.wallet, now) > EXPIRED_AT_ONCE:
                await self._expire_some(payer, stored, now)
                return False
            payer_organization = await self._organizations.cached(payer)
            told = await self._news.told([waiting.command for waiting in pack])
            wallet = self._decide(stored, pack, now, payer_organization, told)
            if not wallet.transfers:
                self._known.pop(payer, None)  # a miss may be a stale read
                return True
            if await self._frees_due(payer, wallet):
                return False
            beside = [] if self._alerts is None else list(self._alerts.beside(wallet))
            entries = self._entries(stored, wallet, told)
            committed = await self._wallets.commit(stored, wallet, [*beside, *map(putting, entries)])
        except (AlreadyExistsError, StaleEtagError, LostPinError):
            self._known.pop(payer, None)
            return False
        self._remember(payer, committed)
        answers = {transfer.id: transfer for transfer in wallet.transfers}
        for waiting in pack:
            if (transfer := answers.get(waiting.command.transaction_id)) is not None:
                waiting.answer(transfer)
        if entries:
            following = next(id_ for id_ in (each.command.transaction_id for each in pack) if id_ in answers)
            self._following[following] = [entry.id for entry in entries]
        return True

    async def _frees_due(self, payer: str, wallet: Wallet) -> bool:
        """Resolve what is due before a refusal stands, also what counts here and lies in wallets that were left.

        Whether that has changed something: then the commands are decided anew.
        """
        if may_have_due(wallet) and await self.expire_due(payer, within_command=True):
            return True
        is_freed = False
        for organization_id, left, ids in held_in_left_wallets(wallet):
            await self.expire_due(left, within_command=True)
            known = self._known.get(left)
            at_least = 0 if known is None else known.wallet.head.revision
            is_freed |= await self.shares.refresh(organization_id, left, ids, at_least)
        if is_freed:
            self._known.pop(payer, None)
        return is_freed

    async def _expire_some(self, payer: str, stored: StoredWallet, now: datetime) -> None:
        """Grants whose time is over, where they are too many for the batch of a command."""
        wallet = stored.wallet.copy()
        bring_up_to(wallet, now, EXPIRED_AT_ONCE)
        wallet.finish()
        self._remember(payer, await self._wallets.commit(stored, wallet))

    async def _read(self, payer: str, commands: Sequence[AnyCommand]) -> StoredWallet:
        """The wallet with all that the commands need: without a request where this process has just stored it.

        Keys that are used for the first time need not be looked up then: a transfer under a known one fails the batch.
        """
        known = self._known.get(payer)
        wanted = wanted_by(commands)
        if known is not None:
            wanted = replace(wanted, transactions=frozenset(refunded_by(commands)))
        stored = await self._wallets.read(payer, wanted, known)
        stored = await self._wallets.read(payer, wanted_behind(commands, stored), stored)
        if not stored.wallet.head.sequence:
            stored.wallet.sign_up_bonus = (await self._organizations.cached(payer)).sign_up_bonus
        for organization_id, ids in counters_admitted_by(commands).items():
            await self.shares.complete(stored.wallet, organization_id, ids)
        return stored

    def _decide(
        self,
        stored: StoredWallet,
        pack: Sequence[Waiting],
        now: datetime,
        organization: Organization,
        told: frozenset[str],
    ) -> Wallet:
        """The wallet after as many of the commands as fit into a batch, each key once.

        `organization` is the payer, which says when credits are bought by themselves; `told` are those of whose
        payments there is news.
        """
        while True:
            wallet = self._decided(stored, pack, now, told)
            if wallet.transfers:
                own, now = organization.own_settings, wallet.head.time
                ask_for_top_up(wallet, own.top_up, organization.calendars, now)
                if self._alerts is not None:
                    raise_alerts(stored.wallet, wallet, now, own.balance_alerts)
            wallet.finish()
            reserves = any(isinstance(waiting.command, Reserve | TakeLease) for waiting in pack)
            most = MAXIMUM_BYTES_WITH_HOLDS if reserves else MAXIMUM_BYTES
            if not wallet.transfers or self._wallets.size(stored, wallet) <= most:
                return wallet
            if len(pack) == 1:
                pack[0].fail(_too_large())
            pack = pack[: len(pack) // 2]

    def _decided(self, stored: StoredWallet, pack: Sequence[Waiting], now: datetime, told: frozenset[str]) -> Wallet:
        wallet = stored.wallet.copy()
        for waiting in pack:
            id_ = waiting.command.transaction_id
            if any(transfer.id == id_ for transfer in wallet.transfers):
                continue
            tried = wallet.copy()
            try:
                decide(tried, waiting.command, now)
            except (NotFoundError, PayerChangedError) as error:
                waiting.fail(error)
                continue
            operations = self._wallets.operations(stored, tried) + len(self._entries(stored, tried, told))
            if operations <= MAXIMUM_OPERATIONS - 2:  # for a top-up, and for alerts
                wallet = tried
            elif wallet.transfers:
                break
            else:
                waiting.fail(_too_large())
        return wallet

    def _entries(self, stored: StoredWallet, wallet: Wallet, told: frozenset[str]) -> list[OutboxEntry]:
        """What follows from a batch elsewhere, or later."""
        return [
            *self._news.entries(wallet, told),
            *self.shares.entries(stored.wallet, wallet),
            *self._later_parts.entries(wallet),
        ]

    def _check_clock(self, stored: StoredWallet, now: datetime) -> None:
        """Raises `WrongClockError` where this host's clock is far behind what others have written, or off the store's.

        Holds, grants and windows would end too early or too late for all hosts.
        """
        if self._store_time is not None and abs(self._store_time.clock_difference()) > LARGEST_CLOCK_DIFFERENCE:
            raise WrongClockError("The clock of this host is wrong: it differs from that of the store")
        if stored.wallet.head.time - now > LARGEST_CLOCK_DIFFERENCE:
            raise WrongClockError("The clock of this host is wrong: it is behind that of the ledger")

    def _remember(self, payer: str, stored: StoredWallet) -> None:
        """Of a wallet that has become large only the head and the grant pages."""
        if len(stored.etags) > _CACHED_ITEMS:
            wallet = stored.wallet
            etags = {id_: etag for id_, etag in stored.etags.items() if id_ == HEAD_ID or id_ in wallet.pages}
            slim = Wallet(payer, wallet.head, pages=wallet.pages, budgets=wallet.budgets)
            stored = StoredWallet(slim, {}, etags, frozenset(etags))
        self._known[payer] = stored


def _open(pack: Sequence[Waiting]) -> list[Waiting]:
    return [waiting for waiting in pack if not waiting.done.done()]


def _too_large() -> ValidationError:
    return ValidationError("This concerns too many grants or counters for one transaction; send it in several parts")
