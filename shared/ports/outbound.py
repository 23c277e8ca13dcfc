"""Requests to addresses that others choose: identity providers, and later webhooks and connectors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutboundAnswer:
    """What came back, whatever its status."""

    status: int
    body: bytes


class OutboundRefusedError(Exception):
    """We do not go there, or the answer breaks the bounds. The text says why, and may be shown to who chose it."""


class Outbound(Protocol):
    """Goes to public addresses only, follows no redirect, and is bounded in time and size."""

    async def get(self, url: str) -> OutboundAnswer:
        """Raises `OutboundRefusedError`, `UnavailableError` where nothing answers in time."""
        ...

    async def post_form(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> OutboundAnswer:
        """Raises as `get`."""
        ...
