"""Passwords that are hashed as outside of tests, at next to no cost."""

import pytest
from argon2 import PasswordHasher

from shared.services.access import passwords


def hash_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
