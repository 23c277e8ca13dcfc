"""Passwords that are hashed as outside of tests, at next to no cost."""

import pytest
from argon2 import PasswordHasher

from shared.services.access import passwords


class QuickHasher(PasswordHasher):
    """Counts what it does."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.runs = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.runs += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002  the base's name
        self.runs += 1
        return super().verify(hash, password)


def hash_quickly(monkeypatch: pytest.MonkeyPatch) -> QuickHasher:
    hasher = QuickHasher()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    return hasher
