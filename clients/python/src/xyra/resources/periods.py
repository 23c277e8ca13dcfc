"""Methods of `periods`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment


class Periods:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def restate_tax(
        self,
        start: str,
        body: models.RestatementRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.RestatementAnswer:
        """Correct how a period was taxed: it is billed again."""
        answer: models.RestatementAnswer = self._connection.call(
            "POST",
            f"/api/v1/periods/{segment(start)}/tax",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncPeriods:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def restate_tax(
        self,
        start: str,
        body: models.RestatementRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.RestatementAnswer:
        """Correct how a period was taxed: it is billed again."""
        answer: models.RestatementAnswer = await self._connection.call(
            "POST",
            f"/api/v1/periods/{segment(start)}/tax",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer
