"""64 tasks in 8 processes spend one budget through the SDK; they are killed at random, and the host is, too.

`XYRA_SDK_USES` is how often they act or are refused (2,500; `make sdk-budget` 20,000). By their journals, real spending
never passes the cap, and it is all in what the budget has as spent or held.
"""

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.sdk.running import FOLDER, environment_of, free_port, on_newest_python

USES = int(os.environ.get("XYRA_SDK_USES", "2500"))
CAP = 2 * USES // 3
PROCESSES, TASKS = 8, 8
LONGEST_SECONDS = 240 + USES // 50
KILLS_EVERY = USES // 8
HOST_KILLS_EVERY = USES // 2


class Crowd:
    """The processes that spend."""

    def __init__(self, python: Path, folder: Path, environment: dict[str, str]) -> None:
        self._python = python
        self._environment = environment
        self.journals = folder / "journals"
        self.journals.mkdir()
        self.processes: list[subprocess.Popen[str]] = []
        self._begun = 0

    def begin(self) -> None:
        self._begun += 1
        program = [self._python, FOLDER / "spend_budget.py", self.journals / f"{self._begun}", str(CAP), str(TASKS)]
        self.processes.append(
            subprocess.Popen(program, env=self._environment, stdout=-1, stderr=-1, text=True)  # noqa: S603  ours
        )

    def kill_one(self, random: Random) -> None:
        victim = random.choice(self.processes)
        assert victim.poll() is None, victim.communicate()
        victim.kill()
        victim.communicate()
        self.processes.remove(victim)
        self.begin()

    def written(self) -> Counter[str]:
        lines: Counter[str] = Counter()
        for path in self.journals.iterdir():
            lines.update(path.read_text().split())
        return lines

    def all_have_begun(self) -> bool:
        return self.written()["begins"] == self._begun

    def stop(self) -> None:
        """Who lives leaves the budget, and everything of it arrives."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            printed, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors[-4000:]
            assert "'dropped': 0, 'refused': 0" in printed, (printed, errors[-4000:])


async def _with_credits(xyra: Xyra) -> Organization:
    organization = await xyra.organization()
    grant = {"organization_id": organization.id, "amount": str(10 * USES), "source": "purchase"}
    await xyra.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    return organization


async def _until_used(crowd: Crowd, process: XyraProcess, base: str, random: Random) -> Counter[str]:
    """How often which of them was killed until they have tried often enough, and the cap refuses."""
    kills: Counter[str] = Counter()
    deadline = asyncio.get_running_loop().time() + LONGEST_SECONDS
    while True:
        written = await asyncio.to_thread(crowd.written)
        tried = written["act"] + written["refused"]
        has_begun = await asyncio.to_thread(crowd.all_have_begun)
        if tried >= USES and written["refused"] and has_begun:
            return kills
        assert asyncio.get_running_loop().time() < deadline, written
        if has_begun and tried // HOST_KILLS_EVERY > kills["hosts"]:  # entering out of reach is an error
            process.kill()
            await asyncio.to_thread(process.start_at, base)
            kills["hosts"] += 1
        elif has_begun and tried // KILLS_EVERY > kills["processes"]:
            await asyncio.to_thread(crowd.kill_one, random)
            kills["processes"] += 1
        await asyncio.sleep(0.1)


@on_newest_python
async def test_real_spending_never_passes_the_cap(
    new_process: Callable[..., XyraProcess], python: Path, tmp_path: Path
) -> None:
    process = new_process(present=True, XYRA_PORT=free_port())
    served = await Served.by(process)
    async with served.clients() as xyra:
        organization = await _with_credits(xyra)
        crowd = Crowd(python, tmp_path, environment_of(xyra, organization.key, tmp_path))
        for _ in range(PROCESSES):
            crowd.begin()
        try:
            kills = await _until_used(crowd, process, process.base, Random(USES))
            await asyncio.to_thread(crowd.stop)
        finally:
            for spending in crowd.processes:
                spending.kill()
        written = crowd.written()
        assert written["act"] <= CAP
        assert kills["processes"] >= 3
        assert kills["hosts"] >= 1
        run = await organization.key.get("runs/by-key", key="run-7")
        shown = await organization.key.get(f"budgets/{run['budget']['id']}", ref="run-7")
        spent, held, left = (Decimal(shown[name]) for name in ("spent", "held", "left"))
        assert spent <= written["act"] <= spent + held, "what the dead have not reported is held"
        assert spent + held + left == CAP
        assert shown["unreported"] == "0"
        balance = await organization.key.get("credits/balance")
        assert (Decimal(balance["consumed"]), Decimal(balance["leased"])) == (spent, held)
    print(
        f"{written['act']} of {CAP} spent, {written['refused']} refused, {held} held by the dead; kills: {dict(kills)}"
    )
