"""Writes for the SDK, built anew for every attempt.

The SDK removes the ETag guards from its arguments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from azure.cosmos.aio import ContainerProxy

from shared import json
from shared.adapters.cosmos.etags import etag_of, if_match
from shared.adapters.cosmos.request_charges import WriteOperation
from shared.adapters.cosmos.requests import Hook
from shared.adapters.documents.rules import PARTITION_KEY, check_document, check_id
from shared.containers import ALWAYS_INDEXED, Container
from shared.ports.store import Create, Delete, Document, Operation, Replace, StoreLimitError, Upsert

BatchOperation = tuple[str, tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Write:
    """One checked operation on one document."""

    operation: WriteOperation
    pk: str
    id: str
    body: str = ""
    size: int = 0
    """Bytes of the document."""
    indexed_terms: int = 0
    etag: str | None = None

    @property
    def is_unguarded_delete(self) -> bool:
        return self.operation == "delete" and self.etag is None

    def for_batch(self) -> BatchOperation:
        options = {} if self.etag is None else {"if_match_etag": if_match(self.etag)}
        match self.operation:
            case "create" | "upsert":
                return self.operation, (self._document(),), options
            case "replace":
                return self.operation, (self.id, self._document()), options
            case "delete":
                return self.operation, (self.id,), options

    def _document(self) -> dict[str, Any]:
        return {**json.decode(self.body), PARTITION_KEY: self.pk}


def checked_write(container: Container, pk: str, operation: Operation, index: int) -> Write:
    """Raises `StoreLimitError` with the index of the operation."""
    try:
        if isinstance(operation, Delete):
            return Write("delete", pk, check_id(operation.id), etag=operation.etag)
        checked = check_document(container, operation.document)
    except StoreLimitError as error:
        error.index = index
        raise
    terms = _indexed_terms(container, operation.document)
    match operation:
        case Create():
            return Write("create", pk, checked.id, checked.body, checked.size, terms)
        case Upsert():
            return Write("upsert", pk, checked.id, checked.body, checked.size, terms)
        case Replace(etag=etag):
            return Write("replace", pk, checked.id, checked.body, checked.size, terms, etag)


def _indexed_terms(container: Container, document: Document) -> int:
    """Index entries: the partition key, the indexed fields that are present, and a composite for each ordered one."""
    paths = (*ALWAYS_INDEXED, *container.indexed, *container.ordered)
    return 1 + sum(path in document for path in paths)


async def send_writes(container: ContainerProxy, writes: Sequence[Write], hook: Hook) -> list[str]:
    """Send one write or many as one batch. Returns the new ETags, "" for a delete.

    A batch is a POST. The replacement or deletion of a single item would be a PUT or DELETE, which aiohttp repeats by
    itself when the connection is lost.
    """
    operations = [write.for_batch() for write in writes]
    answers = await container.execute_item_batch(operations, writes[0].pk, raw_response_hook=hook)
    pairs = zip(writes, answers, strict=True)
    return ["" if write.operation == "delete" else etag_of(answer["eTag"]) for write, answer in pairs]
