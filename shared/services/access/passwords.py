"""Passwords: hashed and checked in a thread of their own, a bounded number at a time."""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from shared.domain.access.password_policy import check_strength
from shared.domain.kernel.errors import UnavailableError

HASHING_THREADS = 1
"""One hash keeps all processors busy, so a second one at once would only need its memory (64 MiB) again."""
MOST_ADMITTED = 32
"""Hashing or waiting for it. A hash takes 0.05 to 0.1 s of a processor, so the last one waits for about 3 s."""
RETRY_AFTER_SECONDS = 3.0
_NICENESS = 10
_hasher = PasswordHasher()


class Passwords:
    """Admits callers to hashing. What hashes shares no thread with anything else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(HASHING_THREADS, thread_name_prefix="password", initializer=_step_back)
        self._hashing = Hashing(self._threads)
        self._admitted = 0

    @contextmanager
    def admitted(self) -> Iterator["Hashing"]:
        """Take a place, and with it the right to hash. Raises `UnavailableError` where none is free."""
        if self._admitted >= MOST_ADMITTED:
            raise UnavailableError("Too many passwords are checked at this moment", retry_after=RETRY_AFTER_SECONDS)
        self._admitted += 1
        try:
            yield self._hashing
        finally:
            self._admitted -= 1

    def close(self) -> None:
        """Hash nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Hashing:
    """Argon2id. Got from `Passwords.admitted`."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._nobodys_hash = ""

    async def hashed(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is the hashed one. With None it is not, which takes as long to find out."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._matches, password_hash, password)

    async def check_strength(self, password: str, *, email: str, full_name: str) -> None:
        """As `password_policy.check_strength`, which takes a moment. Raises `ValidationError`."""
        check = partial(check_strength, password, email=email, full_name=full_name)
        await asyncio.get_running_loop().run_in_executor(self._threads, check)

    def _matches(self, password_hash: str | None, password: str) -> bool:
        # Made at the first call of either kind: made where it is needed, its time would tell unknown addresses apart.
        self._nobodys_hash = self._nobodys_hash or _hasher.hash(secrets.token_urlsafe())
        try:
            return _hasher.verify(password_hash or self._nobodys_hash, password)
        except VerificationError:
            return False


def _step_back() -> None:
    """Let this thread, and those that Argon2 starts from it, run after the others of the process."""
    if sys.platform == "linux":  # elsewhere niceness is of whole processes
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
