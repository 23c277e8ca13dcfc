"""What somebody sends to a host over and over."""

from collections.abc import Callable
from dataclasses import dataclass

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    content_type: str = JSON
    idempotency_key: str = ""
    is_packed: bool = False
    """In gzip."""


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    connections: int
    request: Callable[[int], Request]
    """By a number that grows with every request."""
    key: str = ""
    """The attacker's; empty for a stranger without a credential."""
