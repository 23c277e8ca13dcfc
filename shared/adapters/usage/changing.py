"""Finds and changes stored things whose partition depends on the number of shards."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from shared.adapters.usage.batches import Addition
from shared.adapters.usage.committing import Committer
from shared.adapters.usage.documents import partition_of
from shared.domain.usage.events import shard_of
from shared.ports.changes import ChangeResult
from shared.ports.store import Item


class Before(Protocol):
    """Where a thing was read, and as what."""

    @property
    def partition(self) -> str: ...

    @property
    def etag(self) -> str: ...


class Change(Addition, Protocol):
    """A change of a stored thing, with what it adds to its total."""

    @property
    def before(self) -> Before: ...


C = TypeVar("C", bound=Change)


async def commit_changes(committer: Committer[C], changes: Iterable[C]) -> ChangeResult[C]:
    """Commit each change with its total. What has changed since it was read is left as it is."""
    result = ChangeResult[C]()
    by_partition: dict[str, list[C]] = {}
    for change in changes:
        by_partition.setdefault(change.before.partition, []).append(change)

    def is_still_wanted(change: C, stored: Item | None) -> bool:
        if stored is not None and stored.etag == change.before.etag:
            return True
        result.superseded.append(change)
        return False

    for partition, members in by_partition.items():
        committed = await committer.commit(partition, members, is_still_wanted)
        result.committed += committed.additions
        result.refused += committed.refused
        result.outbox_entries |= committed.outbox_entries
    return result


def places_of(
    organization_id: str,
    shard_counts: Sequence[int],
    ids: Iterable[str],
    key_of: Callable[[str], str],
    found: Mapping[str, object],
) -> Iterator[tuple[str, list[str]]]:
    """Each partition in which ids may be that are not `found` yet, the newest number of shards first.

    `key_of` gives the key of an id's event, which decides its shard.
    """
    for count in reversed(shard_counts):
        by_partition: dict[str, list[str]] = {}
        for id_ in ids:
            if id_ not in found:
                by_partition.setdefault(partition_of(organization_id, shard_of(key_of(id_), count)), []).append(id_)
        yield from by_partition.items()
