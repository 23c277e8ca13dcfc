"""Models of `plans`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import PlanEntitlement, PlanGrant, Trial


class PlanAnswer(TypedDict):
    id: str
    """Its id."""
    key: str
    """By which a subscription names it; it stays over all versions."""
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
    public: bool
    """Whether organizations see it and may subscribe to it by themselves."""
    prices: Mapping[str, str]
    """By currency, the id of the version of a billing model that prices it."""
    trial: Trial | None
    """Without fees at the beginning."""
    entitlements: Sequence[PlanEntitlement]
    """Its features."""
    grants: Sequence[PlanGrant]
    """Credits that it brings in each cycle."""
    version: int
    """The number of the newest version, which a new subscription gets."""
    version_id: str
    """Of the newest version."""
    created_at: str
    """When it was created."""
    archived_at: str | None
    """Since when nobody can subscribe to it."""


class PlanDraft(TypedDict):
    """A plan, or a new version of one, as it is sent."""

    key: str
    """Names the plan for good: another version cannot change it."""
    name: str
    """For people."""
    description: NotRequired[str]
    """For people."""
    kind: NotRequired[Literal["base", "addon"]]
    """`base`: an organization has one such subscription at most. `addon`: beside it, one for each add-on."""
    interval: NotRequired[Literal["month", "quarter", "year"]]
    """What a change at `period_end` waits for: the end of the billing period, or of the plan's quarter or year."""
    anchor: NotRequired[Literal["anniversary", "calendar"] | None]
    """`anniversary`: quarters and years are counted from the first day that is paid. `calendar`: from 1 January. Of a
    plan by the month, `anniversary` moves the organization's billing months to the day on which it is first paid. Left
    out, quarters and years begin on the first day that is paid, and months stay."""
    trial: NotRequired[Trial | None]
    """Given to an organization once at the plan's place."""
    public: NotRequired[bool]
    """Whether `GET /billing/plans` shows it, and organizations may subscribe to it by themselves."""
    prices: Mapping[str, str]
    """By currency, the id of a version (`bmv_...`) of a billing model of the operator's in that currency."""
    entitlements: NotRequired[Sequence[PlanEntitlementInput]]
    """The features of the plan, each once."""
    grants: NotRequired[Sequence[PlanGrantInput]]
    """Credits that it brings in each cycle."""


class PlanEntitlementInput(TypedDict):
    """A feature of a plan: `value` says whether it is there, or `limit` with `mode` how much there may be."""

    feature: str
    """`agents`, `api_keys`, `credits`, `events`, `models`, `projects`, `runs` and `seats` are counted by Xyra."""
    value: NotRequired[bool | None]
    """Whether the plan has it; null for a limit."""
    limit: NotRequired[str | int | Decimal | None]
    """How much there may be; null for any number. Runs and events are those of a billing period, credits those of a
    calendar month."""
    mode: NotRequired[Literal["hard", "soft"] | None]
    """`hard`: what is more is refused. `soft`: it is accepted with a warning. Null for a flag."""


class PlanGrantInput(TypedDict):
    """Credits that a plan brings in each of its cycles."""

    key: str
    """Names the grant over all versions and plans of a place: after a change the other plan's goes on under it."""
    amount: str | int | Decimal
    """Credits for a whole cycle, with at most 6 decimals."""
    kind: NotRequired[str]
    """The kind of credits. Kinds never mix."""
    promotional: NotRequired[bool]
    """Whether they burn before bought ones of the same priority and expiry."""
    every: NotRequired[Literal["cycle"]]
    """They are given once for each cycle."""
    on: NotRequired[Literal["start", "paid"]]
    """`start`: they are there from the cycle's start on. `paid`: as soon as nothing of the plan's fees in advance for
    the cycle is owed."""
    expires: NotRequired[Literal["cycle", "never"]]
    """`cycle`: what is left at the cycle's end is gone, but for `rollover`. `never`: they stay."""
    rollover: NotRequired[str | int | Decimal]
    """How many of them at most go on for one more cycle."""


class PlanList(TypedDict):
    data: Sequence[PlanAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class PlanVersionAnswer(TypedDict):
    id: str
    """Its id."""
    number: int
    """From 1 on."""
    name: str
    """Its name, for people."""
    description: str
    """What it is, for people."""
    interval: Literal["month", "quarter", "year"]
    """What a change at `period_end` waits for."""
    anchor: Literal["anniversary", "calendar"] | None
    """From where quarters and years are counted; null for the first day that is paid."""
    prices: Mapping[str, str]
    """By currency, the id of the version of a billing model that prices it."""
    trial: Trial | None
    """Without fees at the beginning."""
    entitlements: Sequence[PlanEntitlement]
    """Its features."""
    grants: Sequence[PlanGrant]
    """Credits that it brings in each cycle."""
    created_at: str
    """When it was created."""


class PlanVersionList(TypedDict):
    data: Sequence[PlanVersionAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
