"""An erasure that was cut short at its last step is finished by the next try."""

from dataclasses import replace

import pytest

from shared.bootstrap import Application
from shared.containers import DIRECTORY
from shared.domain.access.accounts import user_partition
from shared.domain.kernel.errors import UnavailableError
from shared.settings import Settings
from tests.doubles.worlds.signed_up_user import SignedUpUser


class StubbornRemnants:
    """Files of a machine that something else is reading."""

    def __init__(self) -> None:
        self.tries = 0
        self.overwritten = 0
        self.fails_at: frozenset[int] = frozenset()

    async def remove_mails(self, address: str) -> None:
        """There are none."""

    async def overwrite_deleted(self) -> None:
        self.tries += 1
        if self.tries in self.fails_at:
            raise UnavailableError("The log of the database is being read, and cannot be cut now")
        self.overwritten = self.tries


@pytest.mark.parametrize("fails_at", [{1}, {2}, {2, 3}], ids=str)
async def test_the_log_is_cut_after_the_last_deletion_whatever_failed(ada: SignedUpUser, fails_at: set[int]) -> None:
    remnants = StubbornRemnants()
    remnants.fails_at = frozenset(fails_at)
    host = Application(replace(ada.ports, remnants=remnants), Settings())
    await ada.second_owner(await ada.sign_up_another("grace@example.com"))
    user_id = ada.account.user_id
    tries = 0
    while True:
        tries += 1
        try:
            await host.erasures.carry_out(user_id)
            break
        except UnavailableError:
            assert tries < 5
    assert await ada.store.get(DIRECTORY.name, user_partition(user_id), "account") is None
    assert tries == len(fails_at) + 1
    assert remnants.overwritten == remnants.tries
    assert remnants.tries > max(fails_at)
