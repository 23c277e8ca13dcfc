"""Methods of `llm_prices`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class LlmPrices:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create_llm_alias(
        self, body: models.LlmAliasRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.LlmAliasAnswer:
        """Say which model a name in calls stands for, such as that of a deployment."""
        answer: models.LlmAliasAnswer = self._connection.call(
            "POST",
            "/api/v1/llm-prices/aliases",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_llm_aliases(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.LlmAliasAnswer]:
        """The aliases for all organizations and those of one's own; for the operator, those of all."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/llm-prices/aliases",
            query={"organization_id": organization_id, "limit": limit},
        )

    def get_llm_alias(self, alias_id: str, *, organization_id: str | None = None) -> models.LlmAliasAnswer:
        """One alias."""
        answer: models.LlmAliasAnswer = self._connection.call(
            "GET", f"/api/v1/llm-prices/aliases/{segment(alias_id)}", query={"organization_id": organization_id}
        )
        return answer

    def delete_llm_alias(
        self, alias_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete an alias; calls that have a cost keep it."""
        self._connection.call(
            "DELETE",
            f"/api/v1/llm-prices/aliases/{segment(alias_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def price_aliased_calls(
        self,
        alias_id: str,
        body: models.PriceCallsRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PricedCallsAnswer:
        """Price the calls of the late window that have no price yet and now get one by the alias."""
        answer: models.PricedCallsAnswer = self._connection.call(
            "POST",
            f"/api/v1/llm-prices/aliases/{segment(alias_id)}/price",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def calculate_llm_call(
        self, body: models.CalculateLlmCallRequest, *, organization_id: str | None = None
    ) -> models.CalculatedLlmCall:
        """Calculate what an LLM call costs at its provider."""
        answer: models.CalculatedLlmCall = self._connection.call(
            "POST",
            "/api/v1/llm-prices/calculate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def create(
        self, body: models.LlmPriceRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.LlmPriceAnswer:
        """Set prices of a model, which apply instead of the price list."""
        answer: models.LlmPriceAnswer = self._connection.call(
            "POST",
            "/api/v1/llm-prices",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.LlmPriceListed]:
        """Models with prices of the operator's: the present and the next ones."""
        return Listing(
            self._connection, "GET", "/api/v1/llm-prices", query={"organization_id": organization_id, "limit": limit}
        )

    def list_unpriced_models(
        self, *, organization_id: str | None = None, limit: int | None = None, period: str | None = None
    ) -> Listing[models.UnpricedModelAnswer]:
        """The models without a price that an organization's agents called in a period."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/llm-prices/unpriced",
            query={"organization_id": organization_id, "limit": limit, "period": period},
        )

    def get(self, price_id: str, *, organization_id: str | None = None) -> models.LlmPriceAnswer:
        """The operator's prices of one model, with their history."""
        answer: models.LlmPriceAnswer = self._connection.call(
            "GET", f"/api/v1/llm-prices/{segment(price_id)}", query={"organization_id": organization_id}
        )
        return answer

    def change(
        self,
        price_id: str,
        body: models.LlmPriceChange,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.LlmPriceAnswer:
        """Change the prices of a model in 10 minutes or later."""
        answer: models.LlmPriceAnswer = self._connection.call(
            "PUT",
            f"/api/v1/llm-prices/{segment(price_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def end(
        self,
        price_id: str,
        body: models.LlmPriceEnd | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.LlmPriceAnswer:
        """Return to the price list for a model, in 10 minutes or later."""
        answer: models.LlmPriceAnswer = self._connection.call(
            "POST",
            f"/api/v1/llm-prices/{segment(price_id)}/end",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncLlmPrices:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create_llm_alias(
        self, body: models.LlmAliasRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.LlmAliasAnswer:
        """Say which model a name in calls stands for, such as that of a deployment."""
        answer: models.LlmAliasAnswer = await self._connection.call(
            "POST",
            "/api/v1/llm-prices/aliases",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_llm_aliases(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.LlmAliasAnswer]:
        """The aliases for all organizations and those of one's own; for the operator, those of all."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/llm-prices/aliases",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def get_llm_alias(self, alias_id: str, *, organization_id: str | None = None) -> models.LlmAliasAnswer:
        """One alias."""
        answer: models.LlmAliasAnswer = await self._connection.call(
            "GET", f"/api/v1/llm-prices/aliases/{segment(alias_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def delete_llm_alias(
        self, alias_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> None:
        """Delete an alias; calls that have a cost keep it."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/llm-prices/aliases/{segment(alias_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    async def price_aliased_calls(
        self,
        alias_id: str,
        body: models.PriceCallsRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.PricedCallsAnswer:
        """Price the calls of the late window that have no price yet and now get one by the alias."""
        answer: models.PricedCallsAnswer = await self._connection.call(
            "POST",
            f"/api/v1/llm-prices/aliases/{segment(alias_id)}/price",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def calculate_llm_call(
        self, body: models.CalculateLlmCallRequest, *, organization_id: str | None = None
    ) -> models.CalculatedLlmCall:
        """Calculate what an LLM call costs at its provider."""
        answer: models.CalculatedLlmCall = await self._connection.call(
            "POST",
            "/api/v1/llm-prices/calculate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def create(
        self, body: models.LlmPriceRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.LlmPriceAnswer:
        """Set prices of a model, which apply instead of the price list."""
        answer: models.LlmPriceAnswer = await self._connection.call(
            "POST",
            "/api/v1/llm-prices",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.LlmPriceListed]:
        """Models with prices of the operator's: the present and the next ones."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/llm-prices", query={"organization_id": organization_id, "limit": limit}
        )

    def list_unpriced_models(
        self, *, organization_id: str | None = None, limit: int | None = None, period: str | None = None
    ) -> AsyncListing[models.UnpricedModelAnswer]:
        """The models without a price that an organization's agents called in a period."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/llm-prices/unpriced",
            query={"organization_id": organization_id, "limit": limit, "period": period},
        )

    async def get(self, price_id: str, *, organization_id: str | None = None) -> models.LlmPriceAnswer:
        """The operator's prices of one model, with their history."""
        answer: models.LlmPriceAnswer = await self._connection.call(
            "GET", f"/api/v1/llm-prices/{segment(price_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def change(
        self,
        price_id: str,
        body: models.LlmPriceChange,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.LlmPriceAnswer:
        """Change the prices of a model in 10 minutes or later."""
        answer: models.LlmPriceAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/llm-prices/{segment(price_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def end(
        self,
        price_id: str,
        body: models.LlmPriceEnd | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.LlmPriceAnswer:
        """Return to the price list for a model, in 10 minutes or later."""
        answer: models.LlmPriceAnswer = await self._connection.call(
            "POST",
            f"/api/v1/llm-prices/{segment(price_id)}/end",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer
