"""Ada, who has signed up, without and with her mailbox."""

from pathlib import Path

import pytest

from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.worlds.mailed_user import MailedUser
from tests.doubles.worlds.signed_up_user import SignedUpUser


@pytest.fixture
async def ada(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SignedUpUser:
    user = SignedUpUser(tmp_path / "secrets.json", hash_quickly(monkeypatch))
    await user.sign_up()
    return user


@pytest.fixture
async def mailed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MailedUser:
    user = MailedUser(tmp_path / "secrets.json", hash_quickly(monkeypatch))
    await user.sign_up()
    return user
