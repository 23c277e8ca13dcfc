"""Commands to subscriptions: what each makes of an organization's places and seats, before anything is written."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.domain.kernel.errors import ConflictError, NotFoundError, ValidationError
from shared.domain.kernel.histories import MAXIMUM_LEAD
from shared.domain.kernel.times import to_text
from shared.domain.pricing.places import CommandName, Places, Subscription, Terms
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


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A new subscription at the plan's place; without `start` from now on."""

    plan: str
    """Its key or id."""
    seats: int | None = None
    """None for the number that there is."""
    start: datetime | None = None
    only_public: bool = True
    """Whether the plan has to be one that organizations may subscribe to by themselves."""


@dataclass(frozen=True, slots=True)
class Change:
    """Another plan or number of seats; what is None stays."""

    plan: str | None = None
    seats: int | None = None
    at: When | datetime = "now"
    proration: Proration = "days"
    only_public: bool = True


@dataclass(frozen=True, slots=True)
class Cancel:
    """The end of a subscription. Its last day belongs to it."""

    at: When | datetime = "period_end"
    proration: Proration = "days"
    reason: str | None = None
    """For the audit trail."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """What lies ahead is taken back."""


Command = Subscribe | Change | Cancel | Withdraw


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
                end = await self._moment(command.at, command.proration, organization, now)
                return Decision("cancel", places.canceled(subscription, end, command.reason), organization, end)
            case Withdraw():
                return Decision("withdraw", places.withdrawn(subscription), organization, now)

    async def _subscribe(
        self, command: Subscribe, subscription_id: str, places: Places, organization: Organization, now: datetime
    ) -> Decision:
        start = now if command.start is None else _ahead(command.start, now, "/start")
        plan = await self._choices.chosen(organization, command.plan, only_public=command.only_public)
        terms = await self._choices.terms(subscription_id, organization, plan)
        subscribed = places.subscribed(plan.place, terms, start, now)
        return Decision("subscribe", subscribed, _with_seats(organization, command.seats, now, now), start)

    async def _change(
        self, command: Change, subscription: Subscription, places: Places, organization: Organization
    ) -> Decision:
        if command.plan is None and command.seats is None:
            raise ValidationError.at("/plan", "name another plan, or a number of seats")
        now = subscription.now
        start = await self._moment(command.at, command.proration, organization, now)
        if command.plan is not None:
            terms = await self._other_terms(command, command.plan, subscription, organization)
            places = places.changed_terms(subscription, terms, start)
        return Decision("change", places, _with_seats(organization, command.seats, start, now), start)

    async def _other_terms(
        self, command: Change, reference: str, subscription: Subscription, organization: Organization
    ) -> Terms:
        plan = await self._choices.chosen(organization, reference, only_public=command.only_public)
        if plan.place != subscription.place:
            detail = f"stands at the place {plan.place}, and this subscription at {subscription.place}; subscribe to it"
            raise ValidationError.at("/plan", detail)
        return await self._choices.terms(subscription.id, organization, plan)

    async def _moment(
        self, at: When | datetime, proration: Proration, organization: Organization, now: datetime
    ) -> datetime:
        """When a command takes effect; without proration, where a billing period ends."""
        moment = _ahead(at, now, "/at") if isinstance(at, datetime) else now
        period = await self._periods.would_contain(organization, moment)
        at_end = at == "period_end" or (proration == "none" and moment != period.start)
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


def _with_seats(organization: Organization, seats: int | None, start: datetime, now: datetime) -> Organization:
    if seats is None:
        return organization
    replaced = organization.seats.replaced(seats, start, now)
    return organization.changed(seats=replaced, seat_commands=organization.seat_commands + 1)
