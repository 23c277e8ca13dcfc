"""Lists in pages, read as one iterator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Generic, TypeVar

from xyra.connection import AsyncConnection, Connection

Entry = TypeVar("Entry")


class Listing(Generic[Entry]):
    """All entries of a list: each page is asked for when it is reached."""

    def __init__(
        self,
        connection: Connection,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        entries: str = "data",
    ) -> None:
        self._connection = connection
        self._request = (method, path)
        self._query = dict(query or {})
        self._entries = entries

    def pages(self) -> Iterator[Mapping[str, Any]]:
        """The answers as they are: entries, by most lists in `data`, and what stands beside them."""
        cursor: str | None = None
        while True:
            page = self._connection.call(*self._request, query={**self._query, "cursor": cursor})
            yield page
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def __iter__(self) -> Iterator[Entry]:
        for page in self.pages():
            yield from page[self._entries]


class AsyncListing(Generic[Entry]):
    """`Listing` for asyncio."""

    def __init__(
        self,
        connection: AsyncConnection,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        entries: str = "data",
    ) -> None:
        self._connection = connection
        self._request = (method, path)
        self._query = dict(query or {})
        self._entries = entries

    async def pages(self) -> AsyncIterator[Mapping[str, Any]]:
        """The answers as they are: entries, by most lists in `data`, and what stands beside them."""
        cursor: str | None = None
        while True:
            page = await self._connection.call(*self._request, query={**self._query, "cursor": cursor})
            yield page
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def __aiter__(self) -> AsyncIterator[Entry]:
        async for page in self.pages():
            for entry in page[self._entries]:
                yield entry
