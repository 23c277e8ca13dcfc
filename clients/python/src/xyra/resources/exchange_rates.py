"""Methods of `exchange_rates`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class ExchangeRates:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.ExchangeRateListed]:
        """All pairs of currencies with their present and next exchange rates."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/exchange-rates",
            query={"organization_id": organization_id, "limit": limit},
        )

    def get(
        self, from_currency: str, to_currency: str, *, organization_id: str | None = None, before: str | None = None
    ) -> models.ExchangeRateAnswer:
        """The exchange rates of one pair of currencies."""
        answer: models.ExchangeRateAnswer = self._connection.call(
            "GET",
            f"/api/v1/exchange-rates/{segment(from_currency)}/{segment(to_currency)}",
            query={"organization_id": organization_id, "before": before},
        )
        return answer

    def put(
        self,
        from_currency: str,
        to_currency: str,
        body: models.ExchangeRateRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ExchangeRateAnswer:
        """Set the exchange rate of a pair of currencies from a time on."""
        answer: models.ExchangeRateAnswer = self._connection.call(
            "PUT",
            f"/api/v1/exchange-rates/{segment(from_currency)}/{segment(to_currency)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer


class AsyncExchangeRates:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.ExchangeRateListed]:
        """All pairs of currencies with their present and next exchange rates."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/exchange-rates",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def get(
        self, from_currency: str, to_currency: str, *, organization_id: str | None = None, before: str | None = None
    ) -> models.ExchangeRateAnswer:
        """The exchange rates of one pair of currencies."""
        answer: models.ExchangeRateAnswer = await self._connection.call(
            "GET",
            f"/api/v1/exchange-rates/{segment(from_currency)}/{segment(to_currency)}",
            query={"organization_id": organization_id, "before": before},
        )
        return answer

    async def put(
        self,
        from_currency: str,
        to_currency: str,
        body: models.ExchangeRateRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ExchangeRateAnswer:
        """Set the exchange rate of a pair of currencies from a time on."""
        answer: models.ExchangeRateAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/exchange-rates/{segment(from_currency)}/{segment(to_currency)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer
