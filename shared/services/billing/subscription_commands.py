"""Commands to subscriptions: what each makes of an organization's places and seats, before anything is written."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from shared.domain.kernel.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from shared.domain.kernel.histories import MAXIMUM_LEAD
from shared.domain.kernel.times import to_text
from shared.domain.pricing.places import CommandName, Places, Subscription, Terms, TrialTerms
from shared.domain.pricing.plan_intervals import CycleAnchor
from shared.domain.pricing.plans import BASE, Trial
from shared.domain.tenancy.organizations import Organization
from shared.services.billing.plan_choices import ONE_BASE_PLAN, Having, PlanChoices
from shared.services.billing.plan_cycles import PlanCycles

When = Literal["now", "period_end"]
Proration = Literal["days", "none"]
InvoiceWhen = Literal["now", "next"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command makes of the places and the seats."""

    name: CommandName
    places: Places
    organization: Organization
    takes_effect: datetime
    then: datetime | None = None
    """When something follows by itself: a trial's end, or that of a pause."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A new subscription at the plan's place; without `start` from now on."""

    plan: str
    """Its key or id."""
    seats: int | None = None
    """None for the number that there is."""
    start: datetime | None = None
    trial_days: int | None = None
    """In place of the plan's trial, also where there was one before; 0 for none."""
    quantity: int = 1
    """How often an add-on is had."""
    anchor: CycleAnchor | None = None
    """In place of the plan's."""
    purchase_order: str | None = None
    """The number of the customer's order."""
    only_public: bool = True
    """Whether the plan has to be one that organizations may subscribe to by themselves."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another plan, quantity or number of seats; what is None stays."""

    plan: str | None = None
    seats: int | None = None
    quantity: int | None = None
    resets_anchor: bool = False
    """Whether its quarters and years begin again with it; of a base plan by the month, the organization's months do."""
    at: When | datetime = "now"
    proration: Proration = "days"
    trial_days: int | None = None
    """Of a trial of the other plan."""
    only_public: bool = True


@dataclass(frozen=True, slots=True)
class Cancel:
    """The end of a subscription. Its last day belongs to it."""

    at: When | datetime = "period_end"
    proration: Proration = "days"
    reason: str | None = None
    """For the audit trail."""
    may_cut: bool = True
    """Whether it may end inside a quarter or year of its plan."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Time without a plan, until it is resumed or that time comes."""

    at: When | datetime = "now"
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """The end of a pause, now."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """What lies ahead is taken back."""


Command = Subscribe | Change | Cancel | Pause | Resume | Withdraw


class SubscriptionCommands:
    def __init__(self, choices: PlanChoices, cycles: PlanCycles) -> None:
        self._choices = choices
        self._cycles = cycles

    async def decide(
        self, command: Command, subscription_id: str, places: Places, organization: Organization, now: datetime
    ) -> Decision:
        """Raises `NotFoundError`, `ConflictError`, `ValidationError`, `UnavailableError`."""
        if organization.ended_at is not None:
            raise ConflictError("The organization is deleted")
        if isinstance(command, Subscribe):
            return await self._subscribe(command, subscription_id, places, organization, now)
        subscription = _living(places, subscription_id, now)
        match command:
            case Change():
                return await self._change(command, subscription, places, organization)
            case Cancel():
                return await self._cancel(command, subscription, places, organization)
            case Pause():
                return await self._pause(command, subscription, places, organization)
            case Resume():
                if subscription.status != "paused":
                    raise ConflictError("The subscription is not paused")
                return Decision("resume", places.resumed(subscription), organization, now)
            case Withdraw():
                return Decision("withdraw", places.withdrawn(subscription), organization, now)

    async def _subscribe(
        self, command: Subscribe, subscription_id: str, places: Places, organization: Organization, now: datetime
    ) -> Decision:
        start = now if command.start is None else _ahead(command.start, now, "/start")
        plan = await self._choices.chosen(organization, command.plan, only_public=command.only_public)
        terms = await self._choices.terms(subscription_id, organization, plan, Having(command.quantity, command.anchor))
        trial = await self._choices.trial(plan, command.trial_days, had_one=places.has_had_trial(plan.place))
        if trial is not None:
            terms = _on_trial(terms, trial, start, organization)
        subscribed = places.subscribed(plan.place, terms, start, now)
        then = _trial_end(terms)
        moves_months = (
            await self._choices.moves_months(plan) if command.anchor is None else command.anchor == "anniversary"
        )
        if moves_months:
            organization = await self._with_months_from(organization, terms, plan.place, then or start, now)
        organization = organization.with_purchase_order(plan.place, command.purchase_order)
        seated = _with_seats(organization, command.seats, now, now)
        return Decision("subscribe", subscribed, seated, start, then)

    async def _change(
        self, command: Change, subscription: Subscription, places: Places, organization: Organization
    ) -> Decision:
        changes_terms = command.plan is not None or command.quantity is not None or command.resets_anchor
        if not changes_terms and command.seats is None:
            raise ValidationError.at("/plan", "name another plan, a quantity or a number of seats")
        if command.trial_days is not None and command.plan is None:
            raise ValidationError.at("/trial_days", "goes with the plan that is tried; name it, too")
        now = subscription.now
        start = await self._moment(command.at, command.proration, organization, subscription, places)
        then: datetime | None = None
        if changes_terms:
            terms = await self._other_terms(command, subscription, organization, start)
            then = _trial_end(terms)
            places = places.changed_terms(subscription, terms, start)
            if command.resets_anchor:
                organization = await self._with_months_from(organization, terms, subscription.place, start, now)
        return Decision("change", places, _with_seats(organization, command.seats, start, now), start, then)

    async def _with_months_from(
        self, organization: Organization, terms: Terms, place: str, moment: datetime, now: datetime
    ) -> Organization:
        """A base plan by the month moves the organization's months: there is one calendar, and add-ons follow it."""
        if terms.interval != "month" or place != BASE:
            return organization
        return await self._cycles.with_months_from(organization, moment, now)

    async def _cancel(
        self, command: Cancel, subscription: Subscription, places: Places, organization: Organization
    ) -> Decision:
        """Raises `ForbiddenError` where it would end inside a quarter or year and may not."""
        end = await self._moment(command.at, command.proration, organization, subscription, places)
        terms = subscription.terms
        if not command.may_cut and subscription.begun and terms.interval != "month" and terms.status == "active":
            cycle = await self._cycles.of(organization, places.begun(subscription), terms, end)
            if end != cycle.start:
                detail = f"Only the operator ends a plan by the {terms.interval} inside one; leave at and proration out"
                raise ForbiddenError(detail)
        return Decision("cancel", places.canceled(subscription, end, command.reason), organization, end)

    async def _pause(
        self, command: Pause, subscription: Subscription, places: Places, organization: Organization
    ) -> Decision:
        if subscription.status != "active":
            raise ConflictError(f"Only an active subscription can be paused; this one is {subscription.status}")
        start = await self._moment(command.at, "days", organization, subscription, places)
        until = command.until
        if until is not None and _ahead(until, subscription.now, "/until") <= start:
            raise ValidationError.at("/until", "is not after the pause begins")
        return Decision("pause", places.paused(subscription, start, until), organization, start, until)

    async def _other_terms(
        self, command: Change, subscription: Subscription, organization: Organization, start: datetime
    ) -> Terms:
        if subscription.status == "paused":
            raise ConflictError("The subscription is paused; resume it first")
        before = subscription.terms
        quantity = before.quantity if command.quantity is None else command.quantity
        if command.plan is None:
            if subscription.place == BASE and quantity != 1:
                raise ValidationError.at("/quantity", ONE_BASE_PLAN)
            terms = before.model_copy(update={"quantity": quantity, "resets_anchor": command.resets_anchor})
            return terms if terms.trial is None or start < terms.trial.ends_at else terms.as_status(terms.trial.then)
        plan = await self._choices.chosen(organization, command.plan, only_public=command.only_public)
        if plan.place != subscription.place:
            detail = f"stands at the place {plan.place}, and this subscription at {subscription.place}; subscribe to it"
            raise ValidationError.at("/plan", detail)
        having = Having(quantity, resets_anchor=command.resets_anchor)
        terms = await self._choices.terms(subscription.id, organization, plan, having)
        if command.trial_days:
            return _on_trial(terms, Trial(days=command.trial_days), start, organization)
        return (_resumed_trial(subscription, terms, organization) if start == subscription.now else None) or terms

    async def _moment(
        self,
        at: When | datetime,
        proration: Proration,
        organization: Organization,
        subscription: Subscription,
        places: Places,
    ) -> datetime:
        """When a command takes effect; without proration, where its plan's cycle ends. In a trial that is its end."""
        now, trial = subscription.now, subscription.trial
        moment = _ahead(at, now, "/at") if isinstance(at, datetime) else now
        cycle = await self._cycles.of(organization, places.begun(subscription), subscription.terms, moment)
        at_end = at == "period_end" or (proration == "none" and moment != cycle.start)
        if at_end and trial is not None and moment < trial.ends_at:
            return trial.ends_at
        return cycle.end if at_end else moment


