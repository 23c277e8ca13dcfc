"""Methods of `billing`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection


class Billing:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_public_plans(self, *, organization_id: str | None = None) -> models.PublicPlanList:
        """The public plans, with what they cost; oldest first."""
        answer: models.PublicPlanList = self._connection.call(
            "GET", "/api/v1/billing/plans", query={"organization_id": organization_id}
        )
        return answer


class AsyncBilling:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def list_public_plans(self, *, organization_id: str | None = None) -> models.PublicPlanList:
        """The public plans, with what they cost; oldest first."""
        answer: models.PublicPlanList = await self._connection.call(
            "GET", "/api/v1/billing/plans", query={"organization_id": organization_id}
        )
        return answer
