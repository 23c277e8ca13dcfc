"""The clients: everything of the API, sync and async."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from xyra.connection import AsyncConnection, Connection, Settings
from xyra.resources import AsyncResources, Resources


def settings_of(
    api_key: str | None, base_url: str | None, organization_id: str | None, timeout: float, maximum_retries: int
) -> Settings:
    """What was given, else what the environment says. Raises `ValueError` for what neither does."""
    key = api_key or os.environ.get("XYRA_API_KEY")
    url = base_url or os.environ.get("XYRA_URL")
    if not key:
        raise ValueError("no API key: give api_key, or set XYRA_API_KEY")
    if not url:
        raise ValueError("no address: give base_url, or set XYRA_URL")
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"base_url begins with https:// (or http://): {url}")
    return Settings(key, url.rstrip("/"), organization_id, timeout, maximum_retries)


class Client(Resources):
    """Xyra's API."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        organization_id: str | None = None,
        timeout: float = 30.0,
        maximum_retries: int = 3,
    ) -> None:
        """Without `api_key` and `base_url` the environment has them: `XYRA_API_KEY`, `XYRA_URL`.

        `timeout`: seconds that one try may take. `organization_id` is for operators.
        """
        self.connection = Connection(settings_of(api_key, base_url, organization_id, timeout, maximum_retries))

    def close(self) -> None:
        """End its connections."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(AsyncResources):
    """Xyra's API, for asyncio."""

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        organization_id: str | None = None,
        timeout: float = 30.0,
        maximum_retries: int = 3,
    ) -> None:
        """As of `Client`."""
        self.connection = AsyncConnection(settings_of(api_key, base_url, organization_id, timeout, maximum_retries))

    async def close(self) -> None:
        """End its connections."""
        await self.connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
