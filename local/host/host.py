"""The host: serves HTTP, feeds queue functions and fires timers of one app."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import azure.functions as func
from aiohttp import web

from local.host.administration import Administration
from local.host.bounds import DEFAULT_BOUNDS, UNBOUNDED, BoundedServer, Bounds
from local.host.broker import Broker
from local.host.configuration import AppSettings, HostConfiguration
from local.host.errors import StartupError
from local.host.http_trigger import Bodies, HttpEndpoint
from local.host.indexing import QueueTrigger, TimerTrigger, index
from local.host.invocation import Invoker
from local.host.log_lines_after_end import mark_lines_after_end
from local.host.queue_trigger import QueueListener
from local.host.routes import Router
from local.host.timer_trigger import ScheduleMonitor, Timer, TimerListener

_log = logging.getLogger("local.host")

THREADS = 32
"""At most so many functions that are not coroutines run at once."""


class Host:
    """Runs the functions of one app. Raises `StartupError` for an app, host.json or setting that does not allow it."""

    def __init__(  # noqa: PLR0913  what differs from host to host
        self,
        app: func.FunctionApp,
        *,
        host_json: Path,
        broker: Broker[Any],
        clock: Callable[[], datetime],
        admin_key: str,
        bounds: Bounds = DEFAULT_BOUNDS,
        settings: Mapping[str, str] | None = None,
        grace_seconds: float = 30,
        schedule_status: Path | None = None,
        group: str | None = None,
        restart: Callable[[], None] | None = None,
    ) -> None:
        """`clock` decides when timers are due, `admin_key` who may start functions by hand.

        `grace_seconds` is what invocations get to end when the host stops.

        `schedule_status` is a file that remembers when timers fired, so that what was missed while the host was down
        is made up for; without it nothing is. With `group` only the functions of that group run
        here, behind a `GroupedHost`. `restart` ends this process after a function exceeded its time.
        """
        app_settings = AppSettings(settings)
        configuration = HostConfiguration.read(host_json)
        functions = [each for each in index(app, app_settings) if group in {None, each.group}]
        enabled = [function for function in functions if function.enabled]
        mark_lines_after_end()
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._invoker = Invoker(
            threads=THREADS, timeout_seconds=configuration.function_timeout_seconds, restart=restart
        )
        self._bounds = bounds if group is None else UNBOUNDED
        bodies = Bodies(self._bounds, loses_chunked=app_settings.loses_chunked_bodies)
        self._endpoint = HttpEndpoint(
            Router(functions, configuration.route_prefix), self._invoker, bodies, adds_address=group is None
        )
        self._queues = [
            QueueListener(
                function=function,
                trigger=function.trigger,
                options=configuration.service_bus,
                broker=broker,
                invoker=self._invoker,
            )
            for function in enabled
            if isinstance(function.trigger, QueueTrigger)
        ]
        monitor = ScheduleMonitor(schedule_status)
        self._timers = TimerListener(
            [
                Timer(function, function.trigger, clock(), monitor)
                for function in enabled
                if isinstance(function.trigger, TimerTrigger)
            ],
            clock,
            self._invoker,
        )
        self._administration = Administration(
            functions=functions,
            broker=broker,
            invoker=self._invoker,
            queues=self._queues,
            timers=self._timers,
            clock=clock,
            bodies=bodies,
            key=admin_key,
        )
        self._runner: web.ServerRunner | None = None
        self._listening: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The port that the started host listens on; for 0 the one that was free."""
        if self._runner is None:
            raise RuntimeError("the host has not started")
        return int(self._runner.addresses[0][1])

    async def start(self, port: int, address: str = "127.0.0.1") -> None:
        """Return when the host listens to its port, queues and timers. Raises `StartupError`."""
        server = BoundedServer(self._answer, self._bounds)
        runner = web.ServerRunner(server, shutdown_timeout=self._grace_seconds)
        await runner.setup()
        try:
            await web.TCPSite(runner, address, port).start()
        except OSError as error:
            await runner.cleanup()
            raise StartupError(f"cannot listen on {address}:{port}: {error.strerror}") from error
        self._runner = runner
        listeners = [queue.listen() for queue in self._queues] + [self._timers.listen()]
        self._listening = [asyncio.create_task(listener) for listener in listeners]

    async def stop(self) -> None:
        """Take nothing new, wait for running invocations within the grace time, and close the port."""
        self._timers.stop()
        for queue in self._queues:
            queue.stop()
        closing = [self._runner.cleanup()] if self._runner is not None else []
        await asyncio.gather(*closing, self._finish())
        self._invoker.close()

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(self._grace_seconds):
                await asyncio.gather(*self._listening)
                await asyncio.gather(*(queue.finish() for queue in self._queues), self._timers.finish())
                await self._invoker.finish()
        except TimeoutError:
            _log.warning("invocations did not end within %s s and were cancelled", self._grace_seconds)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.lower().startswith("/admin/"):
            return await self._administration.answer(request)
        return await self._endpoint.answer(request)
