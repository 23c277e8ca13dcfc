"""Methods of `tax_rates`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class TaxRates:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, body: models.TaxRateRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.TaxRateAnswer:
        """Create a tax rate."""
        answer: models.TaxRateAnswer = self._connection.call(
            "POST",
            "/api/v1/tax-rates",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.TaxRateAnswer]:
        """All tax rates."""
        return Listing(
            self._connection, "GET", "/api/v1/tax-rates", query={"organization_id": organization_id, "limit": limit}
        )

    def put(
        self,
        rate_id: str,
        body: models.PercentRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.TaxRateAnswer:
        """Let another percent hold from a day on."""
        answer: models.TaxRateAnswer = self._connection.call(
            "PUT",
            f"/api/v1/tax-rates/{segment(rate_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer


class AsyncTaxRates:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self, body: models.TaxRateRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.TaxRateAnswer:
        """Create a tax rate."""
        answer: models.TaxRateAnswer = await self._connection.call(
            "POST",
            "/api/v1/tax-rates",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.TaxRateAnswer]:
        """All tax rates."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/tax-rates", query={"organization_id": organization_id, "limit": limit}
        )

    async def put(
        self,
        rate_id: str,
        body: models.PercentRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.TaxRateAnswer:
        """Let another percent hold from a day on."""
        answer: models.TaxRateAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/tax-rates/{segment(rate_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer
