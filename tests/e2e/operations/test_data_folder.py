"""What is kept on one machine is for its owner alone."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import aiohttp

from local.host import KEY_HEADER
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_process import XyraProcess


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in (folder, *folder.rglob("*"))
    }


async def test_files_of_before_and_new_ones_are_for_their_owner_alone(new_process: Callable[..., XyraProcess]) -> None:
    process = new_process()
    mail = process.data_dir / "mail"
    mail.mkdir(parents=True)
    old = [process.data_dir / "log.jsonl", process.data_dir / "secrets.json", mail / "1.eml"]
    for path in old:
        path.write_text("" if path.suffix == ".jsonl" else "{}", encoding="utf-8")
        path.chmod(0o644)
    for folder in (process.data_dir, mail):
        folder.chmod(0o755)
    before = os.umask(0o022)  # as most people have it
    try:
        served = await Served.by(process)
    finally:
        os.umask(before)
    async with served.clients() as xyra:
        await xyra.organization()
        found = modes(process.data_dir)
    folders = {".", "mail"}
    assert {name: mode for name, mode in found.items() if mode != ("0o700" if name in folders else "0o600")} == {}
    assert {"xyra.db", "xyra.db-wal", "xyra.db-shm", "admin.key", "secrets.json"} <= found.keys()


async def test_the_key_in_the_folder_starts_functions_and_is_kept(new_process: Callable[..., XyraProcess]) -> None:
    process = new_process()
    keys = []
    for _ in range(2):
        await Served.by(process)
        key = (process.data_dir / "admin.key").read_text(encoding="ascii")
        async with aiohttp.ClientSession(process.base) as session:
            for headers, status in (({}, 401), ({KEY_HEADER: key}, 202)):
                async with session.post("/admin/functions/sweep_outbox", json={}, headers=headers) as response:
                    assert response.status == status
        process.stop()
        keys.append(key)
    assert keys[0] == keys[1]
    assert len(keys[0]) >= 40
