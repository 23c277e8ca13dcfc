"""Volumes of an export's archive: zips of JSON lines, in parts that fit into the store."""

import asyncio
import base64
import tempfile
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from shared import json
from shared.containers import TENANTS
from shared.domain.kernel.errors import ConflictError, TooLargeError
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.exports import (
    MAXIMUM_VOLUMES,
    PART_BYTES,
    VOLUME_BYTES,
    VOLUME_ITEMS,
    VOLUME_TIME,
    ExportJob,
    ExportPart,
    ExportProgress,
    ExportVolume,
    parts_partition,
)
from shared.services.storage import Records, Store

_IN_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ListPage:
    items: Sequence[object]
    next_cursor: str | None


OneList = Callable[[str | None], AsyncIterator[ListPage]]
"""Gives the items of a list from a cursor on, page by page; from its beginning for None."""
Lists = Mapping[str, OneList]
"""By name the lists of an organization, in the order in which they are written."""


class ExportVolumes:
    def __init__(self, store: Store) -> None:
        self._parts = Records(store, TENANTS, ExportPart)

    async def write(self, job: ExportJob, lists: Lists) -> tuple[ExportVolume, ExportProgress | None]:
        """Write the next volume; with where the one after it begins, None after the last.

        One that was cut short is written anew. Raises `TooLargeError` where there are too many already, and
        `ConflictError` where the lists are others than when the archive was begun.
        """
        number = len(job.volumes) + 1
        if number > MAXIMUM_VOLUMES:
            raise TooLargeError(f"There are more than {MAXIMUM_VOLUMES} volumes: read the lists page by page")
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            counts, progress = await _write_zip(file, job, number, lists)
            parts = await self._store(parts_partition(job.organization_id, job.id, number), file)
        return ExportVolume(parts=parts, counts=counts), progress

    async def _store(self, partition: str, file: IO[bytes]) -> int:
        """In how many parts the file lies then."""
        file.seek(0)
        number = 0
        while content := file.read(PART_BYTES):
            await self._parts.put(partition, ExportPart(id=str(number), content=base64.b64encode(content).decode()))
            number += 1
        return number

    async def read(self, job: ExportJob, number: int) -> bytes | None:
        """A volume, counted from 1; None where there is none, or a part of it was discarded."""
        volumes = job.all_volumes
        if not 1 <= number <= len(volumes):
            return None
        partition, count = parts_partition(job.organization_id, job.id, number), volumes[number - 1].parts
        parts = [await self._parts.find(partition, str(part)) for part in range(count)]
        found = [part.entity.content for part in parts if part is not None]
        return b"".join(base64.b64decode(content) for content in found) if len(found) == count else None

    async def discard(self, job: ExportJob) -> None:
        """All parts that there are, also of a volume that was cut short. Safe to repeat."""
        for number in range(1, len(job.volumes) + 2):
            partition = parts_partition(job.organization_id, job.id, number)
            async for part in self._parts.all(partition):
                await self._parts.remove(partition, part.entity.id)


async def _write_zip(
    file: IO[bytes], job: ExportJob, number: int, lists: Lists
) -> tuple[dict[str, int], ExportProgress | None]:
    """The number of items by list, and where the next volume begins."""
    counts: dict[str, int] = {}
    until = asyncio.get_running_loop().time() + VOLUME_TIME.total_seconds()
    next_one: ExportProgress | None = None
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, cursor, following in _from(job.progress, list(lists)):
            counts[name] = 0
            with archive.open(f"{name}.jsonl", "w") as lines:
                async for page in lists[name](cursor):
                    lines.write(b"".join(json.encode(item) + b"\n" for item in page.items))
                    counts[name] += len(page.items)
                    if _is_full(file, counts, until):
                        next_one = _after(name, page.next_cursor, following)
                        break
            if next_one is not None:
                break
        manifest = {
            "organization_id": job.organization_id,
            "export_id": job.id,
            "created_at": to_text(job.created_at),
            "volume": number,
            "is_last": next_one is None,
            "counts": counts,
        }
        archive.writestr("manifest.json", json.encode(manifest))
    return counts, next_one


def _from(progress: ExportProgress | None, names: Sequence[str]) -> Iterator[tuple[str, str | None, str | None]]:
    """The lists that are left, each with the cursor that it begins at and the list after it.

    Raises `ConflictError` where the list to go on with is not there any longer.
    """
    if progress is not None and progress.list not in names:
        raise ConflictError("Xyra was changed while the archive was written: ask for another one")
    first = 0 if progress is None else names.index(progress.list)
    for index in range(first, len(names)):
        cursor = progress.cursor if progress is not None and index == first else None
        yield names[index], cursor, names[index + 1] if index + 1 < len(names) else None


def _is_full(file: IO[bytes], counts: Mapping[str, int], until: float) -> bool:
    is_large = sum(counts.values()) >= VOLUME_ITEMS or file.tell() >= VOLUME_BYTES
    return is_large or asyncio.get_running_loop().time() >= until


def _after(name: str, cursor: str | None, following: str | None) -> ExportProgress | None:
    """Where to go on after a page; None at the end of the last list."""
    if cursor is not None:
        return ExportProgress(list=name, cursor=cursor)
    return None if following is None else ExportProgress(list=following, cursor=None)
