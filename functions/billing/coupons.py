"""The catalog of coupons, which the operator keeps."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import azure.functions as func

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.billing.coupons import Coupon, CouponDraft, Duration
from shared.domain.kernel.errors import ForbiddenError
from shared.domain.kernel.money import ExactDecimal
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()

_FOR_ALL = "coupons are the operator's, for all organizations"


class CouponPath(PathValues):
    coupon_id: Annotated[str, ThingId("coup")]
    """The coupon's id."""


class CouponAnswer(Schema):
    id: str
    code: str
    """By which it is redeemed."""
    name: str
    """What invoices say."""
    percent: ExactDecimal | None
    """What it takes off of each period, in percent; null where `amounts` say it."""
    amounts: Mapping[str, ExactDecimal] | None
    """What it takes off of each period at most, by currency; null where `percent` says it."""
    duration: Duration
    """`once`: one billing period. `periods`: so many. `forever`: all from the first one on."""
    periods: int | None
    """For how many billing periods it counts, with the duration `periods`."""
    charges: list[str] | None
    """The keys of the charges that it is for; null for all."""
    plans: list[str] | None
    """The ids of the plans whose lines it is for; null for all lines."""
    redeem_by: datetime | None
    """Until when it can be redeemed."""
    maximum_redemptions: int | None
    """How often it can be redeemed in all; null for as often as anybody wants."""
    redeemed: int | None
    """How often it was redeemed; null where that is not limited."""
    per_organization: int
    """How often one organization can redeem it."""
    created_at: datetime
    archived_at: datetime | None
    """Since when nobody can redeem it."""

    @classmethod
    def of(cls, coupon: Coupon) -> "CouponAnswer":
        is_limited = coupon.maximum_redemptions is not None
        return cls.showing(coupon, redeemed=coupon.redeemed if is_limited else None)


async def _check_operator(call: Call[Any, Any, Any]) -> None:
    """Raises `ForbiddenError`: a code is for whom it was made."""
    if not call.principal.is_operator:
        raise ForbiddenError("The catalog of coupons is the operator's; redeem a code that you were given")


@endpoint(
    blueprint,
    "POST",
    "coupons",
    summary="Create a coupon. It never changes; it can be archived",
    access=Permission.PRICES_WRITE,
    body=CouponDraft,
    answers={201: CouponAnswer},
    example={"code": "WELCOME20", "name": "Welcome", "percent": "20", "duration": "periods", "periods": 3},
)
async def create_coupon(call: Call[CouponDraft]) -> Reply:
    call.refuse_organization(_FOR_ALL)
    coupon, etag = await call.services.account.coupons.create(call.new_id("coup"), call.body)
    return Reply(CouponAnswer.of(coupon), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "coupons",
    summary="All coupons, newest first",
    access=Permission.PRICES_READ,
    query=ListQuery,
    answers={200: Listed[CouponAnswer]},
    authorize=_check_operator,
)
async def list_coupons(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.account.coupons.page(call.query.limit, call.query.cursor)
    return Reply(Listed(data=[CouponAnswer.of(coupon) for coupon in page.entities], next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "coupons/{coupon_id}",
    summary="One coupon",
    access=Permission.PRICES_READ,
    path_values=CouponPath,
    answers={200: CouponAnswer},
    authorize=_check_operator,
)
async def get_coupon(call: Call[NoBody, Query, CouponPath]) -> Reply:
    coupon, etag = await call.services.account.coupons.get(call.path.coupon_id)
    return Reply(CouponAnswer.of(coupon), etag=etag)


@endpoint(
    blueprint,
    "POST",
    "coupons/{coupon_id}/archive",
    summary="Archive a coupon: nobody can redeem it any more, and who has keeps it",
    access=Permission.PRICES_WRITE,
    path_values=CouponPath,
    answers={200: CouponAnswer},
)
async def archive_coupon(call: Call[NoBody, Query, CouponPath]) -> Reply:
    call.refuse_organization(_FOR_ALL)
    coupon, etag = await call.services.account.coupons.archive(call.path.coupon_id)
    return Reply(CouponAnswer.of(coupon), etag=etag)
