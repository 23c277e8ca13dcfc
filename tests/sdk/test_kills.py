"""Events are reported while the host comes and goes and the reporting process is killed: each counts exactly once.

`XYRA_SDK_EVENTS` is how many (2,000; `make sdk-kills` reports 10,000).
"""

import asyncio
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_process import XyraProcess
from tests.sdk.running import FOLDER, environment_of, free_port, on_each_python

EVENTS = int(os.environ.get("XYRA_SDK_EVENTS", "2000"))
CLIENT_KILLS = 2
LONGEST_LIFE = 3.0
LONGEST_OUTAGE = 0.5
COMMANDS = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}


async def _come_and_go(process: XyraProcess, base: str, random: Random, done: asyncio.Event) -> int:
    """Kill the host and start it again until done, then leave it running. How often it was killed."""
    kills = 0
    while not done.is_set():
        await asyncio.sleep(random.uniform(0.2, LONGEST_LIFE))
        process.kill()
        kills += 1
        await asyncio.sleep(random.uniform(0, LONGEST_OUTAGE))
        await asyncio.to_thread(process.start_at, base)
    return kills


@on_each_python
async def test_each_event_counts_once_whoever_is_killed(
    new_process: Callable[..., XyraProcess], python: Path, tmp_path: Path
) -> None:
    random = Random(python.as_posix())
    process = new_process(present=True, XYRA_PORT=free_port(), XYRA_QUEUE_LOCK_SECONDS="1")
    served = await Served.by(process)
    base = process.base
    month = datetime.now(UTC).strftime("%Y-%m")
    journal = tmp_path / "journal"
    async with served.clients() as xyra:
        organization = await xyra.organization()
        model = await organization.model(COMMANDS, effective_from=f"{month}-01T00:00:00Z")
        await organization.agent(billing_model_id=model["id"], billing_model_from=f"{month}-01T00:00:00Z")
        environment = environment_of(xyra, organization.key, tmp_path)
        done = asyncio.Event()
        outages = asyncio.create_task(_come_and_go(process, base, random, done))
        for life in range(CLIENT_KILLS + 1):
            client = await asyncio.create_subprocess_exec(
                python, FOLDER / "use_events.py", journal, str(EVENTS), env=environment, stdout=-1, stderr=-1
            )
            if life < CLIENT_KILLS:
                await _until_written(journal, EVENTS * (life + 1) // (CLIENT_KILLS + 2), client)
                client.send_signal(signal.SIGKILL)
            printed, errors = await client.communicate()
        done.set()
        kills = await outages
        assert client.returncode == 0, errors.decode()[-4000:]
        assert printed.decode() == "0 {'waiting': 0, 'dropped': 0, 'refused': 0}\n", errors.decode()[-4000:]
        await xyra.idle()
        expected = sum(map(Decimal, range(EVENTS)), Decimal(0))
        assert await organization.usage(month, "commands") == expected
        assert (await organization.key.get("events/parked"))["data"] == []
    assert kills >= 1
    print(f"{EVENTS} events, the host killed {kills} times, the client {CLIENT_KILLS} times")


async def _until_written(journal: Path, count: int, client: asyncio.subprocess.Process) -> None:
    while not await asyncio.to_thread(_has_lines, journal, count):
        assert client.returncode is None, (await client.communicate())[1].decode()[-4000:]
        await asyncio.sleep(0.01)


def _has_lines(journal: Path, count: int) -> bool:
    return journal.exists() and len(journal.read_text().split()) >= count
