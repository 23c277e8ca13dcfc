"""Large archives have several volumes, which together have every item once, however often a run is cut short."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.containers import TENANTS
from shared.domain.kernel.errors import InvalidTokenError
from shared.domain.tenancy.exports import ExportJob, ExportPart, parts_partition
from shared.services.storage import Records
from shared.services.tenancy import export_volumes, exports
from shared.services.tenancy.export_volumes import ListPage, Lists
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.worlds.signed_up_user import SignedUpUser

ORGANIZATION, JOB = "org_engines", "exp_archive"
AGENTS, EVENTS, PAGE = 25, 140, 10


class Exporting:
    def __init__(self, user: SignedUpUser) -> None:
        self.user, self.exports = user, user.host.exports
        self.breaks_at = -1
        self.pages_read = 0

    def lists(self, _: str) -> Lists:
        return {"agents": self._list("a", AGENTS), "events": self._list("e", EVENTS), "runs": self._list("r", 0)}

    def _list(self, prefix: str, count: int) -> export_volumes.OneList:
        async def pages(cursor: str | None) -> AsyncIterator[ListPage]:
            start = int(cursor or 0)
            while True:
                self.pages_read += 1
                if self.pages_read == self.breaks_at:
                    raise RuntimeError("The host is killed")
                end = min(start + PAGE, count)
                following = str(end) if end < count else None
                yield ListPage([{"id": f"{prefix}{number}"} for number in range(start, end)], following)
                if following is None:
                    return
                start = end

        return pages

    async def run(self) -> None:
        await self.exports.run_waiting(self.lists)

    async def job(self) -> ExportJob:
        return (await self.exports.link(ORGANIZATION, JOB)).job

    async def archive(self) -> tuple[list[dict[str, Any]], Counter[str]]:
        """The manifests of all volumes, and how often each item is in them."""
        manifests, items = [], Counter[str]()
        for url in (await self.exports.link(ORGANIZATION, JOB)).urls:
            query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
            content = await self.exports.archive(JOB, query["token"], int(query.get("volume", "1")))
            with zipfile.ZipFile(io.BytesIO(content)) as volume:
                manifests.append(json.loads(volume.read("manifest.json")))
                lines = [line for name in volume.namelist() if name.endswith("l") for line in volume.open(name)]
                items.update(json.loads(line)["id"] for line in lines)
        return manifests, items


WHOLE = Counter([f"a{number}" for number in range(AGENTS)] + [f"e{number}" for number in range(EVENTS)])


@pytest.fixture
async def exporting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Exporting:
    monkeypatch.setattr(export_volumes, "VOLUME_ITEMS", 40)
    user = SignedUpUser(tmp_path / "secrets.json", hash_quickly(monkeypatch))
    made = Exporting(user)
    await made.exports.ask(JOB, ORGANIZATION, "usr_ada")
    return made


async def test_the_volumes_have_every_item_once(exporting: Exporting) -> None:
    await exporting.run()
    manifests, items = await exporting.archive()
    assert items == WHOLE
    assert [each["volume"] for each in manifests] == list(range(1, len(manifests) + 1))
    assert [each["is_last"] for each in manifests] == [False] * (len(manifests) - 1) + [True]
    assert len(manifests) == 5
    job = await exporting.job()
    assert job.counts == {"agents": AGENTS, "events": EVENTS, "runs": 0}
    assert sum((Counter(each["counts"]) for each in manifests), Counter()) == Counter(agents=AGENTS, events=EVENTS)


async def test_a_run_without_time_leaves_the_rest_to_the_next_ones(
    exporting: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "RUN_TIME", timedelta(0))
    for volumes in range(1, 5):
        await exporting.run()
        job = await exporting.job()
        assert (job.status, len(job.volumes)) == ("running", volumes)
        assert (await exporting.exports.link(ORGANIZATION, JOB)).urls == ()
    await exporting.run()
    assert (await exporting.job()).status == "done"
    assert (await exporting.archive())[1] == WHOLE


@pytest.mark.parametrize("breaks_at", range(1, 19))
async def test_a_host_that_is_killed_loses_and_doubles_nothing(exporting: Exporting, breaks_at: int) -> None:
    exporting.breaks_at = breaks_at
    with pytest.raises(RuntimeError):
        await exporting.run()
    await exporting.run()
    assert (await exporting.job()).status == "running"  # somebody may be at it
    exporting.user.clock.move(timedelta(minutes=11))
    await exporting.run()
    assert (await exporting.archive())[1] == WHOLE


async def test_all_volumes_are_discarded(exporting: Exporting) -> None:
    await exporting.run()
    link = await exporting.exports.link(ORGANIZATION, JOB)
    await exporting.exports.discard_all(ORGANIZATION)
    parts = Records(exporting.user.host.audited_store, TENANTS, ExportPart)
    for volume in range(1, 8):
        assert [part async for part in parts.all(parts_partition(ORGANIZATION, JOB, volume))] == []
    (token,) = parse_qs(urlsplit(link.urls[0]).query)["token"]
    for volume in (1, 2, 5, 6):
        with pytest.raises(InvalidTokenError):
            await exporting.exports.archive(JOB, token, volume)


async def test_an_archive_of_before_volumes_is_read(exporting: Exporting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_volumes, "VOLUME_ITEMS", 1_000)
    await exporting.run()
    jobs = Records(exporting.user.host.audited_store, TENANTS, ExportJob)
    await jobs.change(ORGANIZATION, JOB, lambda job: job.changed(volumes=(), parts=job.volumes[0].parts))
    assert len((await exporting.exports.link(ORGANIZATION, JOB)).urls) == 1
    assert (await exporting.archive())[1] == WHOLE


async def test_more_volumes_than_there_may_be_fail_and_leave_nothing(
    exporting: Exporting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_volumes, "MAXIMUM_VOLUMES", 3)
    await exporting.run()
    job = await exporting.job()
    assert job.status == "failed"
    assert "page by page" in (job.reason or "")
    parts = Records(exporting.user.host.audited_store, TENANTS, ExportPart)
    assert [part async for part in parts.all(parts_partition(ORGANIZATION, JOB))] == []
