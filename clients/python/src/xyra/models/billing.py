"""Models of `billing`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

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


class PaymentList(TypedDict):
    data: Sequence[PaymentAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


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
