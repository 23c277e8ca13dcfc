"""Draws: a wallet pays the usage of a prepaid period as it happens, until the period's close."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import ClassVar

from cachetools import LRUCache

from shared.domain.billing.prepaid import amounts_to_draw
from shared.domain.credits.commands import Draw
from shared.domain.credits.drawn_periods import MAXIMUM_LINES, DrawnPeriod, drawn_period_id
from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import IdempotencyConflictError, UnavailableError
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Period
from shared.domain.rating.rating import rate_by_segment
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.wallets import Wallets, Wanted
from shared.services.billing.bill import Bill
from shared.services.billing.drawn_amounts import DrawnAmountsStore, hash_of_amounts
from shared.services.billing.facts import FactsReader
from shared.services.credits.ledger import Ledger
from shared.services.periods.periods import Drawn, PeriodItem, Periods
from shared.services.storage import Outbox, OutboxEntry, StaleEtagError, Stored, retry_lost_races
from shared.services.storage.locks import NamedLocks
from shared.services.tenancy.organizations import Organizations

DRAWN_LOWERED = "drawn_lowered"
"""The effect of a period that the wallet paid more for than is due by now."""
_MAXIMUM_REMEMBERED = 10_000
_MAXIMUM_SLICES = 50
"""Draws of one period in a row, each of about a thousand grants."""


class DueDraw(Entity):
    """What the sweep needs of a closed period that does not know yet what was drawn."""

    kind: ClassVar[str] = "drawn_period"
    audit: ClassVar[Audit] = OWN_TRAIL
    payer: str
    drawn_id: str


@dataclass(frozen=True, slots=True)
class Lowering:
    """What closed periods have of their wallet from now on, and the entries that tell the wallet."""

    drawn: dict[datetime, Drawn]
    """By the start of the period."""
    entries: list[OutboxEntry]


class Draws:
    """The wallet's item of a period has totals and a version: repeated, late and lost draws move nothing twice.

    The close lies in the wallet, in one batch with the last draw; then the period is told. Until it knows, no invoice
    bills what the wallet pays, and the period is not settled.
    """

    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        facts: FactsReader,
        wallets: Wallets,
        ledger: Ledger,
        amounts: DrawnAmountsStore,
        outbox: Outbox,
    ) -> None:
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._facts = facts
        self._wallets = wallets
        self._ledger = ledger
        self._amounts = amounts
        self._locks = NamedLocks()
        self._moments = count(1)
        self._drawn_since = LRUCache[str, int](_MAXIMUM_REMEMBERED)
        """When the last draw of a period began, in this process: a burst of usage is rated once."""
        outbox.expect(DueDraw)
        self._lowered = outbox.sender(DRAWN_LOWERED)

    async def draw(self, organization_id: str, period: str) -> None:
        """What happens for `USAGE_ADDED`; `period` is when it starts. Nothing where no wallet pays for it."""
        name = f"{organization_id}:{period}"
        asked = next(self._moments)
        async with self._locks.held(name):
            if self._drawn_since.get(name, 0) > asked:
                return  # a draw of this process began after the usage was stored, and has seen it
            began = next(self._moments)
            await self._draw(organization_id, period)
            self._drawn_since[name] = began

    async def _draw(self, organization_id: str, period: str) -> None:
        item = (await self._periods.item(organization_id, from_text(period))).entity
        if item.is_drawn_from:
            await self._pay(await self._organizations.made(organization_id), item, closes=False)

    async def close(self, organization: Organization, period: Period) -> None:
        """The last draw of an ended period. From then on invoices bill what changes. Safe to repeat."""
        item = (await self._periods.item(organization.id, period.start)).entity
        if item.is_drawn_from and item.end <= self._clock.now():
            await self._note(await self._pay(organization, item, closes=True))

    async def complete_due(self, due: Stored[DueDraw]) -> None:
        """Tell a period what was drawn until its close. Safe to repeat."""
        stored = await self._wallets.read(due.entity.payer, Wanted(drawn_periods=frozenset({due.entity.drawn_id})))
        drawn = stored.wallet.drawn_periods.get(due.entity.drawn_id)
        if drawn is None:
            raise UnavailableError("What was drawn for the period cannot be read yet")
        await self._note(drawn)

    async def lowering(self, organization_id: str, bill: Bill) -> "Lowering":
        """What belongs into the batch of a bill that finds less due for closed periods than their wallet paid."""
        lowering = Lowering({}, [])
        for billed in bill.periods:
            stored = billed.guarded.stored
            if billed.drawn is None or stored is None or stored.entity.drawn is None:
                continue
            item = stored.entity
            named = await self._amounts.write(organization_id, item, stored.entity.drawn.version + 1, billed.drawn)
            start = to_text(item.start)
            entry = self._lowered.entry(
                f"{DRAWN_LOWERED}:{start}",
                organization_id=organization_id,
                period=start,
                version=str(named.version),
            )
            lowering.drawn[item.start] = named
            lowering.entries.append(entry)
        return lowering

    async def lower(self, organization_id: str, period: str, version: str) -> None:
        """What happens for `DRAWN_LOWERED`: the wallet is brought to what the closed period says."""
        item = (await self._periods.item(organization_id, from_text(period))).entity
        amounts = await self._amounts.of(organization_id, item)
        if item.drawn is None or amounts is None or item.drawn.version < int(version):
            raise UnavailableError("The period cannot be read yet as it was changed")
        await self._run(item, organization_id, item.drawn.version, amounts, is_after_close=True)

    async def _pay(self, organization: Organization, item: PeriodItem, *, closes: bool) -> DrawnPeriod:
        """Bring the wallet to what is due now, in as many draws as its grants take. Raises `UnavailableError`."""
        for _ in range(_MAXIMUM_SLICES):
            drawn, is_done = await self._pay_once(organization, item, closes=closes)
            if is_done:
                return drawn
        raise UnavailableError("The period is being drawn in many parts; the next draw goes on")

    async def _pay_once(
        self, organization: Organization, item: PeriodItem, *, closes: bool
    ) -> tuple[DrawnPeriod, bool]:
        """What is drawn, and whether that is all of it."""

        async def attempt() -> tuple[DrawnPeriod, bool]:
            drawn = await self._drawn(organization.id, item)  # read before the facts, so that its version guards them
            if drawn.is_closed:
                return drawn, True
            (facts,) = await self._facts.of(organization, [item.period])
            now = self._clock.now()
            due = [
                rated.line
                for rated in rate_by_segment(facts)
                if closes or rated.line.timing == "arrears" or rated.first_day <= now
            ]
            amounts = amounts_to_draw(due, drawn.amounts, organization.currency, MAXIMUM_LINES, is_open=not closes)
            if drawn.is_drawn(amounts) and not closes:
                return drawn, True
            try:
                await self._run(item, organization.id, drawn.version + 1, amounts, closes=closes)
            except IdempotencyConflictError as error:  # another host has drawn this version
                raise StaleEtagError(error.detail) from error
            drawn = await self._drawn(organization.id, item, at_least=drawn.version + 1)
            return drawn, drawn.is_closed or (not closes and drawn.is_drawn(amounts))

        return await retry_lost_races(attempt, UnavailableError("The period is being drawn by many at once"))

    async def _run(  # noqa: PLR0913  what a draw has
        self,
        item: PeriodItem,
        organization_id: str,
        version: int,
        amounts: Mapping[str, Decimal],
        *,
        closes: bool = False,
        is_after_close: bool = False,
    ) -> None:
        credit_value = item.settlement.credit_value
        assert credit_value is not None, "every prepaid settlement has one"  # noqa: S101  narrows
        period = to_text(item.start)
        command = Draw(
            organization_id=organization_id,
            key=f"draw:{period}:{version}",
            by_system=True,
            request_hash=f"{hash_of_amounts(amounts)}:{closes}",
            period=period,
            version=version,
            amounts=amounts,
            credit_value=credit_value,
            closes=closes,
            is_after_close=is_after_close,
        )
        await self._ledger.run(await self._payer(organization_id, item), command)

    async def _drawn(self, organization_id: str, item: PeriodItem, at_least: int = 0) -> DrawnPeriod:
        """What the wallet has paid of a period. Raises `UnavailableError` where it cannot be read yet."""
        id_ = drawn_period_id(organization_id, to_text(item.start))
        payer = await self._payer(organization_id, item)
        stored = await self._wallets.read(payer, Wanted(drawn_periods=frozenset({id_})))
        drawn = stored.wallet.drawn_periods.get(id_)
        if drawn is None and not at_least:
            return DrawnPeriod(
                id=id_,
                organization_id=organization_id,
                period=to_text(item.start),
                credit_value=item.settlement.credit_value or Decimal(1),
            )
        if drawn is None or drawn.version < at_least:
            raise UnavailableError("What was drawn for the period cannot be read yet")
        return drawn

    async def _payer(self, organization_id: str, item: PeriodItem) -> str:
        """Whose wallet pays for the period, as it was created."""
        return item.payer_id or (await self._organizations.cached(organization_id)).payer_at(item.start)

    async def _note(self, drawn: DrawnPeriod) -> None:
        """Copy the amounts of a closed period to its item, once."""
        organization_id, start = drawn.organization_id, from_text(drawn.period)

        async def attempt() -> None:
            current = await self._periods.item(organization_id, start)
            if current.entity.drawn is None:
                named = await self._amounts.write(organization_id, current.entity, drawn.version, drawn.amounts)
                await self._periods.replace(organization_id, current, current.entity.changed(drawn=named))
            await self._wallets.note_drawn(await self._payer(organization_id, current.entity), drawn.id)

        await retry_lost_races(attempt, UnavailableError("The period is being changed by many at once"))
