"""Secrets of one machine, in a file that only its owner can read."""

import asyncio
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError


class LocalSecrets:
    """Several processes may share the file. Every change is made under a lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def get(self, name: str) -> str:
        secrets = await asyncio.to_thread(self._read)
        if name not in secrets:
            raise NotFoundError(f"There is no secret {name}")
        return secrets[name]

    async def set_if_absent(self, name: str, value: str) -> str:
        return await asyncio.to_thread(self._set_if_absent, name, value)

    async def replace(self, name: str, value: str, *, expected: str) -> None:
        await asyncio.to_thread(self._replace, name, value, expected)

    def _set_if_absent(self, name: str, value: str) -> str:
        with self._writing() as secrets:
            return secrets.setdefault(name, value)

    def _replace(self, name: str, value: str, expected: str) -> None:
        with self._writing() as secrets:
            if secrets.get(name) != expected:
                raise ConflictError(f"The secret {name} was replaced meanwhile")
            secrets[name] = value

    @contextmanager
    def _writing(self) -> Iterator[dict[str, str]]:
        """The secrets, to be changed in place under a lock.

        They are written at the end unless an error is raised.
        """
        try:
            with self._locked():
                secrets = self._read()
                before = dict(secrets)
                yield secrets
                if secrets != before:
                    self._write(secrets)
        except OSError as error:
            raise UnavailableError("The secrets cannot be written now") from error

    def _read(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise UnavailableError("The secrets cannot be read now") from error

    def _write(self, secrets: dict[str, str]) -> None:
        """Write a new file and rename it: a reader finds the old file or the new one, also after a crash."""
        descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(secrets))
                file.flush()
                os.fsync(descriptor)
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _synchronize(self._path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock a second file, because the secrets file itself is replaced at every change."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _synchronize(directory: Path) -> None:
    """Make a rename in the directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
