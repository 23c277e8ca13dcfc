"""Methods of `exports`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra.connection import AsyncConnection, Connection, segment


class Exports:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def download(
        self, export_id: str, *, organization_id: str | None = None, token: str, volume: int | None = None
    ) -> bytes:
        """The archive of an export, or a volume of it, by its link."""
        answer: bytes = self._connection.call(
            "GET",
            f"/api/v1/exports/{segment(export_id)}/archive",
            query={"organization_id": organization_id, "token": token, "volume": volume},
        )
        return answer


class AsyncExports:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def download(
        self, export_id: str, *, organization_id: str | None = None, token: str, volume: int | None = None
    ) -> bytes:
        """The archive of an export, or a volume of it, by its link."""
        answer: bytes = await self._connection.call(
            "GET",
            f"/api/v1/exports/{segment(export_id)}/archive",
            query={"organization_id": organization_id, "token": token, "volume": volume},
        )
        return answer
