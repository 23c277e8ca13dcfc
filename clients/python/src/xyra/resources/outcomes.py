"""Methods of `outcomes`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Outcomes:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def verify_outcomes(
        self,
        body: models.BulkRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.BulkAnswer:
        """Verify up to 1,000 outcomes, each by itself; one that is verified already stays as it is."""
        answer: models.BulkAnswer = self._connection.call(
            "POST",
            "/api/v1/outcomes/verify",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def verify(
        self,
        outcome_id: str,
        body: models.VerifyRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OutcomeDetailsAnswer:
        """Verify a pending outcome, by another credential than the one that reported it; it counts in the period in which it happened."""
        answer: models.OutcomeDetailsAnswer = self._connection.call(
            "POST",
            f"/api/v1/outcomes/{segment(outcome_id)}/verify",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def reject(
        self,
        outcome_id: str,
        body: models.DecisionRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OutcomeDetailsAnswer:
        """Reject a pending outcome: it never counts."""
        answer: models.OutcomeDetailsAnswer = self._connection.call(
            "POST",
            f"/api/v1/outcomes/{segment(outcome_id)}/reject",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def reverse(
        self,
        outcome_id: str,
        body: models.DecisionRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OutcomeDetailsAnswer:
        """Reverse a verified outcome; if it has been billed, the next invoice credits it."""
        answer: models.OutcomeDetailsAnswer = self._connection.call(
            "POST",
            f"/api/v1/outcomes/{segment(outcome_id)}/reverse",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        agent: str | None = None,
        type: str | None = None,
        period: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        status: Literal["pending", "verified", "rejected", "reversed"] | None = None,
    ) -> Listing[models.OutcomeAnswer]:
        """Outcomes, newest first; with a type that is rare among them, a page may be shorter than its limit without being the last one."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/outcomes",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "agent": agent,
                "type": type,
                "period": period,
                "from": from_,
                "to": to,
                "status": status,
            },
        )

    def list_billing_ready(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        agent: str | None = None,
        type: str | None = None,
        period: str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> Listing[models.OutcomeAnswer]:
        """Verified outcomes that no finalized invoice has billed yet, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/outcomes/billing-ready",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "agent": agent,
                "type": type,
                "period": period,
                "from": from_,
                "to": to,
            },
        )

    def get_statistics(
        self, *, organization_id: str | None = None, agent: str | None = None, period: str | None = None
    ) -> models.StatisticsAnswer:
        """Number and value of outcomes by status, and the share that is verified."""
        answer: models.StatisticsAnswer = self._connection.call(
            "GET",
            "/api/v1/outcomes/statistics",
            query={"organization_id": organization_id, "agent": agent, "period": period},
        )
        return answer

    def get(self, outcome_id: str, *, organization_id: str | None = None) -> models.OutcomeDetailsAnswer:
        """One outcome, with the evidence for it; not found while its event is on its way or parked."""
        answer: models.OutcomeDetailsAnswer = self._connection.call(
            "GET", f"/api/v1/outcomes/{segment(outcome_id)}", query={"organization_id": organization_id}
        )
        return answer


class AsyncOutcomes:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def verify_outcomes(
        self,
        body: models.BulkRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.BulkAnswer:
        """Verify up to 1,000 outcomes, each by itself; one that is verified already stays as it is."""
        answer: models.BulkAnswer = await self._connection.call(
            "POST",
            "/api/v1/outcomes/verify",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def verify(
        self,
        outcome_id: str,
        body: models.VerifyRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OutcomeDetailsAnswer:
        """Verify a pending outcome, by another credential than the one that reported it; it counts in the period in which it happened."""
        answer: models.OutcomeDetailsAnswer = await self._connection.call(
            "POST",
            f"/api/v1/outcomes/{segment(outcome_id)}/verify",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def reject(
        self,
        outcome_id: str,
        body: models.DecisionRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OutcomeDetailsAnswer:
        """Reject a pending outcome: it never counts."""
        answer: models.OutcomeDetailsAnswer = await self._connection.call(
            "POST",
            f"/api/v1/outcomes/{segment(outcome_id)}/reject",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def reverse(
        self,
        outcome_id: str,
        body: models.DecisionRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OutcomeDetailsAnswer:
        """Reverse a verified outcome; if it has been billed, the next invoice credits it."""
        answer: models.OutcomeDetailsAnswer = await self._connection.call(
            "POST",
            f"/api/v1/outcomes/{segment(outcome_id)}/reverse",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        agent: str | None = None,
        type: str | None = None,
        period: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        status: Literal["pending", "verified", "rejected", "reversed"] | None = None,
    ) -> AsyncListing[models.OutcomeAnswer]:
        """Outcomes, newest first; with a type that is rare among them, a page may be shorter than its limit without being the last one."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/outcomes",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "agent": agent,
                "type": type,
                "period": period,
                "from": from_,
                "to": to,
                "status": status,
            },
        )

    def list_billing_ready(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        agent: str | None = None,
        type: str | None = None,
        period: str | None = None,
        from_: str | None = None,
        to: str | None = None,
    ) -> AsyncListing[models.OutcomeAnswer]:
        """Verified outcomes that no finalized invoice has billed yet, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/outcomes/billing-ready",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "agent": agent,
                "type": type,
                "period": period,
                "from": from_,
                "to": to,
            },
        )

    async def get_statistics(
        self, *, organization_id: str | None = None, agent: str | None = None, period: str | None = None
    ) -> models.StatisticsAnswer:
        """Number and value of outcomes by status, and the share that is verified."""
        answer: models.StatisticsAnswer = await self._connection.call(
            "GET",
            "/api/v1/outcomes/statistics",
            query={"organization_id": organization_id, "agent": agent, "period": period},
        )
        return answer

    async def get(self, outcome_id: str, *, organization_id: str | None = None) -> models.OutcomeDetailsAnswer:
        """One outcome, with the evidence for it; not found while its event is on its way or parked."""
        answer: models.OutcomeDetailsAnswer = await self._connection.call(
            "GET", f"/api/v1/outcomes/{segment(outcome_id)}", query={"organization_id": organization_id}
        )
        return answer
