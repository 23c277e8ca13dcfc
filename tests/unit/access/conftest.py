"""Ada, who has signed up."""

from pathlib import Path

import pytest

from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.worlds.signed_up_user import SignedUpUser


@pytest.fixture
async def ada(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SignedUpUser:
    user = SignedUpUser(tmp_path / "secrets.json", hash_quickly(monkeypatch))
    await user.sign_up()
    return user
