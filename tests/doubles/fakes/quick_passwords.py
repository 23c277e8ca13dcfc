"""Passwords that are hashed as outside of tests, at next to no cost."""

import pytest
from argon2 import PasswordHasher

from shared.services.access import accounts


def hash_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
