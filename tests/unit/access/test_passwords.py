"""Hashing passwords: a bounded number at a time, in no thread that others use."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.bootstrap import Application, Ports
from shared.domain.kernel.errors import UnavailableError
from shared.services.access import passwords
from shared.services.access.passwords import HASHING_THREADS, MOST_ADMITTED, Passwords
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.fakes.settable_clock import SettableClock

ADDRESS, PASSWORD = "ada@example.com", "correct horse battery staple"


class GatedHasher(PasswordHasher):
    """Hashes when the gate is open, and knows how many were at it at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.gate = threading.Event()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        self.gate.wait(30)
        try:
            return super().hash(password, salt=salt)
        finally:
            with self._lock:
                self._at_once -= 1


@pytest.fixture
def gated(monkeypatch: pytest.MonkeyPatch) -> Iterator[GatedHasher]:
    hasher = GatedHasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    yield hasher
    hasher.gate.set()


async def hashed(chosen: Passwords) -> str:
    with chosen.admitted() as hashing:
        return await hashing.hashed(PASSWORD)


async def test_all_that_are_admitted_are_hashed_one_after_the_other(gated: GatedHasher) -> None:
    chosen = Passwords()
    waiting = [asyncio.create_task(hashed(chosen)) for _ in range(MOST_ADMITTED)]
    await asyncio.sleep(0)
    gated.gate.set()
    assert len(set(await asyncio.gather(*waiting))) == MOST_ADMITTED
    assert gated.most_at_once == HASHING_THREADS


async def test_who_finds_no_place_is_told_when_to_come_again(gated: GatedHasher) -> None:
    chosen = Passwords()
    waiting = [asyncio.create_task(hashed(chosen)) for _ in range(MOST_ADMITTED)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="Too many passwords") as refused:
        await hashed(chosen)
    assert refused.value.retry_after >= 1
    gated.gate.set()
    await asyncio.gather(*waiting)
    assert await hashed(chosen)


async def test_hashing_takes_no_thread_that_secrets_and_tokens_use(gated: GatedHasher, tmp_path: Path) -> None:
    chosen = Passwords()
    waiting = [asyncio.create_task(hashed(chosen)) for _ in range(MOST_ADMITTED)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await LocalSecrets(tmp_path / "secrets.json").set_if_absent("a", "b") == "b"
    gated.gate.set()
    await asyncio.gather(*waiting)


async def test_a_place_is_free_again_after_a_refusal_inside_it() -> None:
    chosen = Passwords()
    for _ in range(MOST_ADMITTED + 1):
        with pytest.raises(ZeroDivisionError), chosen.admitted():
            raise ZeroDivisionError
    with ExitStack() as places:
        for _ in range(MOST_ADMITTED):
            places.enter_context(chosen.admitted())


async def test_nobodys_password_is_checked_as_anyones(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)
    with Passwords().admitted() as hashing:
        kept = await hashing.hashed(PASSWORD)
        assert await hashing.matches(kept, PASSWORD)
        assert not await hashing.matches(kept, "another one")
        assert not await hashing.matches(None, PASSWORD)


async def test_a_sign_in_that_finds_no_place_counts_as_no_try(gated: GatedHasher, tmp_path: Path) -> None:
    clock = SettableClock(datetime(2026, 11, 18, 10, tzinfo=UTC))
    ports = Ports(MemoryStore(), MemoryQueue(), clock, LocalSecrets(tmp_path / "secrets.json"))
    accounts = Application(ports, Settings()).accounts
    gated.gate.set()
    await accounts.ensure_operator(ADDRESS, PASSWORD)
    gated.gate.clear()
    others = [asyncio.create_task(accounts.ensure_operator(f"{n}@example.com", PASSWORD)) for n in range(MOST_ADMITTED)]
    await asyncio.sleep(0)
    for _ in range(10):  # five failures would lock the account
        with pytest.raises(UnavailableError):
            await accounts.sign_in(ADDRESS, PASSWORD, None)
    gated.gate.set()
    await asyncio.gather(*others)
    assert (await accounts.sign_in(ADDRESS, PASSWORD, None)).access_token
