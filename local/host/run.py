"""Runs a host as a process, until SIGINT or SIGTERM."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

from local.host.errors import StartupError
from local.host.stopping import unless


class Servable(Protocol):
    """A `Host` or a `GroupedHost`."""

    async def start(self, port: int, address: str = ...) -> None: ...
    async def stop(self) -> None: ...


async def serve(
    host: Servable, port: int, address: str = "127.0.0.1", *, started: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run until a signal comes; a second signal ends the process at once.

    `started` is awaited when requests are answered.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        stopping.set()
        for each in signals:
            loop.remove_signal_handler(each)

    await host.start(port, address)
    for each in signals:
        loop.add_signal_handler(each, stop)
    try:
        if started is not None:
            await unless(stopping, started())
        await stopping.wait()
    finally:
        await host.stop()


def run(
    make_host: Callable[[], Servable],
    port: int,
    address: str = "127.0.0.1",
    *,
    started: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """Run the host and return the exit code: 0 after a signal, 1 where it cannot start, with a line on stderr."""
    try:
        asyncio.run(_make_and_serve(make_host, port, address, started))
    except StartupError as error:
        print(f"The host cannot start: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


async def _make_and_serve(
    make_host: Callable[[], Servable], port: int, address: str, started: Callable[[], Awaitable[None]] | None
) -> None:
    await serve(make_host(), port, address, started=started)
