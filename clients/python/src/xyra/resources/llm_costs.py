"""Methods of `llm_costs`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection
from xyra.listing import AsyncListing, Listing


class LlmCosts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None, period: str | None = None
    ) -> Listing[models.LlmModelCostsAnswer]:
        """LLM costs by model: beside what was reported, and what customers' own keys paid."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/llm-costs",
            query={"organization_id": organization_id, "limit": limit, "period": period},
        )

    def reconcile(
        self,
        body: Mapping[str, Any],
        *,
        organization_id: str | None = None,
        provider: Literal["openai", "anthropic", "openrouter"],
        date: str | None = None,
        byok: bool | None = None,
    ) -> models.ReconciliationAnswer:
        """Compare a provider's export of usage or costs with what was metered, by UTC day and model."""
        answer: models.ReconciliationAnswer = self._connection.call(
            "POST",
            "/api/v1/llm-costs/reconciliation",
            query={"organization_id": organization_id, "provider": provider, "date": date, "byok": byok},
            body=body,
            is_repeatable=False,
        )
        return answer


class AsyncLlmCosts:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None, period: str | None = None
    ) -> AsyncListing[models.LlmModelCostsAnswer]:
        """LLM costs by model: beside what was reported, and what customers' own keys paid."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/llm-costs",
            query={"organization_id": organization_id, "limit": limit, "period": period},
        )

    async def reconcile(
        self,
        body: Mapping[str, Any],
        *,
        organization_id: str | None = None,
        provider: Literal["openai", "anthropic", "openrouter"],
        date: str | None = None,
        byok: bool | None = None,
    ) -> models.ReconciliationAnswer:
        """Compare a provider's export of usage or costs with what was metered, by UTC day and model."""
        answer: models.ReconciliationAnswer = await self._connection.call(
            "POST",
            "/api/v1/llm-costs/reconciliation",
            query={"organization_id": organization_id, "provider": provider, "date": date, "byok": byok},
            body=body,
            is_repeatable=False,
        )
        return answer
