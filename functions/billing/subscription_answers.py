"""What requests about subscriptions name, and what they answer."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from functions.fields import SpanAnswer
from functions.limit_warnings import LimitWarning, seat_warnings
from shared.domain.kernel.histories import Entry
from shared.domain.periods.periods import Period
from shared.domain.pricing.places import Subscription, SubscriptionStatus, Terms, TermsStatus
from shared.domain.pricing.plan_intervals import CycleAnchor
from shared.domain.pricing.plans import MAXIMUM_QUANTITY, MAXIMUM_TRIAL_DAYS
from shared.domain.tenancy.organizations import MAXIMUM_SEATS, Organization
from shared.http import (
    Call,
    PathValues,
    Schema,
    ThingId,
)
from shared.services.billing.subscription_commands import (
    Change,
    Command,
    InvoiceWhen,
    Subscribe,
)

HISTORY_SHOWN = 100
"""How many entries of a history an answer shows: the last ones."""

Seats = Annotated[int, Field(ge=0, le=MAXIMUM_SEATS, strict=True)]


ShownStatus = SubscriptionStatus | Literal["past_due"]
TrialDays = Annotated[int, Field(ge=0, le=MAXIMUM_TRIAL_DAYS, strict=True)]

PlanQuantity = Annotated[int, Field(ge=1, le=MAXIMUM_QUANTITY, strict=True)]


class SubscriptionPath(PathValues):
    subscription_id: Annotated[str, ThingId("sub")]
    """The subscription's id."""


class TermsAnswer(Schema):
    plan: str
    """The plan's key."""
    plan_version: str
    """The id of the plan's version."""
    status: TermsStatus
    """What the subscription is from then on."""
    fees_from: datetime
    """When this begins."""

    usage_from: datetime | None
    """From when on it prices usage, at least 10 minutes after the change; null where another one takes its place."""

    @classmethod
    def of(cls, subscription: Subscription, entry: Entry[Terms]) -> Self:
        terms = entry.value
        return cls(
            plan=terms.plan_key,
            plan_version=terms.plan_version_id,
            status=terms.status,
            fees_from=entry.effective_from,
            usage_from=subscription.usage_from(entry),
        )


class SubscriptionAnswer(Schema):
    id: str
    organization_id: str
    place: str
    """`base`, or the key of an add-on. There is one subscription at a place."""
    plan: str
    """The plan's key."""
    plan_version: str
    """The id of the plan's version; a newer one moves no subscription."""
    status: ShownStatus
    """`scheduled` until it begins, `past_due` while an overdue invoice has fees of its place; never stored."""
    trial_ends_at: datetime | None
    """Null where it is in no trial."""
    seats: int
    """The organization's number of seats now."""
    quantity: int
    """How often its plan is had."""
    purchase_order: str | None
    """The number of the customer's order at its place."""
    anchor: CycleAnchor
    """From where its quarters and years are counted."""
    current_period: SpanAnswer
    """The organization's billing period."""
    current_cycle: SpanAnswer
    """The month, quarter or year of its plan; a month is the billing period."""
    upcoming: list[TermsAnswer]
    """What lies ahead, earliest first."""
    history: list[TermsAnswer]
    """What has begun, oldest first: the last 100 entries."""
    invoice_id: str | None
    """The interim invoice that this request issued; null where it issued none."""
    warnings: list[LimitWarning]
    """Soft limits of the plan that this request passed; empty where it passed none."""

    @classmethod
    def of(  # noqa: PLR0913  what it shows
        cls,
        subscription: Subscription,
        organization: Organization,
        period: Period,
        cycle: Period,
        overdue: AbstractSet[str],
        invoice_id: str | None = None,
    ) -> Self:
        """`period` is the organization's present one, `cycle` that of the plan.

        At the places `overdue` fees should have been paid.
        """
        return cls(
            id=subscription.id,
            organization_id=organization.id,
            place=subscription.place,
            plan=subscription.terms.plan_key,
            plan_version=subscription.terms.plan_version_id,
            status=_shown_status(subscription, overdue),
            trial_ends_at=subscription.trial.ends_at if subscription.trial is not None else None,
            seats=organization.seats.at(subscription.now) or 0,
            quantity=subscription.terms.quantity,
            purchase_order=organization.purchase_orders.get(subscription.place),
            anchor=subscription.terms.anchor,
            current_period=SpanAnswer(start=period.start, end=period.end),
            current_cycle=SpanAnswer(start=cycle.start, end=cycle.end),
            upcoming=[TermsAnswer.of(subscription, entry) for entry in subscription.upcoming],
            history=[TermsAnswer.of(subscription, entry) for entry in subscription.begun[-HISTORY_SHOWN:]],
            invoice_id=invoice_id,
            warnings=[],
        )


async def answers_of(
    call: Call[Any, Any, Any],
    organization_id: str,
    subscriptions: Sequence[Subscription],
    invoice_id: str | None = None,
) -> list[SubscriptionAnswer]:
    organization = await call.services.organizations.get(organization_id)
    period = await call.services.periods.would_contain(organization, call.now)
    cycles = [await call.services.subscriptions.cycle(organization, subscription) for subscription in subscriptions]
    overdue = await call.services.subscriptions.overdue_places(organization_id)
    return [
        SubscriptionAnswer.of(subscription, organization, period, cycle, overdue, invoice_id)
        for subscription, cycle in zip(subscriptions, cycles, strict=True)
    ]


def _shown_status(subscription: Subscription, overdue: AbstractSet[str]) -> ShownStatus:
    """Whatever it is in, a subscription that goes on and whose fees are overdue is past due."""
    goes_on = subscription.status not in ("scheduled", "canceled")
    return "past_due" if goes_on and subscription.place in overdue else subscription.status


async def carried_out(
    call: Call[Any, Any, Any], organization_id: str, subscription_id: str, command: Command, invoice: InvoiceWhen
) -> SubscriptionAnswer:
    command_id = subscription_id if isinstance(command, Subscribe) else call.new_id("cmd")
    service = call.services.subscriptions
    done = await service.command(organization_id, subscription_id, command, command_id, invoice)
    (answer,) = await answers_of(call, organization_id, [done.subscription], done.invoice_id)
    if not isinstance(command, Change | Subscribe) or command.seats is None:
        return answer
    return answer.model_copy(update={"warnings": await seat_warnings(call, organization_id)})
