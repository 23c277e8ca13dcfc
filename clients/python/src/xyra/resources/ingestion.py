"""Methods of `ingestion`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection


class Ingestion:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(
        self, *, organization_id: str | None = None, window: Literal["hour", "day", "month"] | None = None
    ) -> models.IngestionAnswer:
        """What arrives: by API key, source and type, what was accepted, refused, repeated, parked or not priced."""
        answer: models.IngestionAnswer = self._connection.call(
            "GET", "/api/v1/ingestion", query={"organization_id": organization_id, "window": window}
        )
        return answer


class AsyncIngestion:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(
        self, *, organization_id: str | None = None, window: Literal["hour", "day", "month"] | None = None
    ) -> models.IngestionAnswer:
        """What arrives: by API key, source and type, what was accepted, refused, repeated, parked or not priced."""
        answer: models.IngestionAnswer = await self._connection.call(
            "GET", "/api/v1/ingestion", query={"organization_id": organization_id, "window": window}
        )
        return answer
