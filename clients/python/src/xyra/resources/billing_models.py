"""Methods of `billing_models`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class BillingModels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        body: models.BillingModelRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.BillingModelAnswer:
        """Create a billing model with its first version."""
        answer: models.BillingModelAnswer = self._connection.call(
            "POST",
            "/api/v1/billing-models",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.BillingModelAnswer]:
        """The organization's own billing models, then the operator's. Operators who name no organization see theirs."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/billing-models",
            query={"organization_id": organization_id, "limit": limit},
        )

    def list_templates(self, *, organization_id: str | None = None) -> models.BillingModelTemplateList:
        """Billing models to start from."""
        answer: models.BillingModelTemplateList = self._connection.call(
            "GET", "/api/v1/billing-models/templates", query={"organization_id": organization_id}
        )
        return answer

    def get(self, model_id: str, *, organization_id: str | None = None) -> models.BillingModelAnswer:
        """One billing model."""
        answer: models.BillingModelAnswer = self._connection.call(
            "GET", f"/api/v1/billing-models/{segment(model_id)}", query={"organization_id": organization_id}
        )
        return answer

    def publish(
        self,
        model_id: str,
        body: models.BillingModelDraft,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.BillingModelAnswer:
        """Publish a new version. It takes effect in 10 minutes or later."""
        answer: models.BillingModelAnswer = self._connection.call(
            "PUT",
            f"/api/v1/billing-models/{segment(model_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def archive(
        self, model_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.BillingModelAnswer:
        """Archive a billing model: no agent can be given it any more."""
        answer: models.BillingModelAnswer = self._connection.call(
            "POST",
            f"/api/v1/billing-models/{segment(model_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    def list_versions(self, model_id: str, *, organization_id: str | None = None) -> models.VersionList:
        """All versions of a billing model, oldest first."""
        answer: models.VersionList = self._connection.call(
            "GET", f"/api/v1/billing-models/{segment(model_id)}/versions", query={"organization_id": organization_id}
        )
        return answer

    def calculate_sketch(
        self, body: models.SketchCalculateRequest, *, organization_id: str | None = None
    ) -> models.Calculation:
        """Calculate what usage would cost under a model that is not saved."""
        answer: models.Calculation = self._connection.call(
            "POST",
            "/api/v1/billing-models/calculate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def calculate(
        self, model_id: str, body: models.CalculateRequest | None = None, *, organization_id: str | None = None
    ) -> models.Calculation:
        """Calculate what usage would cost under the newest version of a model."""
        answer: models.Calculation = self._connection.call(
            "POST",
            f"/api/v1/billing-models/{segment(model_id)}/calculate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer


class AsyncBillingModels:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self,
        body: models.BillingModelRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.BillingModelAnswer:
        """Create a billing model with its first version."""
        answer: models.BillingModelAnswer = await self._connection.call(
            "POST",
            "/api/v1/billing-models",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.BillingModelAnswer]:
        """The organization's own billing models, then the operator's. Operators who name no organization see theirs."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/billing-models",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def list_templates(self, *, organization_id: str | None = None) -> models.BillingModelTemplateList:
        """Billing models to start from."""
        answer: models.BillingModelTemplateList = await self._connection.call(
            "GET", "/api/v1/billing-models/templates", query={"organization_id": organization_id}
        )
        return answer

    async def get(self, model_id: str, *, organization_id: str | None = None) -> models.BillingModelAnswer:
        """One billing model."""
        answer: models.BillingModelAnswer = await self._connection.call(
            "GET", f"/api/v1/billing-models/{segment(model_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def publish(
        self,
        model_id: str,
        body: models.BillingModelDraft,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.BillingModelAnswer:
        """Publish a new version. It takes effect in 10 minutes or later."""
        answer: models.BillingModelAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/billing-models/{segment(model_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def archive(
        self, model_id: str, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.BillingModelAnswer:
        """Archive a billing model: no agent can be given it any more."""
        answer: models.BillingModelAnswer = await self._connection.call(
            "POST",
            f"/api/v1/billing-models/{segment(model_id)}/archive",
            query={"organization_id": organization_id},
            idempotency_key=idempotency_key,
        )
        return answer

    async def list_versions(self, model_id: str, *, organization_id: str | None = None) -> models.VersionList:
        """All versions of a billing model, oldest first."""
        answer: models.VersionList = await self._connection.call(
            "GET", f"/api/v1/billing-models/{segment(model_id)}/versions", query={"organization_id": organization_id}
        )
        return answer

    async def calculate_sketch(
        self, body: models.SketchCalculateRequest, *, organization_id: str | None = None
    ) -> models.Calculation:
        """Calculate what usage would cost under a model that is not saved."""
        answer: models.Calculation = await self._connection.call(
            "POST",
            "/api/v1/billing-models/calculate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def calculate(
        self, model_id: str, body: models.CalculateRequest | None = None, *, organization_id: str | None = None
    ) -> models.Calculation:
        """Calculate what usage would cost under the newest version of a model."""
        answer: models.Calculation = await self._connection.call(
            "POST",
            f"/api/v1/billing-models/{segment(model_id)}/calculate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer
