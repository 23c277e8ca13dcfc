"""Entitlements: what the plans of an organization allow, and how much of it is used."""

from datetime import datetime
from decimal import Decimal
from typing import Self

import azure.functions as func

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal
from shared.domain.tenancy.entitlements import FeatureKey, Mode
from shared.http import Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, endpoint, window
from shared.services.billing.entitlements import Check

blueprint = func.Blueprint()


class FeaturePath(PathValues):
    feature: FeatureKey
    """The feature's key, as in plans."""


class EntitlementAnswer(Schema):
    feature: str
    """Its key."""
    allowed: bool
    """Whether it may be used; of what is counted, whether there may be one more."""
    mode: Mode | None
    """`hard`: what is more is refused. `soft`: it is accepted with a warning. Null for a flag."""
    limit: ExactDecimal | None
    """How much there may be; null for a flag, and for any number."""
    used: ExactDecimal | None
    """How much there is; null for a flag, and for what Xyra does not count."""
    remaining: ExactDecimal | None
    """How much more there may be; null where `limit` or `used` is."""
    as_of: datetime
    """When `used` was counted: of events up to 30 s ago, of all else now."""

    @classmethod
    def of(cls, check: Check) -> Self:
        used = None if check.used is None else Decimal(check.used)
        return cls.showing(check, used=used, remaining=check.remaining)


@endpoint(
    blueprint,
    "GET",
    "entitlements",
    summary="The features that the organization's plans name, and how much of them is used",
    access=Permission.SUBSCRIPTIONS_READ,
    query=ListQuery,
    answers={200: Listed[EntitlementAnswer]},
)
async def list_entitlements(call: Call[NoBody, ListQuery]) -> Reply:
    checks = await call.services.entitlements.all(await call.organization_id())
    shown, next_cursor = window(len(checks), call.query.limit, call.query.cursor)
    data = [EntitlementAnswer.of(check) for check in checks[shown]]
    return Reply(Listed(data=data, next_cursor=next_cursor))


@endpoint(
    blueprint,
    "GET",
    "entitlements/{feature}",
    summary="Whether the organization may use a feature, or one more of it",
    access=Permission.SUBSCRIPTIONS_READ,
    path_values=FeaturePath,
    answers={200: EntitlementAnswer},
)
async def get_entitlement(call: Call[NoBody, Query, FeaturePath]) -> Reply:
    check = await call.services.entitlements.one(await call.organization_id(), call.path.feature)
    return Reply(EntitlementAnswer.of(check))
