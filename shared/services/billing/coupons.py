"""The operator's catalog of coupons, and how often those that are limited were redeemed."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from shared.containers import CATALOG
from shared.domain.billing.coupons import Coupon, CouponClaim, CouponDraft
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.errors import ConflictError
from shared.domain.kernel.ids import named_id
from shared.ports.clock import Clock
from shared.services.pricing.plans import Plans
from shared.services.storage import (
    Claim,
    OutboxEntry,
    Page,
    Records,
    Store,
    Stored,
    UniqueField,
    creating,
    deleting,
    look_twice,
    putting,
    replacing,
    retry_lost_races,
)

PARTITION = "coupons"


class CouponCodeClaim(Claim):
    """The claim of a coupon's code. Upper and lower case are the same."""

    kind: ClassVar[str] = "coupon_code"
    audit: ClassVar[Audit] = FOLLOWS
    holder_id: str = Field(alias="coupon_id")

    @classmethod
    def of(cls, coupon: Coupon) -> "CouponCodeClaim":
        return cls(id=_code_id(coupon.code), holder_id=coupon.id)


def _code_id(code: str) -> str:
    return named_id("couponcode", code.casefold())


class Coupons:
    def __init__(self, store: Store, clock: Clock, plans: Plans) -> None:
        self._store = store
        self._clock = clock
        self._plans = plans
        self._coupons = Records(store, CATALOG, Coupon, prefix="coup", unique=UniqueField("code", CouponCodeClaim.of))
        self._codes = Records(store, CATALOG, CouponCodeClaim)
        self._claims = Records(store, CATALOG, CouponClaim)

    async def create(self, coupon_id: str, draft: CouponDraft) -> Stored[Coupon]:
        """Repeating it with the same id gives what was created.

        Raises `ConflictError` for a code that is taken, `ValidationError` for a plan that there is not.
        """
        named = draft.plans
        plans = None
        if named is not None:
            found = [await self._plans.named(plan, f"/plans/{place}") for place, plan in enumerate(named)]
            plans = tuple(dict.fromkeys(plan.id for plan in found))
        coupon = Coupon(
            id=coupon_id,
            code=draft.code,
            name=draft.name,
            percent=draft.percent,
            amounts=None if draft.amounts is None else dict(draft.amounts),
            duration=draft.duration,
            periods=draft.periods,
            charges=draft.charges,
            plans=plans,
            redeem_by=draft.redeem_by,
            maximum_redemptions=draft.maximum_redemptions,
            per_organization=draft.per_organization,
            created_at=self._clock.now(),
        )
        return await self._coupons.create(PARTITION, coupon)

    async def get(self, coupon_id: str) -> Stored[Coupon]:
        """Raises `NotFoundError`."""
        return await self._coupons.get(PARTITION, coupon_id)

    async def page(self, limit: int, cursor: str | None) -> Page[Coupon]:
        """Newest first."""
        return await self._coupons.page(PARTITION, descending=True, limit=limit, cursor=cursor)

    async def archive(self, coupon_id: str) -> Stored[Coupon]:
        """Nobody can redeem it any more; who has keeps it. Repeating it changes nothing. Raises `NotFoundError`."""

        def decide(coupon: Coupon) -> Coupon:
            return coupon if coupon.archived_at is not None else coupon.changed(archived_at=self._clock.now())

        return await self._coupons.change(PARTITION, coupon_id, decide)

    async def with_code(self, code: str) -> Coupon | None:
        """None where there is no coupon with it."""
        claim = await self._codes.find(PARTITION, _code_id(code))
        return None if claim is None else (await self._coupons.get_created(PARTITION, claim.entity.holder_id)).entity

    async def created(self, coupon_id: str) -> Coupon:
        """One that is known to exist. Raises `UnavailableError` where it cannot be read yet."""
        return (await self._coupons.get_created(PARTITION, coupon_id)).entity

    # Redemptions of limited coupons

    async def claim(self, coupon_id: str, redemption_id: str, organization_id: str, entry: OutboxEntry) -> None:
        """Count a redemption of a limited coupon, once, in one batch with the entry that carries it out.

        Raises `ConflictError` where it is used up or archived.
        """

        async def attempt() -> None:
            coupon = await self._coupons.get_created(PARTITION, coupon_id)
            if await self._claims.find(PARTITION, _claim_id(redemption_id)) is not None:
                return
            if coupon.entity.archived_at is not None or coupon.entity.is_used_up:
                raise ConflictError("The coupon is used up: it has been redeemed as often as it can be")
            counted = coupon.entity.changed(redeemed=coupon.entity.redeemed + 1)
            claim = CouponClaim(id=_claim_id(redemption_id), coupon_id=coupon_id, organization_id=organization_id)
            operations = [replacing(coupon, counted), creating(claim), putting(entry)]
            await self._store.batch(CATALOG.name, PARTITION, operations)

        otherwise = ConflictError("The coupon is being redeemed by many at once; try again")
        await retry_lost_races(lambda: look_twice(attempt, errors=(ConflictError,)), otherwise)

    async def is_claimed(self, redemption_id: str) -> bool:
        """Whether a redemption counts."""
        return await self._claims.find(PARTITION, _claim_id(redemption_id)) is not None

    async def release(self, redemption_id: str) -> None:
        """Take back the claim of a redemption, where it has one; repeating it changes nothing."""

        async def attempt() -> None:
            claim = await self._claims.find(PARTITION, _claim_id(redemption_id))
            if claim is None:
                return
            coupon = await self._coupons.get_created(PARTITION, claim.entity.coupon_id)
            counted = coupon.entity.changed(redeemed=coupon.entity.redeemed - 1)
            await self._store.batch(CATALOG.name, PARTITION, [replacing(coupon, counted), deleting(claim)])

        otherwise = ConflictError("The coupon is being redeemed by many at once; try again")
        await retry_lost_races(attempt, otherwise)

    # What it covers

    async def models_of(self, plan_ids: tuple[str, ...] | None, currency: str) -> frozenset[str] | None:
        """The billing models that price these plans, in all their versions; None for None."""
        if plan_ids is None:
            return None
        models: set[str] = set()
        for plan_id in plan_ids:
            plan = (await self._plans.get(plan_id)).entity
            for version in await self._plans.versions(plan):
                if currency in version.prices:
                    models.add(version.prices[currency].model_id)
        return frozenset(models)


def is_redeemable(coupon: Coupon, now: datetime) -> bool:
    """Whether it is neither archived nor over."""
    return coupon.archived_at is None and (coupon.redeem_by is None or now < coupon.redeem_by)


def _claim_id(redemption_id: str) -> str:
    return f"claim:{redemption_id}"
