"""The local host as a process, for measuring."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

OPERATOR = ("bench@xyra.localhost", "only for measuring on this machine")
_USER_TIME, _SYSTEM_TIME = 11, 12
"""Among the fields of /proc/{pid}/stat that follow the name."""
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class Server:
    def __init__(
        self,
        data_dir: Path,
        *,
        metering: bool,
        settings: Mapping[str, str] | None = None,
        log_level: str = "WARNING",
        module: str = "local",
    ) -> None:
        """`settings` are environment variables beside those of the default. `module` is what serves."""
        self._module = module
        self.log = data_dir / "data" / "log.jsonl"
        self._environment = {
            **os.environ,
            "XYRA_PORT": "0",
            "XYRA_DEMO": "0",
            "XYRA_DATA_DIR": str(data_dir / "data"),
            "XYRA_OPERATOR_EMAIL": OPERATOR[0],
            "XYRA_OPERATOR_PASSWORD": OPERATOR[1],
            "XYRA_LOG_LEVEL": log_level,
            "AzureWebJobs.rate_usage.Disabled": "false" if metering else "true",
            **(settings or {}),
        }
        self.base = ""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self._module, env=self._environment, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None  # noqa: S101  it was asked for
        async for line in self._process.stdout:
            if found := _ADDRESS.search(line.decode()):
                self.base = found[0]
                break
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(f"{self.base}/health/ready") as response:
                    if response.status == 200:  # noqa: PLR2004  ready
                        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        await self._process.wait()

    def processor_seconds(self) -> float:
        """That the host has used so far, on all processors."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME])) / os.sysconf("SC_CLK_TCK")

    def peak_memory_mb(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]  # always there

    def forget_peak_memory(self) -> None:
        """Let the peak begin anew with what is resident now."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
