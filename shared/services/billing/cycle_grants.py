"""Cycle grants: credits of subscriptions, brought to what is due, once however often the work is repeated.

What is due is decided in an item of the cycle, under its ETag and in the order of the commands. The wallet's commands
follow from that item alone and have names of their own, so that it does each of them once.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.containers import TENANTS
from shared.domain.billing.granted_cycles import GrantedCycle, GrantedLine, granted_cycle_id
from shared.domain.credits.commands import Clawback, GiveGrant
from shared.domain.credits.grants import Rollover
from shared.domain.credits.grants import Terms as CreditTerms
from shared.domain.kernel.errors import ConflictError, UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.places import Places, Terms
from shared.domain.pricing.plan_grants import due_grants
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
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
"""That one run of the effect looks at, where it comes late."""
_INSTANT = timedelta(microseconds=1)

_log = logging.getLogger(__name__)


class CycleGrants:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        place_histories: PlaceHistories,
        ledger: Ledger,
        outbox: Outbox,
    ) -> None:
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._place_histories = place_histories
        self._ledger = ledger
        self._cycles = Records(store, TENANTS, GrantedCycle)
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
        for place in sorted(places.fees):
            cycle = await self._cycle_at(organization, min(from_text(moment), now))
            for _ in range(MAXIMUM_CYCLES):
                await self._converge(organization, places, place, cycle, now)
                if cycle.end > now:
                    break
                cycle = await self._cycle_at(organization, cycle.end)

    async def _cycle_at(self, organization: Organization, instant: datetime) -> Period:
        """The time that the plan's fees are for: of a monthly plan the billing period."""
        return await self._periods.containing(organization, instant)

    async def _converge(
        self, organization: Organization, places: Places, place: str, cycle: Period, now: datetime
    ) -> None:
        """Bring a place's credits of a cycle to what is due by what has begun until now."""
        history = places.fees[place]
        grants = await self._place_histories.grants(history)
        has_grants = any(grants.values())
        otherwise = ConflictError("The credits of a cycle are being changed by many at once")

        async def attempt() -> GrantedCycle | None:
            current = await self._cycles.find(organization.id, granted_cycle_id(place, cycle))
            if current is None and not has_grants:
                return None
            before = GrantedCycle.of(place, cycle) if current is None else current.entity
            until = min(now, cycle.end - _INSTANT)
            begun = sum(entry.effective_from <= until for entry in history.entries)
            if not before.is_older_than(places.revision, begun):
                return before
            due = due_grants(_ending(history, organization), grants, cycle, len(cycle.days()), until)
            decided = before.decided(due, places.revision, begun, cycle.end)
            following = self._following(organization, places, place, cycle)
            await self._cycles.write(organization.id, current, decided, *following)
            return decided

        decided = await retry_lost_races(attempt, otherwise)
        if decided is not None and decided.applied < decided.version:
            await self._apply(organization, decided)

    def _following(self, organization: Organization, places: Places, place: str, cycle: Period) -> list[Operation]:
        """The next cycle's turn, where a plan is in force when it begins."""
        terms = places.fees[place].at(cycle.end)
        if terms is None or terms.status != "active":
            return []
        name = f"{place}:{to_text(cycle.end)}"
        return [putting(self.entry(name, organization.id, cycle.end, places.revision))]

    async def _apply(self, organization: Organization, decided: GrantedCycle) -> None:
        """Do in the wallet what was decided, and note that it is done."""
        for line in decided.lines:
            given = await self._give(organization, decided, line)
            if line.has_fallen:
                await self._take_back(organization, decided, line, given)

        def done(current: GrantedCycle) -> GrantedCycle:
            return current.changed(applied=max(current.applied, decided.version))

        await self._cycles.change(organization.id, decided.id, done)

    async def _give(self, organization: Organization, decided: GrantedCycle, line: GrantedLine) -> dict[int, str]:
        """Give the grants that are not there yet; the ids of all that are, by their index.

        One whose time is over already is left out, and one that the wallet refuses, as it has too many kinds.
        """
        now = self._clock.now()
        ids: dict[int, str] = {}
        for index, grant in enumerate(line.grants):
            if grant.expires_at is not None and grant.expires_at <= now:
                continue
            rollover = None
            if grant.rollover:
                following = await self._cycle_at(organization, decided.end)
                rollover = Rollover(grant.rollover, following.end - following.start)
            command = GiveGrant(
                organization_id=organization.id,
                key=_grant_key(decided, line, index),
                by_system=True,
                amount=grant.amount,
                terms=CreditTerms(
                    "subscription", promotional=grant.promotional, expires_at=grant.expires_at, rollover=rollover
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
                key=f"{_grant_key(decided, line, index)}:{decided.version}",
                by_system=True,
                grant_id=grant_id,
                total=line.taken_back[index],
                version=decided.version,
                reason="The plan changed within its cycle",
            )
            await self._ledger.run(organization.id, command)


def _grant_key(decided: GrantedCycle, line: GrantedLine, index: int) -> str:
    """Of one grant in its cycle: its place there names it."""
    return f"plan_grant:{decided.place}:{to_text(decided.start)}:{line.kind}:{line.key}:{index}"


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
