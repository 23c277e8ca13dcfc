"""Lists over all shards of an organization's usage, newest first."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from shared.adapters.usage.documents import partition_of
from shared.adapters.usage.merged_pages import ReadPage, merged
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.ports.store import MAXIMUM_PAGE, Between, Document, ItemPage, Position, Store

_SPARE = 10
"""Read from each shard beyond its share of a page, as shards do not hold exactly as many."""


def newest_of_shards(  # noqa: PLR0913  the parts of a query
    store: Store,
    organization_id: str,
    shard_count: int,
    kind: str,
    *,
    equals: Mapping[str, str | None],
    start: datetime | None,
    end: datetime | None,
    after: Position | None,
    page: int,
) -> AsyncIterator[Document]:
    """Documents by (time, id), newest first, from after a place on.

    They are read as they are taken, about `page` of them at a time. A None in `equals` is any value. Times are at or
    after `start` and before `end`.
    """
    wanted = {name: value for name, value in equals.items() if value is not None}
    between = Between("time", _text(start), _text(end))
    limit = min(MAXIMUM_PAGE, page // shard_count + _SPARE)

    def pages_of(shard: int) -> ReadPage:
        async def read(cursor: str | Position | None) -> ItemPage:
            return await store.query(
                LEDGERS.name,
                partition_of(organization_id, shard),
                kind,
                equals=wanted,
                between=between,
                order_by="time",
                descending=True,
                limit=limit,
                cursor=cursor,
            )

        return read

    return merged([pages_of(shard) for shard in range(shard_count)], "time", after)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else to_text(instant)
