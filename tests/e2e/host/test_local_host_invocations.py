# ruff: noqa: ARG001  the platform passes what triggered a function by name, used or not
"""The platform ends all running invocations when one takes too long.

It drops what is logged after them.
"""

import asyncio
import logging
from pathlib import Path

import azure.functions as func
import pytest

from local.host import StartupError
from local.host.log_lines_after_end import MARK
from tests.doubles.clients.running_host import Options, hosted, problem_of, until
from tests.doubles.fakes.memory_broker import MemoryBroker, Message

SHORT = Options(function_timeout="00:00:00.3")


def forever_app(began: asyncio.Event, ended: list[str]) -> func.FunctionApp:
    """A queue function and a page that never end by themselves."""
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    async def never(what: str) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(what)

    @app.service_bus_queue_trigger(
        arg_name="message", queue_name="work", connection="ServiceBus", is_sessions_enabled=True
    )
    async def work(message: func.ServiceBusMessage) -> None:
        if message.delivery_count == 1:
            await never("work")

    @app.route(route="page")
    async def page(req: func.HttpRequest) -> func.HttpResponse:
        await never("page")
        return func.HttpResponse("unreachable")

    return app


class TestFunctionTimeout:
    async def test_all_running_invocations_end_and_their_locks_run_out(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        began, ended = asyncio.Event(), list[str]()
        broker = MemoryBroker(lock_seconds=1)
        async with hosted(forever_app(began, ended), tmp_path, SHORT, broker=broker) as running:
            asked = asyncio.create_task(running.client.get("/page"))
            await began.wait()
            await broker.send("work", [Message(b"1")])
            async with await asked as response:
                assert (await problem_of(response))["status"] == 500
            await until(lambda: sorted(ended) == ["page", "work"])
            assert broker.settlements == []
            assert broker.is_locked("work", "session")
            await running.idle()  # it came again when its lock had run out
        assert broker.settlements == [([b"1"], [])]
        assert "function page ran longer than 0.3 s; its worker is restarted" in caplog.text
        assert "function work was ended with its worker" in caplog.text

    async def test_a_host_in_a_process_of_its_own_ends_it(self, tmp_path: Path) -> None:
        restarts: list[bool] = []
        began, ended = asyncio.Event(), list[str]()
        options = Options(function_timeout="00:00:00.1", grace_seconds=0.1, restart=lambda: restarts.append(True))
        async with hosted(forever_app(began, ended), tmp_path, options) as running:
            await running.broker.send("work", [Message(b"1")])
            await until(lambda: restarts)
            assert ended == []

    async def test_a_time_that_the_platform_cannot_read_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StartupError, match="functionTimeout must be a time span"):
            async with hosted(forever_app(asyncio.Event(), []), tmp_path, Options(function_timeout="soon")):
                pass


async def test_a_line_logged_after_its_invocation_ended_is_marked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    log = logging.getLogger("app")
    answered = asyncio.Event()
    left_behind: list[asyncio.Task[None]] = []

    async def later() -> None:
        await answered.wait()
        log.warning("late")

    @app.route(route="page")
    async def page(req: func.HttpRequest) -> func.HttpResponse:
        log.warning("in time")
        left_behind.append(asyncio.create_task(later()))
        return func.HttpResponse("page")

    async with hosted(app, tmp_path) as running:
        await (await running.client.get("/page")).read()
        answered.set()
        await asyncio.gather(*left_behind)
        log.warning("outside")
    marks = {record.message: getattr(record, MARK, False) for record in caplog.records if record.name == "app"}
    assert marks == {"in time": False, "late": True, "outside": False}
