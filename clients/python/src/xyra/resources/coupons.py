"""Methods of `coupons`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Coupons:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, body: models.CouponDraft, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CouponAnswer:
        """Create a coupon. It never changes; it can be archived."""
        answer: models.CouponAnswer = self._connection.call(
            "POST",
            "/api/v1/coupons",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.CouponAnswer]:
        """All coupons, newest first."""
        return Listing(
            self._connection, "GET", "/api/v1/coupons", query={"organization_id": organization_id, "limit": limit}
        )

    def get(self, coupon_id: str, *, organization_id: str | None = None) -> models.CouponAnswer:
        """One coupon."""
        answer: models.CouponAnswer = self._connection.call(
            "GET", f"/api/v1/coupons/{segment(coupon_id)}", query={"organization_id": organization_id}
        )
        return answer

    def archive(
        self, coupon_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CouponAnswer:
        """Archive a coupon: nobody can redeem it any more, and who has keeps it."""
        answer: models.CouponAnswer = self._connection.call(
            "POST",
            f"/api/v1/coupons/{segment(coupon_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncCoupons:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self, body: models.CouponDraft, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CouponAnswer:
        """Create a coupon. It never changes; it can be archived."""
        answer: models.CouponAnswer = await self._connection.call(
            "POST",
            "/api/v1/coupons",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.CouponAnswer]:
        """All coupons, newest first."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/coupons", query={"organization_id": organization_id, "limit": limit}
        )

    async def get(self, coupon_id: str, *, organization_id: str | None = None) -> models.CouponAnswer:
        """One coupon."""
        answer: models.CouponAnswer = await self._connection.call(
            "GET", f"/api/v1/coupons/{segment(coupon_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def archive(
        self, coupon_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CouponAnswer:
        """Archive a coupon: nobody can redeem it any more, and who has keeps it."""
        answer: models.CouponAnswer = await self._connection.call(
            "POST",
            f"/api/v1/coupons/{segment(coupon_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer
