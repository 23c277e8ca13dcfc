"""A process that runs one function group, started again whenever it ends."""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from local.host.errors import StartupError

_log = logging.getLogger("local.host")

START_SECONDS = 60.0
RESTART_PAUSE_SECONDS = 0.2


class GroupProcess:
    """Seen from the process that serves the port."""

    def __init__(self, group: str, command: Callable[[str], Sequence[str]]) -> None:
        """`command` starts the group.

        It ends when its standard input does, and first prints its port in a line.
        """
        self.group = group
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._base = ""
        self._serving = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Return when it serves. Raises `StartupError`."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep_running())

    async def base(self) -> str:
        """Where it answers, once it serves again after it was restarted."""
        await self._serving.wait()
        return self._base

    async def stop(self, seconds: float) -> None:
        """Let it end by itself within so many seconds."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _spawn(self) -> None:
        # Not of this session: an interrupt from the terminal is for the process that serves the port.
        process = await asyncio.create_subprocess_exec(
            *self._command(self.group),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        self._process = process
        assert process.stdout is not None  # noqa: S101  it was asked for
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line.strip().isdigit():
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise StartupError(f"the process of the function group {self.group} does not start")
        self._base = f"http://127.0.0.1:{int(line)}"
        self._serving.set()

    async def _keep_running(self) -> None:
        while True:
            if self._process is not None:
                code = await self._process.wait()
                self._serving.clear()
                _log.error("the process of the function group %s ended with %s and is restarted", self.group, code)
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
            with suppress(StartupError):  # tried again
                await self._spawn()


def report_port(port: int) -> None:
    """Tell the process that serves, seen from the group's own process."""
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def end_with_standard_input() -> None:
    """End this process when the one that started it is gone, however that ended."""

    def watch() -> None:
        while os.read(0, 1024):  # not by `sys.stdin`, whose lock would be held when the interpreter ends
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def end_now() -> None:
    """As the platform ends a worker whose function took too long: nothing is finished or given back."""
    os.kill(os.getpid(), signal.SIGKILL)
