"""A clock that is set by writing an ISO time into a file.

It runs on from there. Tests and demos use it.
"""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SETTLED = timedelta(seconds=0.1)
"""A file younger than this is read at every call: two writes within one tick of the file system look the same."""


class FileClock:
    """All processes with the same file agree. Without a file, or with an empty one, it is the machine's time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The time now. Raises `ValueError` where the file does not hold an ISO time with an offset."""
        present = datetime.now(UTC)
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return present
        if _version_of(status) != self._version:
            self._read(present)
        return present + self._ahead

    def _read(self, present: datetime) -> None:
        with self._path.open(encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            text = file.read().strip()
        written = datetime.fromtimestamp(status.st_mtime, UTC)
        self._ahead = self._parse(text) - written if text else timedelta(0)
        self._version = _version_of(status) if present - written > _SETTLED else None

    def _parse(self, text: str) -> datetime:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"The clock file {self._path} does not hold an ISO time: {text!r}") from error
        if instant.tzinfo is None:
            raise ValueError(f"The time in the clock file {self._path} has no offset: {text!r}")
        return instant.astimezone(UTC)


def _version_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino
