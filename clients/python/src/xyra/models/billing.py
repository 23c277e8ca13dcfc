"""Models of `billing`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import (
    ActivityCharge,
    AgentCharge,
    CostCharge,
    FlatFee,
    OutcomeCharge,
    PaymentAnswer,
    PlanEntitlement,
    PlanGrant,
    SeatCharge,
    SetupFee,
    Trial,
    WorkflowCharge,
    YearlyCommitment,
)


class ConfigAnswer(TypedDict):
    publishable_key: str | None
    """What pages load Stripe.js with; null where the deployment has none for this mode."""
    livemode: bool
    """Whether the organization pays real money."""


class CreditPackageAnswer(TypedDict):
    id: str
    """Its id."""
    name: str
    """What customers see."""
    credits: str
    """How many credits are bought."""
    prices: Mapping[str, str]
    """By currency, without tax. In a currency that is not named it is not sold."""


class CreditPackageList(TypedDict):
    data: Sequence[CreditPackageAnswer]
    """The smallest first."""


class CreditPackageRequest(TypedDict):
    name: str
    """What customers see."""
    credits: str | int | Decimal
    """How many credits are bought, with at most 6 decimals."""
    prices: Mapping[str, str | int | Decimal]
    """By currency, without tax. Without any, the package is not sold."""


class CustomerAnswer(TypedDict):
    id: str
    """The customer's id at Stripe."""
    email: str | None
    """As it was created with."""
    name: str | None
    """As it was created with."""
    default_payment_method: str | None
    """The id of the payment method that is charged where none is named."""
    balance: str
    """What was paid or credited here and is not applied to an invoice yet; never Stripe's own balance."""
    currency: str
    """The currency of all amounts, ISO 4217."""


class CustomerRequest(TypedDict):
    email: NotRequired[str | None]
    """Where Stripe sends receipts; left out, the organization's `billing_email`."""
    name: NotRequired[str | None]
    """What Stripe calls the customer; left out, the organization's name."""


class PaymentList(TypedDict):
    data: Sequence[PaymentAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class PaymentMethodAnswer(TypedDict):
    id: str
    """Its id."""
    type: str
    """The kind of payment method."""
    brand: str | None
    """Of a card; of a debit its bank."""
    last4: str | None
    """The last digits of its number."""
    expires: str | None
    """Of a card, such as `2027-03`."""
    default: bool
    """Whether it is charged where none is named."""


class PaymentMethodList(TypedDict):
    data: Sequence[PaymentMethodAnswer]
    """The newest first."""


class PublicPlanAnswer(TypedDict):
    id: str
    """Its id."""
    key: str
    """By which a subscription names it."""
    name: str
    """Its name, for people."""
    description: str
    """What it is, for people."""
    kind: Literal["base", "addon"]
    """`base`, or `addon` beside it."""
    interval: Literal["month", "quarter", "year"]
    """What a change at `period_end` waits for."""
    anchor: Literal["anniversary", "calendar"] | None
    """From where quarters and years are counted; null for the first day that is paid."""
    version: int
    """The number of the newest version, which a new subscription gets."""
    trial: Trial | None
    """Without fees at the beginning, once."""
    entitlements: Sequence[PlanEntitlement]
    """Its features."""
    grants: Sequence[PlanGrant]
    """Credits that it brings in each cycle."""
    prices: Mapping[
        str,
        Sequence[
            FlatFee | SetupFee | SeatCharge | AgentCharge | ActivityCharge | OutcomeCharge | WorkflowCharge | CostCharge
        ],
    ]
    """By currency, what it costs."""
    commitments: Mapping[str, Sequence[YearlyCommitment]]
    """By currency, what some of these charges come to in a year at least."""


class PublicPlanList(TypedDict):
    data: Sequence[PublicPlanAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ReceivedAnswer(TypedDict):
    received: bool
    """Always true: the event is stored, now or before."""


class SetupIntentAnswer(TypedDict):
    id: str
    """Its id."""
    client_secret: str
    """With which the page lets Stripe.js take the payment method."""
    status: str
    """As Stripe says."""


class SetupIntentRequest(TypedDict):
    types: NotRequired[Sequence[Literal["card", "sepa_debit", "us_bank_account"]]]
    """What kinds of payment methods the page offers."""
