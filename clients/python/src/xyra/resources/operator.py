"""Methods of `operator`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection


class Operator:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_profile(self, *, organization_id: str | None = None) -> models.OperatorProfileAnswer:
        """Who the operator is on invoices."""
        answer: models.OperatorProfileAnswer = self._connection.call(
            "GET", "/api/v1/operator/profile", query={"organization_id": organization_id}
        )
        return answer

    def put_profile(
        self, body: models.OperatorProfileRequest, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.OperatorProfileAnswer:
        """Say who the operator is on invoices that are finalized from now on."""
        answer: models.OperatorProfileAnswer = self._connection.call(
            "PUT", "/api/v1/operator/profile", query={"organization_id": organization_id}, body=body, if_match=if_match
        )
        return answer


class AsyncOperator:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get_profile(self, *, organization_id: str | None = None) -> models.OperatorProfileAnswer:
        """Who the operator is on invoices."""
        answer: models.OperatorProfileAnswer = await self._connection.call(
            "GET", "/api/v1/operator/profile", query={"organization_id": organization_id}
        )
        return answer

    async def put_profile(
        self, body: models.OperatorProfileRequest, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.OperatorProfileAnswer:
        """Say who the operator is on invoices that are finalized from now on."""
        answer: models.OperatorProfileAnswer = await self._connection.call(
            "PUT", "/api/v1/operator/profile", query={"organization_id": organization_id}, body=body, if_match=if_match
        )
        return answer
