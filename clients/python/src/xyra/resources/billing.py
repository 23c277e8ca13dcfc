"""Methods of `billing`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Billing:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_payments(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        invoice: str | None = None,
        from_: str | None = None,
    ) -> Listing[models.PaymentAnswer]:
        """Payments, by when they came, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/billing/payments",
            query={"organization_id": organization_id, "limit": limit, "invoice": invoice, "from": from_},
        )

    def get_payment(self, payment_id: str, *, organization_id: str | None = None) -> models.PaymentAnswer:
        """One payment."""
        answer: models.PaymentAnswer = self._connection.call(
            "GET", f"/api/v1/billing/payments/{segment(payment_id)}", query={"organization_id": organization_id}
        )
        return answer

    def list_public_plans(self, *, organization_id: str | None = None) -> models.PublicPlanList:
        """The public plans, with what they cost; oldest first."""
        answer: models.PublicPlanList = self._connection.call(
            "GET", "/api/v1/billing/plans", query={"organization_id": organization_id}
        )
        return answer


class AsyncBilling:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list_payments(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        invoice: str | None = None,
        from_: str | None = None,
    ) -> AsyncListing[models.PaymentAnswer]:
        """Payments, by when they came, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/billing/payments",
            query={"organization_id": organization_id, "limit": limit, "invoice": invoice, "from": from_},
        )

    async def get_payment(self, payment_id: str, *, organization_id: str | None = None) -> models.PaymentAnswer:
        """One payment."""
        answer: models.PaymentAnswer = await self._connection.call(
            "GET", f"/api/v1/billing/payments/{segment(payment_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def list_public_plans(self, *, organization_id: str | None = None) -> models.PublicPlanList:
        """The public plans, with what they cost; oldest first."""
        answer: models.PublicPlanList = await self._connection.call(
            "GET", "/api/v1/billing/plans", query={"organization_id": organization_id}
        )
        return answer
