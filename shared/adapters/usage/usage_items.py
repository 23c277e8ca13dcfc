"""Usage as items: what stands in which partition, and how a batch moves its totals."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass

from shared import json
from shared.adapters.usage.merged_pages import ReadPage, merged
from shared.containers import LEDGERS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import from_text, to_text
from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.totals import Contribution, Totals
from shared.ports.store import MAXIMUM_PAGE, Between, Create, Document, Operation, Page, Place, Replace, Store

EVENT = "event"
TOMBSTONE = "tombstone"
GIVEN_UP = "given_up"
"""Stands where an event would, so that the store lets only one of the two be."""
TOTAL = "total"
UNIQUE = "unique"

MAXIMUM_OPERATIONS = 100
MAXIMUM_BYTES = 900_000
"""Below the 1 MB that a batch should stay under."""
FRAME_BYTES = 1024
"""At most the bytes around what a document varies in: its other fields, its operation, and in its total the name and
count of an event type that had none.
"""
METER_BYTES = 256
"""At most the bytes that a meter adds to its total beside its name, or that its reading gains with all of a batch, but
for the events that it keeps one by one.
"""
MAXIMUM_ATTEMPTS = 40
_SLACK = 10


@dataclass(slots=True)
class KeptTotal:
    """A total as it was last read or written."""

    totals: Totals
    etag: str | None


def partition_of(organization_id: str, shard: int) -> str:
    return f"{organization_id}:usage:{shard}"


async def read_totals(store: Store, partition: str, keys: Collection[TotalKey]) -> dict[TotalKey, KeptTotal]:
    """All at once; those that do not exist are without an etag."""
    by_id = {total_id(key): key for key in keys}
    totals = {key: KeptTotal(Totals(), None) for key in keys}
    ids = list(by_id)
    for start in range(0, len(ids), MAXIMUM_PAGE):
        found = await store.get_many(LEDGERS.name, partition, ids[start : start + MAXIMUM_PAGE])
        totals |= {
            by_id[id_]: KeptTotal(Totals.read(item.document["totals"]), item.etag) for id_, item in found.items()
        }
    return totals


def changed_totals(
    contributions: Iterable[tuple[TotalKey, Contribution]], totals: Mapping[TotalKey, KeptTotal]
) -> dict[TotalKey, Totals]:
    """What these totals come to with the contributions; those that are known are left as they are."""
    changed: dict[TotalKey, Totals] = {}
    for key, contribution in contributions:
        if key not in changed:
            changed[key] = totals[key].totals.copy()
        changed[key].add(contribution)
    return changed


def total_write(key: TotalKey, totals: Totals, etag: str | None) -> Operation:
    """Without an etag, of a total that there is none of yet."""
    document = total_document(key, totals)
    return Create(document) if etag is None else Replace(document, etag)


def total_id(key: TotalKey) -> str:
    return named_id("tot", to_text(key.period), key.agent_id, key.version_id)


def outcome_document(outcome: Outcome, retention: int) -> Document:
    """It expires that long after the last decision about it."""
    fields = {name: value for name, value in outcome.document().items() if value is not None}
    return fields | {"period": to_text(outcome.period), "ttl": retention}


def total_document(key: TotalKey, totals: Totals) -> Document:
    return {
        "id": total_id(key),
        "kind": TOTAL,
        "period": to_text(key.period),
        "agent_id": key.agent_id,
        "version_id": key.version_id,
        "totals": totals.document(),
    }


def value_document(key: TotalKey, meter: str, value: str) -> Document:
    """Without an expiry, as the totals."""
    return {
        "id": named_id("val", to_text(key.period), key.agent_id, key.version_id, meter, value),
        "kind": UNIQUE,
        "period": to_text(key.period),
        "agent_id": key.agent_id,
        "version_id": key.version_id,
        "meter": meter,
        "value": value,
    }


def total_key_of(document: Document) -> TotalKey:
    """Of a total, or of a value that belongs to it."""
    return TotalKey(from_text(document["period"]), document["agent_id"], document["version_id"])


def latest_of_shards(  # noqa: PLR0913  the parts of a query
    store: Store,
    organization_id: str,
    shard_count: int,
    kind: str,
    *,
    equals: Mapping[str, str],
    between: Between,
    behind: Place | None,
    page: int,
) -> AsyncIterator[Document]:
    """By (time, id), latest first, from behind a place on; read as they are taken, about `page` of them at a time."""
    # Shards have about as many each; where one has more, its next page is read when it is needed.
    limit = min(MAXIMUM_PAGE, page // shard_count + _SLACK)

    def pages_of(shard: int) -> ReadPage:
        async def read(cursor: str | Place | None) -> Page:
            return await store.query(
                LEDGERS.name,
                partition_of(organization_id, shard),
                kind,
                equals=equals,
                between=between,
                order_by="time",
                descending=True,
                limit=limit,
                cursor=cursor,
            )

        return read

    return merged([pages_of(shard) for shard in range(shard_count)], "time", behind)


async def before_another(attempt: int) -> None:
    """Wait after a conflict. Raises `UnavailableError` when there have been too many."""
    if attempt > MAXIMUM_ATTEMPTS:
        raise UnavailableError("The usage is being moved by many at once")
    await asyncio.sleep(random.uniform(0, 0.005) * attempt)  # noqa: S311  jitter


def bytes_of(document: Document) -> int:
    return FRAME_BYTES + len(json.encode(document))
