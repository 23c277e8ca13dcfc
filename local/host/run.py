"""A host as a process: until SIGINT or SIGTERM, with an exit code."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable

from local.host.errors import StartupError
from local.host.host import Host


async def serve(
    host: Host, port: int, address: str = "127.0.0.1", *, started: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Run until a signal comes; `started` is awaited once requests are answered. A second signal ends at once."""
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
            await _unless(stopping, started())
        await stopping.wait()
    finally:
        await host.stop()


async def _unless(stopping: asyncio.Event, work: Awaitable[None]) -> None:
    """Do the work, but leave off when it is time to stop."""
    working = asyncio.ensure_future(work)
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait((working, told), return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait((working,))
    elif (fault := working.exception()) is not None:
        raise fault


def run(
    make_host: Callable[[], Host],
    port: int,
    address: str = "127.0.0.1",
    *,
    started: Callable[[], Awaitable[None]] | None = None,
) -> int:
    """The exit code: 0 after a signal, 1 with one line on stderr when the host cannot start."""
    try:
        asyncio.run(_make_and_serve(make_host, port, address, started))
    except StartupError as error:
        print(f"The host cannot start: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


async def _make_and_serve(
    make_host: Callable[[], Host], port: int, address: str, started: Callable[[], Awaitable[None]] | None
) -> None:
    await serve(make_host(), port, address, started=started)
