"""Methods of `subscriptions`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Subscriptions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def change(
        self,
        subscription_id: str,
        body: models.ChangeRequest | None = None,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Change the plan or the seats: now, when the period ends, or at a time."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/change",
            query={"organization_id": organization_id, "preview": preview},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def cancel(
        self,
        subscription_id: str,
        body: models.CancelRequest | None = None,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """End a subscription: when the period ends, now, or at a time."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/cancel",
            query={"organization_id": organization_id, "preview": preview},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def pause(
        self,
        subscription_id: str,
        body: models.PauseRequest | None = None,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Pause a subscription: no plan and no fees until it is resumed."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/pause",
            query={"organization_id": organization_id, "preview": preview},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def resume(
        self,
        subscription_id: str,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Resume a paused subscription now."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/resume",
            query={"organization_id": organization_id, "preview": preview},
            idempotency_key=idempotency_key,
        )
        return answer

    def withdraw(
        self,
        subscription_id: str,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Take back what lies ahead of a subscription. One that has not begun never does."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/withdraw",
            query={"organization_id": organization_id, "preview": preview},
            idempotency_key=idempotency_key,
        )
        return answer

    def create(
        self,
        body: models.SubscriptionRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer:
        """Subscribe an organization to a plan. A place that has a subscription is 409."""
        answer: models.SubscriptionAnswer = self._connection.call(
            "POST",
            "/api/v1/subscriptions",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.SubscriptionAnswer]:
        """All subscriptions of an organization, by place, oldest first; ended ones, too."""
        return Listing(
            self._connection, "GET", "/api/v1/subscriptions", query={"organization_id": organization_id, "limit": limit}
        )

    def get(self, subscription_id: str, *, organization_id: str | None = None) -> models.SubscriptionAnswer:
        """One subscription, with its history and what lies ahead."""
        answer: models.SubscriptionAnswer = self._connection.call(
            "GET", f"/api/v1/subscriptions/{segment(subscription_id)}", query={"organization_id": organization_id}
        )
        return answer


class AsyncSubscriptions:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def change(
        self,
        subscription_id: str,
        body: models.ChangeRequest | None = None,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Change the plan or the seats: now, when the period ends, or at a time."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = await self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/change",
            query={"organization_id": organization_id, "preview": preview},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def cancel(
        self,
        subscription_id: str,
        body: models.CancelRequest | None = None,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """End a subscription: when the period ends, now, or at a time."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = await self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/cancel",
            query={"organization_id": organization_id, "preview": preview},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def pause(
        self,
        subscription_id: str,
        body: models.PauseRequest | None = None,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Pause a subscription: no plan and no fees until it is resumed."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = await self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/pause",
            query={"organization_id": organization_id, "preview": preview},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def resume(
        self,
        subscription_id: str,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Resume a paused subscription now."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = await self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/resume",
            query={"organization_id": organization_id, "preview": preview},
            idempotency_key=idempotency_key,
        )
        return answer

    async def withdraw(
        self,
        subscription_id: str,
        *,
        organization_id: str | None = None,
        preview: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer | models.PreviewAnswer:
        """Take back what lies ahead of a subscription. One that has not begun never does."""
        answer: models.SubscriptionAnswer | models.PreviewAnswer = await self._connection.call(
            "POST",
            f"/api/v1/subscriptions/{segment(subscription_id)}/withdraw",
            query={"organization_id": organization_id, "preview": preview},
            idempotency_key=idempotency_key,
        )
        return answer

    async def create(
        self,
        body: models.SubscriptionRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SubscriptionAnswer:
        """Subscribe an organization to a plan. A place that has a subscription is 409."""
        answer: models.SubscriptionAnswer = await self._connection.call(
            "POST",
            "/api/v1/subscriptions",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.SubscriptionAnswer]:
        """All subscriptions of an organization, by place, oldest first; ended ones, too."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/subscriptions", query={"organization_id": organization_id, "limit": limit}
        )

    async def get(self, subscription_id: str, *, organization_id: str | None = None) -> models.SubscriptionAnswer:
        """One subscription, with its history and what lies ahead."""
        answer: models.SubscriptionAnswer = await self._connection.call(
            "GET", f"/api/v1/subscriptions/{segment(subscription_id)}", query={"organization_id": organization_id}
        )
        return answer
