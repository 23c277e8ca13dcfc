"""Methods of `limits`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection


class Limits:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, *, organization_id: str | None = None) -> models.LimitsAnswer:
        """The limits of the organization, and how much of them it uses."""
        answer: models.LimitsAnswer = self._connection.call(
            "GET", "/api/v1/limits", query={"organization_id": organization_id}
        )
        return answer


class AsyncLimits:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, *, organization_id: str | None = None) -> models.LimitsAnswer:
        """The limits of the organization, and how much of them it uses."""
        answer: models.LimitsAnswer = await self._connection.call(
            "GET", "/api/v1/limits", query={"organization_id": organization_id}
        )
        return answer
