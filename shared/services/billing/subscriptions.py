"""Subscriptions: what an organization has agreed to pay, at its places, from some time on.

A command is one batch: the organization's places, its seats where they change with it, and the outbox entry of the
interim invoice that follows from it.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from shared.containers import TENANTS
from shared.domain.billing.documents import interim_id
from shared.domain.kernel.errors import ConflictError, NotFoundError
from shared.domain.kernel.histories import MINIMUM_LEAD
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.places import Places, PlaceTakenError, Subscription
from shared.domain.tenancy.entitlements import SEATS
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.bill import Bill
from shared.services.billing.bills import Bills
from shared.services.billing.cycle_grants import GRANTS_DUE, CycleGrants
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.interim_moments import INTERIM_DUE
from shared.services.billing.overdue_places import OverduePlaces
from shared.services.billing.plan_cycles import PlanCycles
from shared.services.billing.subscription_commands import (
    Command,
    Decision,
    InvoiceWhen,
    Subscribe,
    SubscriptionCommands,
)
from shared.services.periods.periods import Periods
from shared.services.pricing.places import PlaceHistories
from shared.services.storage import (
    Operation,
    Outbox,
    OutboxEntry,
    Owners,
    Stored,
    creating,
    look_twice,
    putting,
    replacing,
    retry_lost_races,
)
from shared.services.tenancy.organizations import Organizations


@dataclass(frozen=True, slots=True)
class Commanded:
    """A subscription after a command, and the id of the interim invoice that it issued."""

    subscription: Subscription
    invoice_id: str | None


@dataclass(frozen=True, slots=True)
class PreviewedCommand:
    """What a command would issue when it takes effect."""

    bill: Bill
    organization: Organization
    takes_effect: datetime
    is_now: bool


class Subscriptions:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        clock: Clock,
        owners: Owners,
        organizations: Organizations,
        periods: Periods,
        place_histories: PlaceHistories,
        cycles: PlanCycles,
        commands: SubscriptionCommands,
        bills: Bills,
        documents: BillingDocuments,
        cycle_grants: CycleGrants,
        overdue_places: OverduePlaces,
        outbox: Outbox,
    ) -> None:
        self._clock = clock
        self._owners = owners
        self._organizations = organizations
        self._periods = periods
        self._place_histories = place_histories
        self._cycles = cycles
        self._commands = commands
        self._bills = bills
        self._documents = documents
        self._cycle_grants = cycle_grants
        self._overdue_places = overdue_places
        self._outbox = outbox
        self._interims = outbox.sender(INTERIM_DUE)

    async def get(self, organization_id: str, subscription_id: str) -> Subscription:
        """Raises `NotFoundError`."""

        async def look() -> Subscription:
            places = await self._place_histories.of(organization_id)
            return _of(places, subscription_id, self._clock.now())

        return await look_twice(look, errors=(NotFoundError,))

    async def all(self, organization_id: str) -> list[Subscription]:
        """Those that have ended, too; by place, oldest first."""
        places = await self._place_histories.of(organization_id)
        return [*places.subscriptions(self._clock.now())]

    async def overdue_places(self, organization_id: str) -> AbstractSet[str]:
        """The places whose fees stand on an invoice that should have been paid."""
        return await self._overdue_places.of(organization_id)

    async def cycle(self, organization: Organization, subscription: Subscription) -> Period:
        """The month, quarter or year of its plan that it is in, or before it begins the billing period."""
        places = await self._place_histories.of(organization.id)
        entries = places.begun(subscription)
        return await self._cycles.of(organization, entries, subscription.terms, subscription.now)

    async def command(
        self,
        organization_id: str,
        subscription_id: str,
        command: Command,
        command_id: str,
        invoice: InvoiceWhen = "now",
    ) -> Commanded:
        """Carry a command out, once for its id, and issue what it makes due in advance unless that is to wait.

        Raises `NotFoundError`, `PlaceTakenError` and other `ConflictError`, `ValidationError`, `UnavailableError`, and
        `LimitExceededError` for more seats than the plans then allow.
        """
        if isinstance(command, Subscribe):
            await self._owners.note(subscription_id, organization_id)

        async def attempt() -> Subscription:
            current = await self._place_histories.stored(organization_id)
            places = Places() if current is None else current.entity
            now = places.no_earlier(self._clock.now())
            if command_id not in places.commands:
                organization = await self._organizations.get_stored(organization_id)
                decision = await self._commands.decide(command, subscription_id, places, organization.entity, now)
                await self._check_seats(decision, organization.entity, now)
                places = await self._write(organization, current, decision, command_id, invoice, now)
            return _of(places, subscription_id, now)

        otherwise = ConflictError("The subscriptions are being changed by many at once; try again")
        doubtful = (PlaceTakenError, ConflictError, NotFoundError)
        subscription = await look_twice(lambda: retry_lost_races(attempt, otherwise), errors=doubtful)
        for effect in (GRANTS_DUE, INTERIM_DUE):
            await self._outbox.attempt(TENANTS.name, organization_id, _entry_id(effect, command_id))
        issued = await self._documents.find_invoice(organization_id, interim_id(organization_id, command_id))
        return Commanded(subscription, None if issued is None else issued.id)

    async def _check_seats(self, decision: Decision, before: Organization, now: datetime) -> None:
        """Raises `LimitExceededError` for more seats than before and than the plans allow when they are had."""
        seats = decision.organization.seats
        if seats == before.seats:
            return
        entitlements = await self._place_histories.entitlements(decision.places, now)
        allowed = entitlements.at(max(now, decision.takes_effect)).get(SEATS)
        used = before.seats.at(now) or 0
        if allowed is not None and seats.last > used:
            allowed.check_room(used, seats.last - used)

    async def _write(  # noqa: PLR0913  what belongs into the batch
        self,
        organization: Stored[Organization],
        current: Stored[Places] | None,
        decision: Decision,
        command_id: str,
        invoice: InvoiceWhen,
        now: datetime,
    ) -> Places:
        """One batch. The present period is there from then on, so that it is invoiced.

        What takes effect with a later period is left to the invoice of the one before.
        """
        until = now if decision.organization.calendars == organization.entity.calendars else now + MINIMUM_LEAD
        await self._periods.cover(decision.organization, now, until)
        changed = decision.places.commanded(decision.name, command_id, now)
        beside: list[Operation] = [putting(await self._place_histories.entitlements(changed, now))]
        if decision.organization != organization.entity:
            beside.append(replacing(organization, decision.organization))
        moments = {command_id: decision.takes_effect}
        if decision.then is not None:
            moments[f"{command_id}:then"] = decision.then
        for name, moment in moments.items() if invoice == "now" else ():
            if moment == now or not await self._begins_a_period(decision.organization, moment):
                beside.append(creating(self._entry(decision, changed, name, moment, now)))
        if await self._place_histories.bring_credits(changed):
            beside += [
                creating(self._cycle_grants.entry(name, organization.entity.id, moment, changed.revision))
                for name, moment in moments.items()
            ]
        await self._place_histories.write(organization.entity.id, current, changed, *beside)
        return changed

    async def _begins_a_period(self, organization: Organization, moment: datetime) -> bool:
        return (await self._periods.would_contain(organization, moment)).start == moment

    def _entry(self, decision: Decision, changed: Places, name: str, moment: datetime, now: datetime) -> OutboxEntry:
        """Of the interim invoice at a moment that a command decides about."""
        return self._interims.entry(
            f"{INTERIM_DUE}:{name}",
            not_before=moment,
            organization_id=decision.organization.id,
            command_id=name,
            moment=to_text(moment),
            revision=str(changed.revision),
            seat_commands=str(decision.organization.seat_commands),
            commanded_at=to_text(now),
        )

    async def preview(self, organization_id: str, subscription_id: str, command: Command) -> PreviewedCommand:
        """What a command would issue, by itself, when it takes effect. Changes nothing. Raises as `command`."""
        organization = await self._organizations.get(organization_id)
        places = await self._place_histories.of(organization_id)
        now = places.no_earlier(self._clock.now())
        decision = await self._commands.decide(command, subscription_id, places, organization, now)
        await self._check_seats(decision, organization, now)
        moment = max(now, decision.takes_effect)
        bill = await self._bills.interim(decision.organization, moment, decision.places, is_preview=True)
        return PreviewedCommand(bill, decision.organization, moment, is_now=moment == now)


def _entry_id(effect: str, command_id: str) -> str:
    return f"{OutboxEntry.kind}:{effect}:{command_id}"


def _of(places: Places, subscription_id: str, now: datetime) -> Subscription:
    """Raises `NotFoundError`."""
    found = places.subscription(subscription_id, now)
    if found is None:
        raise NotFoundError("There is no such subscription")
    return found
