"""The catalog of plans: kept by the operator, and shown to everybody as far as it is public."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Self

import azure.functions as func

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ForbiddenError
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.charges.yearly_commitment import YearlyCommitment
from shared.domain.pricing.plan_grants import PlanGrant
from shared.domain.pricing.plan_intervals import CycleAnchor, PlanInterval
from shared.domain.pricing.plans import Plan, PlanDraft, PlanKind, PlanVersion, Trial
from shared.domain.tenancy.entitlements import PlanEntitlement
from shared.http import Access, Call, ListQuery, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint
from shared.services.pricing.default_plans import DEFAULT_PLANS
from shared.services.pricing.plans import PublishedPlan

blueprint = func.Blueprint()

_FOR_ALL = "plans are the operator's, for all organizations"
_EXAMPLE = {
    "key": "team",
    "name": "Team",
    "kind": "base",
    "interval": "month",
    "prices": {"USD": DEFAULT_PLANS[0].model_version_id},
}


class PlanPath(PathValues):
    plan_id: Annotated[str, ThingId("plan")]
    """The plan's id."""


class PlanVersionAnswer(Schema):
    id: str
    number: int
    """From 1 on."""
    name: str
    description: str
    interval: PlanInterval
    """What a change at `period_end` waits for."""
    anchor: CycleAnchor | None
    """From where quarters and years are counted; null for the first day that is paid."""
    prices: Mapping[str, str]
    """By currency, the id of the version of a billing model that prices it."""
    trial: Trial | None
    """Without fees at the beginning."""
    entitlements: tuple[PlanEntitlement, ...]
    """Its features."""
    grants: tuple[PlanGrant, ...]
    """Credits that it brings in each cycle."""
    created_at: datetime

    @classmethod
    def of(cls, version: PlanVersion) -> Self:
        prices = {currency: price.version_id for currency, price in version.prices.items()}
        return cls.showing(version, prices=prices)


class PlanAnswer(Schema):
    id: str
    key: str
    """By which a subscription names it; it stays over all versions."""
    name: str
    description: str
    kind: PlanKind
    """`base`, or `addon` beside it."""
    interval: PlanInterval
    """What a change at `period_end` waits for."""
    anchor: CycleAnchor | None
    """From where quarters and years are counted; null for the first day that is paid."""
    public: bool
    """Whether organizations see it and may subscribe to it by themselves."""
    prices: Mapping[str, str]
    """By currency, the id of the version of a billing model that prices it."""
    trial: Trial | None
    """Without fees at the beginning."""
    entitlements: tuple[PlanEntitlement, ...]
    """Its features."""
    grants: tuple[PlanGrant, ...]
    """Credits that it brings in each cycle."""
    version: int
    """The number of the newest version, which a new subscription gets."""
    version_id: str
    """Of the newest version."""
    created_at: datetime
    archived_at: datetime | None
    """Since when nobody can subscribe to it."""

    @classmethod
    def of(cls, plan: Plan, version: PlanVersion) -> Self:
        newest = PlanVersionAnswer.of(version)
        return cls.showing(
            plan,
            name=newest.name,
            description=newest.description,
            kind=plan.plan_kind,
            interval=newest.interval,
            anchor=newest.anchor,
            prices=newest.prices,
            trial=newest.trial,
            entitlements=newest.entitlements,
            grants=newest.grants,
            version=newest.number,
            version_id=newest.id,
        )


class PublicPlanAnswer(Schema):
    id: str
    key: str
    """By which a subscription names it."""
    name: str
    description: str
    kind: PlanKind
    """`base`, or `addon` beside it."""
    interval: PlanInterval
    """What a change at `period_end` waits for."""
    anchor: CycleAnchor | None
    """From where quarters and years are counted; null for the first day that is paid."""
    version: int
    """The number of the newest version, which a new subscription gets."""
    trial: Trial | None
    """Without fees at the beginning, once."""
    entitlements: tuple[PlanEntitlement, ...]
    """Its features."""
    grants: tuple[PlanGrant, ...]
    """Credits that it brings in each cycle."""
    prices: Mapping[str, tuple[AnyCharge, ...]]
    """By currency, what it costs."""
    commitments: Mapping[str, tuple[YearlyCommitment, ...]]
    """By currency, what some of these charges come to in a year at least."""

    @classmethod
    def of(cls, published: PublishedPlan) -> Self:
        plan, version = published.plan, published.version
        return cls(
            id=plan.id,
            key=plan.key,
            name=version.name,
            description=version.description,
            kind=plan.plan_kind,
            interval=version.interval,
            anchor=version.anchor,
            version=version.number,
            trial=version.trial,
            entitlements=version.entitlements,
            grants=version.grants,
            prices={currency: price.charges for currency, price in published.charges.items()},
            commitments={currency: price.commitments for currency, price in published.charges.items()},
        )


