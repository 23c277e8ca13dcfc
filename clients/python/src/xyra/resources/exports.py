"""Methods of `exports`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment


class Exports:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def download(self, export_id: str, *, organization_id: str | None = None, token: str) -> None:
        """The archive of an export, by its link."""
        self._connection.call(
            "GET",
            f"/api/v1/exports/{segment(export_id)}/archive",
            query={"organization_id": organization_id, "token": token},
        )


class AsyncExports:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def download(self, export_id: str, *, organization_id: str | None = None, token: str) -> None:
        """The archive of an export, by its link."""
        await self._connection.call(
            "GET",
            f"/api/v1/exports/{segment(export_id)}/archive",
            query={"organization_id": organization_id, "token": token},
        )
