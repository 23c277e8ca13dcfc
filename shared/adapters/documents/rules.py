"""The rules of Cosmos DB for documents, which every store enforces.

Checking a document also encodes it, so that a later change of the caller's dict has no effect.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

from shared import json
from shared.containers import CONTAINERS, PARTITION_KEY_PATH, Container
from shared.ports.store import MAXIMUM_ID_BYTES, MAXIMUM_ITEM_BYTES, Document, StoreLimitError

PARTITION_KEY = PARTITION_KEY_PATH.removeprefix("/")
RESERVED_FIELDS = frozenset({PARTITION_KEY, "_rid", "_self", "_etag", "_attachments", "_ts"})
"""Fields that Cosmos DB adds to every document."""

_MAXIMUM_PARTITION_KEY_BYTES = 2048
_MAXIMUM_DEPTH = 128
_MAXIMUM_INTEGER = 2**53
"""Numbers are doubles in Cosmos DB: larger ones would be rounded."""
_MAXIMUM_TTL = 2**31 - 1
_NEVER = -1
_ILLEGAL_IN_ID = re.compile(r"[/\\?#]")


@dataclass(slots=True)
class CheckedDocument:
    id: str
    kind: str
    due_at: str | None
    ttl: int | None
    """Seconds."""
    body: str
    size: int
    """Bytes."""


def check_document(container: Container, document: Document) -> CheckedDocument:
    """The document as it will be stored. Raises `StoreLimitError`."""
    id_ = check_id(document.get("id"))
    kind = document.get("kind")
    if not isinstance(kind, str) or not kind:
        raise StoreLimitError("A document has a kind")
    for field in ("due_at", *container.indexed):
        value = document.get(field)
        if value is not None and not isinstance(value, str):
            raise StoreLimitError(f"{field} is indexed in {container.name} and must be a string")
    if not RESERVED_FIELDS.isdisjoint(document):
        raise StoreLimitError(f"Reserved by the store: {sorted(RESERVED_FIELDS & document.keys())}")
    body = _body_of(document)
    if len(body) > MAXIMUM_ITEM_BYTES:
        raise StoreLimitError(f"The document has {len(body)} bytes")
    return CheckedDocument(id_, kind, document.get("due_at"), _ttl_of(document), body.decode(), len(body))


def is_legal_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < _size_of(value) <= MAXIMUM_ID_BYTES and not _ILLEGAL_IN_ID.search(value)


def container_named(name: str) -> Container:
    """Raises `StoreLimitError`."""
    if name not in CONTAINERS:
        raise StoreLimitError(f"There is no container {name}")
    return CONTAINERS[name]


def check_id(value: object) -> str:
    """Raises `StoreLimitError`."""
    if not is_legal_id(value):
        raise StoreLimitError(f"Not a legal id: {value!r}")
    return value


def check_partition_key(value: str) -> None:
    if not 0 < _size_of(value) <= _MAXIMUM_PARTITION_KEY_BYTES:
        raise StoreLimitError(f"Not a legal partition key: {value!r}")


def _size_of(text: str) -> float:
    """In bytes of UTF-8; infinite for text that has no UTF-8 (lone surrogates)."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return math.inf


def _ttl_of(document: Document) -> int | None:
    ttl = document.get("ttl")
    if ttl is None or ttl == _NEVER:
        return None
    if type(ttl) is not int or not 0 < ttl <= _MAXIMUM_TTL:
        raise StoreLimitError(f"Not a time to live: {ttl!r}")
    return ttl


def _body_of(document: Document) -> bytes:
    _check_numbers(document, 1)
    try:
        return json.encode(document)
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreLimitError(f"The document is not JSON: {error}") from error


def _check_numbers(value: object, depth: int) -> None:
    if isinstance(value, str) or value is None:
        return
    if isinstance(value, dict):
        _check_parts(value.values(), depth)
    elif isinstance(value, list | tuple):
        _check_parts(value, depth)
    elif isinstance(value, float):
        raise StoreLimitError("A document has no floats; amounts and quantities are decimal strings")
    elif isinstance(value, int) and abs(value) > _MAXIMUM_INTEGER:
        raise StoreLimitError("A whole number beyond 2^53 would be rounded; write it as a string")


def _check_parts(parts: Iterable[object], depth: int) -> None:
    if depth > _MAXIMUM_DEPTH:
        raise StoreLimitError("The document is nested too deeply")
    for part in parts:
        if type(part) is not str:  # most are
            _check_numbers(part, depth + 1)