def _living(places: Places, subscription_id: str, now: datetime) -> Subscription:
    """Raises `NotFoundError`, and `ConflictError` for a subscription that has ended."""
    subscription = places.subscription(subscription_id, now)
    if subscription is None:
        raise NotFoundError("There is no such subscription")
    if subscription.status == "canceled":
        raise ConflictError("The subscription has ended; subscribe again")
    return subscription


def _ahead(moment: datetime, now: datetime, pointer: str) -> datetime:
    """Raises `ValidationError` at `pointer` for the past, and for more than `MAXIMUM_LEAD` ahead."""
    if moment < now:
        raise ValidationError.at(pointer, "is in the past; leave it out for now. The past is corrected by credit notes")
    if moment > now + MAXIMUM_LEAD:
        raise ValidationError.at(pointer, f"must not be after {to_text(now + MAXIMUM_LEAD)}")
    return moment


def _on_trial(terms: Terms, trial: Trial, start: datetime, organization: Organization) -> Terms:
    """Terms of a trial: so many local days, to the same local time."""
    local = start.astimezone(ZoneInfo(organization.timezone))
    ends_at = (local + timedelta(days=trial.days)).astimezone(UTC)
    on_trial = TrialTerms(ends_at=ends_at, then=trial.then)
    return terms.model_copy(update={"status": "trialing", "trial": on_trial})


def _trial_end(terms: Terms) -> datetime | None:
    return None if terms.trial is None else terms.trial.ends_at


def _resumed_trial(subscription: Subscription, terms: Terms, organization: Organization) -> Terms | None:
    """The trial that a change ended earlier on this local day, where this one goes back to its plan."""
    zone = ZoneInfo(organization.timezone)
    today = subscription.now.astimezone(zone).date()
    for entry, following in pairwise(subscription.begun):
        ended_today = following.effective_from.astimezone(zone).date() == today
        trial = entry.value.trial
        goes_on = trial is not None and trial.ends_at > subscription.now
        if goes_on and ended_today and entry.value.plan_id == terms.plan_id:
            return entry.value
    return None


def _with_seats(organization: Organization, seats: int | None, start: datetime, now: datetime) -> Organization:
    if seats is None:
        return organization
    replaced = organization.seats.replaced(seats, start, now)
    return organization.changed(seats=replaced, seat_commands=organization.seat_commands + 1)
