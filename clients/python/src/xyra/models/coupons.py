"""Models of `coupons`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict


class CouponAnswer(TypedDict):
    id: str
    """Its id."""
    code: str
    """By which it is redeemed."""
    name: str
    """What invoices say."""
    percent: str | None
    """What it takes off of each period, in percent; null where `amounts` say it."""
    amounts: Mapping[str, str] | None
    """What it takes off of each period at most, by currency; null where `percent` says it."""
    duration: Literal["once", "periods", "forever"]
    """`once`: one billing period. `periods`: so many. `forever`: all from the first one on."""
    periods: int | None
    """For how many billing periods it counts, with the duration `periods`."""
    charges: Sequence[str] | None
    """The keys of the charges that it is for; null for all."""
    plans: Sequence[str] | None
    """The ids of the plans whose lines it is for; null for all lines."""
    redeem_by: str | None
    """Until when it can be redeemed."""
    maximum_redemptions: int | None
    """How often it can be redeemed in all; null for as often as anybody wants."""
    redeemed: int | None
    """How often it was redeemed; null where that is not limited."""
    per_organization: int
    """How often one organization can redeem it."""
    created_at: str
    """When it was created."""
    archived_at: str | None
    """Since when nobody can redeem it."""


class CouponDraft(TypedDict):
    """A coupon as it is sent. It never changes; it can only be archived."""

    code: str
    """By which it is redeemed; upper and lower case are the same."""
    name: str
    """What invoices say."""
    percent: NotRequired[str | int | Decimal | None]
    """What it takes off of each period, in percent; or `amounts`."""
    amounts: NotRequired[Mapping[str, str | int | Decimal] | None]
    """What it takes off of each period at most, by currency; or `percent`."""
    duration: Literal["once", "periods", "forever"]
    """`once`: one billing period. `periods`: so many. `forever`: all from the first one on."""
    periods: NotRequired[int | None]
    """For how many billing periods it counts, with the duration `periods`."""
    charges: NotRequired[Sequence[str] | None]
    """The keys of the charges that it is for; null for all."""
    plans: NotRequired[Sequence[str] | None]
    """The keys or ids of the plans whose lines it is for; null for all lines."""
    redeem_by: NotRequired[str | None]
    """Until when it can be redeemed."""
    maximum_redemptions: NotRequired[int | None]
    """How often it can be redeemed in all; null for as often as anybody wants."""
    per_organization: NotRequired[int]
    """How often one organization can redeem it."""


class CouponList(TypedDict):
    data: Sequence[CouponAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
