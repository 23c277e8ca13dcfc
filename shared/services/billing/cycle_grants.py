"""Cycle grants: credits of subscriptions, brought to what is due, once however often the work is repeated.

What is due is decided in an item of the cycle, under its ETag and in the order of the commands. The wallet's commands
follow from that item alone and have names of their own, so that it does each of them once.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.containers import TENANTS
from shared.domain.billing.granted_cycles import GrantedCycle, GrantedLine, granted_cycle_id
from shared.domain.credits.commands import Clawback, GiveGrant
from shared.domain.credits.grants import Rollover
from shared.domain.credits.grants import Terms as CreditTerms
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Span
from shared.domain.pricing.cycles import PlaceCycle
from shared.domain.pricing.places import Places, Terms
from shared.domain.pricing.plan_grants import due_grants
from shared.domain.pricing.plan_intervals import PlanInterval
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.paid_cycles import PaidCycles
from shared.services.billing.plan_cycles import PlanCycles
from shared.services.credits.clawbacks import Clawbacks
from shared.services.credits.ledger import Ledger
from shared.services.periods.periods import Periods
from shared.services.pricing.places import PlaceHistories
from shared.services.storage import (
    Operation,
    Outbox,
    OutboxEntry,
    Records,
    Store,
    putting,
    retry_lost_races,
)
from shared.services.tenancy.organizations import Organizations

GRANTS_DUE = "grants_due"
"""The effect of a command, or of a new cycle, that changes which credits are due; its value is a stored name."""
MAXIMUM_CYCLES = 60
"""Of a place, that one run of the effect looks at where it comes late."""
_CUT_WITHIN = timedelta(days=2)
"""A command cuts a cycle at the beginning of its own local day."""
_INSTANT = timedelta(microseconds=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Turn:
    """A cycle of the plans of an interval at a place."""

    place: str
    interval: PlanInterval
    cycle: PlaceCycle


class CycleGrants:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        place_histories: PlaceHistories,
        cycles: PlanCycles,
        paid: PaidCycles,
        documents: BillingDocuments,
        ledger: Ledger,
        outbox: Outbox,
    ) -> None:
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._place_histories = place_histories
        self._cycles = cycles
        self._paid = paid
        self._documents = documents
        self._ledger = ledger
        self._clawbacks = Clawbacks(ledger)
        self._granted = Records(store, TENANTS, GrantedCycle)
        self._due = outbox.sender(GRANTS_DUE)

    def entry(self, name: str, organization_id: str, moment: datetime, revision: int) -> OutboxEntry:
        """To be stored in one batch with what changes which credits are due at a moment."""
        return self._due.entry(
            f"{GRANTS_DUE}:{name}",
            not_before=moment,
            organization_id=organization_id,
            moment=to_text(moment),
            revision=str(revision),
        )

    async def grant(self, organization_id: str, moment: str, revision: str) -> None:
        """What happens for `GRANTS_DUE`, however often it is repeated; `moment` is when it is due.

        Raises `UnavailableError` where the command cannot be read yet, or a wallet cannot be reached.
        """
        organization = await self._organizations.made(organization_id)
        places = await self._place_histories.of(organization_id)
        if places.revision < int(revision):
            raise UnavailableError("The command was given a moment ago and cannot be read yet")
        now = places.no_earlier(self._clock.now())
        await self._periods.cover(organization, now, now)
        span = Span(start=min(from_text(moment), now) - _CUT_WITHIN, end=now + _INSTANT)
        for place, history in sorted(places.fees.items()):
            for interval in sorted({entry.value.interval for entry in history.entries}):
                cycles = await self._cycles.within(organization, history, interval, span)
                for cycle in cycles[-MAXIMUM_CYCLES:]:
                    await self._converge(organization, places, _Turn(place, interval, cycle), now)

    async def grant_paid(self, organization_id: str, invoice_id: str) -> None:
        """What happens for `INVOICE_SETTLED`, however often: credits that come with the payment of fees are there.

        Raises as `grant`, and `UnavailableError` where the payment cannot be read yet.
        """
        places = await self._place_histories.of(organization_id)
        if not await self._place_histories.bring_credits(places, on="paid"):
            return
        invoice = await self._documents.find_invoice(organization_id, invoice_id)
        if invoice is None or invoice.amount_due:
            raise UnavailableError("The invoice was settled a moment ago, and that cannot be read yet")
        await self.grant(organization_id, to_text(invoice.start), "0")

    async def _converge(self, organization: Organization, places: Places, turn: _Turn, now: datetime) -> None:
        """Bring a place's credits of a cycle to what is due by what has begun until now."""
        history, period = places.fees[turn.place], turn.cycle.period
        grants = await self._place_histories.grants(history)
        brings_credits = any(grants.values())
        waits = any(grant.on == "paid" for of_version in grants.values() for grant in of_version)
        is_paid = waits and await self._paid.is_paid(organization, places, turn.place, period)
        id_ = granted_cycle_id(turn.place, turn.interval, period)
        until = min(now, period.end - _INSTANT)
        begun = sum(entry.effective_from <= until for entry in history.entries)

        async def attempt() -> GrantedCycle | None:
            current = await self._granted.find(organization.id, id_)
            if current is None and not brings_credits:
                return None
            before = GrantedCycle.of(turn.place, turn.interval, period) if current is None else current.entity
            if not before.is_older_than(places.revision, begun, is_paid=is_paid):
                return before
            due = due_grants(_ending(history, organization), grants, turn.cycle, turn.interval, until)
            decided = before.decided(due, places.revision, begun, period.end, is_paid=is_paid)
            await self._granted.write(organization.id, current, decided, *self._following(organization, places, turn))
            return decided

        otherwise = ConflictError("The credits of a cycle are being changed by many at once")
        decided = await retry_lost_races(attempt, otherwise)
        if decided is not None and decided.applied < decided.version:
            await self._apply(organization, history, decided)

    def _following(self, organization: Organization, places: Places, turn: _Turn) -> list[Operation]:
        """The next cycle's turn, where a plan of this interval is in force when it begins."""
        end = turn.cycle.period.end
        terms = places.fees[turn.place].at(end)
        if terms is None or terms.status != "active" or terms.interval != turn.interval:
            return []
        name = f"{turn.place}:{turn.interval}:{to_text(end)}"
        return [putting(self.entry(name, organization.id, end, places.revision))]

    async def _apply(self, organization: Organization, history: History[Terms], decided: GrantedCycle) -> None:
        """Do in the wallet what was decided, and note that it is done."""
        rolls = any(grant.rollover for line in decided.lines for grant in line.grants)
        lifetime = await self._next_length(organization, history, decided) if rolls else timedelta()
        for line in decided.lines:
            given = await self._give(organization, decided, line, lifetime)
            if line.has_fallen:
                await self._take_back(organization, decided, line, given)

        def done(current: GrantedCycle) -> GrantedCycle:
            return current.changed(applied=max(current.applied, decided.version))

        await self._granted.change(organization.id, decided.id, done)

    async def _next_length(
        self, organization: Organization, history: History[Terms], decided: GrantedCycle
    ) -> timedelta:
        """How long the next cycle is: for so long credits roll over."""
        span = Span(start=decided.end, end=decided.end + _INSTANT)
        following = await self._cycles.within(organization, history, decided.interval, span)
        length: Span = following[0].period if following else Span(start=decided.start, end=decided.end)
        return length.end - length.start

    async def _give(
        self, organization: Organization, decided: GrantedCycle, line: GrantedLine, lifetime: timedelta
    ) -> dict[int, str]:
        """Give the grants that are not there yet; the ids of all that are, by their index.

        `lifetime` is that of what rolls over. A grant whose time is over already is left out, and one that the wallet
        refuses, as it has too many kinds.
        """
        now = self._clock.now()
        ids: dict[int, str] = {}
        for index, grant in enumerate(line.grants):
            if grant.expires_at is not None and grant.expires_at <= now:
                continue
            command = GiveGrant(
                organization_id=organization.id,
                key=decided.grant_key(line, index),
                by_system=True,
                amount=grant.amount,
                terms=CreditTerms(
                    "subscription",
                    promotional=grant.promotional,
                    expires_at=grant.expires_at,
                    rollover=Rollover(grant.rollover, lifetime) if grant.rollover else None,
                ),
                credit_kind=line.kind,
                reason=f"Included in the plan ({line.key})",
            )
            transfer = await self._ledger.run(organization.id, command)
            if transfer.refusal is None:
                ids[index] = command.grant_id
            else:
                _log.error("credits of a plan are refused: %s", transfer.refusal.detail, extra={"id": organization.id})
        return ids

    async def _take_back(
        self, organization: Organization, decided: GrantedCycle, line: GrantedLine, given: Mapping[int, str]
    ) -> None:
        """What is more than is due, as totals: an older decision than the newest moves nothing."""
        for index, grant_id in given.items():
            command = Clawback(
                organization_id=organization.id,
                key=f"{decided.grant_key(line, index)}:{decided.version}",
                by_system=True,
                grant_id=grant_id,
                total=line.taken_back[index],
                version=decided.version,
                reason="The plan changed within its cycle",
            )
            await self._clawbacks.run(organization.id, command)


def _ending(history: History[Terms], organization: Organization) -> History[Terms]:
    """The history up to the organization's end: no plan has days after it."""
    ended_at = organization.ended_at
    if ended_at is None:
        return history
    kept = [entry for entry in history.entries if entry.effective_from < ended_at]
    if not kept:
        return history
    end = kept[-1].model_copy(update={"effective_from": ended_at, "value": kept[-1].value.as_status("canceled")})
    return History[Terms](entries=(*kept, end))
