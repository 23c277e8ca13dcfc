"""What usage is worth to caps, as its shards keep it until the wallet that pays has it."""

from datetime import datetime
from typing import Protocol

from shared.domain.credits.metered_usage import MeteredSums


class MeteredSumsStore(Protocol):
    """All methods raise `UnavailableError` for faults that may pass; repeating is always safe."""

    async def read(self, partition: str, sums_id: str) -> tuple[MeteredSums, str] | None:
        """The newest sums of a context in a shard, with their ETag."""
        ...

    async def note_sent(self, partition: str, sums_id: str, etag: str) -> None:
        """They are in the wallet. Nothing happens where there are newer ones."""
        ...

    async def oldest_unsent(self, organization_id: str, shard_count: int) -> datetime | None:
        """Since when there is usage that no wallet has counted yet; None where there is none."""
        ...
