"""Commands to subscriptions: what each makes of an organization's places and seats, before anything is written."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.kernel.histories import MAXIMUM_LEAD
from shared.domain.kernel.times import to_text
from shared.domain.pricing.places import CommandName, Places, Subscription, Terms, TrialTerms
from shared.domain.pricing.plans import Trial
from shared.domain.tenancy.organizations import Organization
from shared.services.billing.plan_choices import PlanChoices
from shared.services.periods.periods import Periods

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
    only_public: bool = True
    """Whether the plan has to be one that organizations may subscribe to by themselves."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another plan or number of seats; what is None stays."""

    plan: str | None = None
    seats: int | None = None
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
    def __init__(self, choices: PlanChoices, periods: Periods) -> None:
        self._choices = choices
        self._periods = periods

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
                end = await self._moment(command.at, command.proration, organization, subscription)
                return Decision("cancel", places.canceled(subscription, end, command.reason), organization, end)
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
        terms = await self._choices.terms(subscription_id, organization, plan)
        trial = await self._choices.trial(plan, command.trial_days, had_one=places.has_had_trial(plan.place))
        if trial is not None:
            terms = _on_trial(terms, trial, start, organization)
        subscribed = places.subscribed(plan.place, terms, start, now)
        seated = _with_seats(organization, command.seats, now, now)
        return Decision("subscribe", subscribed, seated, start, _trial_end(terms))

    async def _change(
        self, command: Change, subscription: Subscription, places: Places, organization: Organization
    ) -> Decision:
        if command.plan is None and command.seats is None:
            raise ValidationError.at("/plan", "name another plan, or a number of seats")
        now = subscription.now
        start = await self._moment(command.at, command.proration, organization, subscription)
        then: datetime | None = None
        if command.plan is not None:
            terms = await self._other_terms(command, command.plan, subscription, organization)
            if command.trial_days:
                trial = Trial(days=command.trial_days)
                terms = _on_trial(terms, trial, start, organization)
            elif start == now:
                terms = _resumed_trial(subscription, terms, organization) or terms
            then = _trial_end(terms)
            places = places.changed_terms(subscription, terms, start)
        return Decision("change", places, _with_seats(organization, command.seats, start, now), start, then)

    async def _pause(
        self, command: Pause, subscription: Subscription, places: Places, organization: Organization
    ) -> Decision:
        if subscription.status != "active":
            raise ConflictError(f"Only an active subscription can be paused; this one is {subscription.status}")
        start = await self._moment(command.at, "days", organization, subscription)
        until = command.until
        if until is not None and _ahead(until, subscription.now, "/until") <= start:
            raise ValidationError.at("/until", "is not after the pause begins")
        return Decision("pause", places.paused(subscription, start, until), organization, start, until)

    async def _other_terms(
        self, command: Change, reference: str, subscription: Subscription, organization: Organization
    ) -> Terms:
        if subscription.status == "paused":
            raise ConflictError("The subscription is paused; resume it first")
        plan = await self._choices.chosen(organization, reference, only_public=command.only_public)
        if plan.place != subscription.place:
            detail = f"stands at the place {plan.place}, and this subscription at {subscription.place}; subscribe to it"
            raise ValidationError.at("/plan", detail)
        return await self._choices.terms(subscription.id, organization, plan)

    async def _moment(
        self, at: When | datetime, proration: Proration, organization: Organization, subscription: Subscription
    ) -> datetime:
        """When a command takes effect; without proration, where a billing period ends. In a trial that is its end."""
        now, trial = subscription.now, subscription.trial
        moment = _ahead(at, now, "/at") if isinstance(at, datetime) else now
        period = await self._periods.would_contain(organization, moment)
        at_end = at == "period_end" or (proration == "none" and moment != period.start)
        if at_end and trial is not None and moment < trial.ends_at:
            return trial.ends_at
        return period.end if at_end else moment


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
