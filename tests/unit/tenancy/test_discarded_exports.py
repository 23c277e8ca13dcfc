"""Archives go when somebody in them is erased, also one that is being written at that moment."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from shared.containers import TENANTS
from shared.domain.tenancy.exports import ExportPart, parts_partition
from shared.services.storage import Records
from shared.services.tenancy.export_volumes import ListPage
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.worlds.signed_up_user import SignedUpUser

ORGANIZATION, JOB = "org_engines", "exp_archive"


class Archive:
    """A job that waits; something may happen while its only list is read."""

    def __init__(self, user: SignedUpUser) -> None:
        self.exports, self.store = user.host.exports, user.host.audited_store

    async def write(self, meanwhile: Callable[[str], Awaitable[None]] | None = None) -> None:
        await self.exports.ask(JOB, ORGANIZATION, "usr_ada")

        async def pages(cursor: str | None) -> AsyncIterator[ListPage]:
            assert cursor is None
            yield ListPage([{"name": "Grace Hopper"}], None)
            if meanwhile is not None:
                await meanwhile(ORGANIZATION)

        assert await self.exports.run_waiting(lambda _: {"members": pages}) == 1

    async def parts(self) -> int:
        stored = Records(self.store, TENANTS, ExportPart).all(parts_partition(ORGANIZATION, JOB))
        return len([part async for part in stored])


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    return Archive(SignedUpUser(tmp_path / "secrets.json", hash_quickly(monkeypatch)))


async def test_an_archive_that_is_there_goes(archive: Archive) -> None:
    await archive.write()
    assert await archive.parts() == 1
    await archive.exports.discard_all(ORGANIZATION)
    assert await archive.parts() == 0


async def test_an_archive_that_is_being_written_fails_and_leaves_nothing(archive: Archive) -> None:
    await archive.write(archive.exports.discard_all)
    job = (await archive.exports.link(ORGANIZATION, JOB)).job
    assert (job.status, await archive.parts()) == ("failed", 0)
    assert "erased" in (job.reason or "")