async def _check_operator(call: Call[Any, Any, Any]) -> None:
    """Raises `ForbiddenError`: a plan may be one customer's own."""
    if not call.principal.is_operator:
        raise ForbiddenError("The catalog is the operator's; GET /billing/plans shows the public plans")


async def _answer(call: Call[Any, Any, Any], plan: Plan) -> PlanAnswer:
    return PlanAnswer.of(plan, await call.services.plans.version(plan.newest.id))


@endpoint(
    blueprint,
    "GET",
    "billing/plans",
    summary="The public plans, with what they cost; oldest first",
    access=Access.PUBLIC,
    answers={200: Listed[PublicPlanAnswer]},
)
async def list_public_plans(call: Call) -> Reply:
    published = await call.services.plans.public()
    return Reply(Listed(data=[PublicPlanAnswer.of(each) for each in published], next_cursor=None))


@endpoint(
    blueprint,
    "POST",
    "plans",
    summary="Create a plan with its first version",
    access=Permission.PLANS_WRITE,
    body=PlanDraft,
    answers={201: PlanAnswer},
    example=_EXAMPLE,
)
async def create_plan(call: Call[PlanDraft]) -> Reply:
    call.refuse_organization(_FOR_ALL)
    plan, etag = await call.services.plans.create(call.new_id("plan"), call.body)
    return Reply(await _answer(call, plan), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "plans",
    summary="The whole catalog, newest plan first",
    access=Permission.PRICES_READ,
    query=ListQuery,
    answers={200: Listed[PlanAnswer]},
    authorize=_check_operator,
)
async def list_plans(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.plans.page(call.query.limit, call.query.cursor)
    return Reply(Listed(data=[await _answer(call, plan) for plan in page.entities], next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "plans/{plan_id}",
    summary="One plan with its newest version",
    access=Permission.PRICES_READ,
    path_values=PlanPath,
    answers={200: PlanAnswer},
    authorize=_check_operator,
)
async def get_plan(call: Call[NoBody, Query, PlanPath]) -> Reply:
    plan, etag = await call.services.plans.get(call.path.plan_id)
    return Reply(await _answer(call, plan), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "plans/{plan_id}/versions",
    summary="All versions of a plan, oldest first",
    access=Permission.PRICES_READ,
    path_values=PlanPath,
    answers={200: Listed[PlanVersionAnswer]},
    authorize=_check_operator,
)
async def list_plan_versions(call: Call[NoBody, Query, PlanPath]) -> Reply:
    plan, _ = await call.services.plans.get(call.path.plan_id)
    versions = await call.services.plans.versions(plan)
    return Reply(Listed(data=[PlanVersionAnswer.of(version) for version in versions], next_cursor=None))


@endpoint(
    blueprint,
    "PUT",
    "plans/{plan_id}",
    summary="Publish a new version of a plan. It moves no subscription",
    access=Permission.PLANS_WRITE,
    path_values=PlanPath,
    body=PlanDraft,
    answers={200: PlanAnswer},
    example=_EXAMPLE,
)
async def publish_plan(call: Call[PlanDraft, Query, PlanPath]) -> Reply:
    call.refuse_organization(_FOR_ALL)
    plan, etag = await call.services.plans.publish(call.path.plan_id, call.body, call.if_match)
    return Reply(await _answer(call, plan), etag=etag)


@endpoint(
    blueprint,
    "POST",
    "plans/{plan_id}/archive",
    summary="Archive a plan: nobody can subscribe to it any more",
    access=Permission.PLANS_WRITE,
    path_values=PlanPath,
    answers={200: PlanAnswer},
)
async def archive_plan(call: Call[NoBody, Query, PlanPath]) -> Reply:
    call.refuse_organization(_FOR_ALL)
    plan, etag = await call.services.plans.archive(call.path.plan_id)
    return Reply(await _answer(call, plan), etag=etag)
