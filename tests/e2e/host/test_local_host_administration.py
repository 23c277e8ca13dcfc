# ruff: noqa: ARG001  the platform passes what triggered a function by name, used or not
import asyncio
import typing
from pathlib import Path

import azure.functions as func
import pytest

from tests.doubles.clients.running_host import BY_HAND, SAFE_HEADERS, Options, hosted, problem_of, until
from tests.doubles.fakes.memory_broker import MemoryBroker, Message, QueueCounts, Session

Messages = typing.List[func.ServiceBusMessage]  # noqa: UP006  the platform's worker rejects list[...]


def relay_app(hops: int, arrived: list[bytes], broker: MemoryBroker) -> func.FunctionApp:
    """Each queue passes on to the one before it.

    A timer or a request begins with the last.
    """
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    def hop(number: int) -> None:
        @app.function_name(f"take{number}")
        @app.service_bus_queue_trigger(
            arg_name="messages",
            queue_name=f"hop{number}",
            connection="ServiceBus",
            is_sessions_enabled=True,
            cardinality=func.Cardinality.MANY,
        )
        async def take(messages: Messages) -> None:
            body = messages[0].get_body()
            await asyncio.sleep(0)
            if number > 0:
                await broker.send(f"hop{number - 1}", [Message(body)])
            else:
                arrived.append(body)

    for number in range(hops):
        hop(number)

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    async def begin(timer: func.TimerRequest) -> None:
        await broker.send(f"hop{hops - 1}", [Message(b"timer")])

    @app.route(route="begin", methods=["POST"])
    async def begin_by_http(req: func.HttpRequest) -> func.HttpResponse:
        await broker.send(f"hop{hops - 1}", [Message(req.get_body())])
        return func.HttpResponse(status_code=202)

    return app


@pytest.mark.parametrize("round_", range(4))
async def test_nothing_on_its_way_ever_looks_idle(round_: int, tmp_path: Path) -> None:
    arrived: list[bytes] = []
    broker = MemoryBroker()
    app = relay_app(6, arrived, broker)
    async with hosted(app, tmp_path, broker=broker) as running:
        for number in range(25):
            before = len(arrived)
            if number % 2:
                await (await running.client.post("/begin", data=b"%d" % round_)).release()
            else:
                assert (
                    await running.client.post("/admin/functions/begin", json={"input": ""}, headers=BY_HAND)
                ).status == 202
            await running.idle()
            assert len(arrived) == before + 1


async def test_a_message_that_moves_to_a_queue_counted_before_does_not_look_idle(tmp_path: Path) -> None:
    app = func.FunctionApp()
    arrived, release, gate = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class MovingWhileCounted(MemoryBroker):
        async def accept(self, queue: str, *, wait_seconds: float) -> Session | None:
            if queue == "second":
                await gate.wait()
            return await super().accept(queue, wait_seconds=wait_seconds)

        async def counts(self, queue: str) -> QueueCounts:
            if queue == "second":
                gate.set()
                await arrived.wait()
            return await super().counts(queue)

    @app.service_bus_queue_trigger(arg_name="message", queue_name="first", connection="ServiceBus")
    async def end(message: func.ServiceBusMessage) -> None:
        arrived.set()
        await release.wait()

    @app.service_bus_queue_trigger(arg_name="message", queue_name="second", connection="ServiceBus")
    async def pass_on(message: func.ServiceBusMessage) -> None:
        await broker.send("first", [Message(message.get_body())])

    broker = MovingWhileCounted()
    await broker.send("second", [Message(b"")])
    async with hosted(app, tmp_path, broker=broker) as running:
        status = await running.status()
        assert (status["queues"]["first"]["locked"], status["running"]) == (1, 1)
        release.set()
        await running.idle()


async def test_the_status_says_what_is_being_worked_on(tmp_path: Path) -> None:
    began, release = asyncio.Event(), asyncio.Event()
    app = func.FunctionApp()

    @app.service_bus_queue_trigger(
        arg_name="messages",
        queue_name="work",
        connection="ServiceBus",
        is_sessions_enabled=True,
        cardinality=func.Cardinality.MANY,
    )
    async def work(messages: Messages) -> None:
        began.set()
        await release.wait()

    async with hosted(app, tmp_path, Options({"maxMessageBatchSize": 2})) as running:
        assert (await running.status())["state"] == "Running"
        await running.broker.send("work", [Message(b"1"), Message(b"2"), Message(b"3")])
        await began.wait()
        status = await running.status()
        assert status["queues"] == {"work": {"active": 1, "locked": 2, "dead_letter": 0}}
        assert status["invocations"] == {"work": 1}
        assert (status["queued"], status["running"], status["overdue"], status["dead_letter"]) == (3, 1, 0, 0)
        release.set()
        status = await running.idle()
        assert status["invocations"] == {}


async def test_http_requests_do_not_count_as_running(tmp_path: Path) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    release = asyncio.Event()
    began = asyncio.Event()

    @app.route(route="slow")
    async def slow(req: func.HttpRequest) -> func.HttpResponse:
        began.set()
        await release.wait()
        return func.HttpResponse("done")

    async with hosted(app, tmp_path) as running:
        answer = asyncio.create_task(running.client.get("/slow").__aenter__())
        await began.wait()
        assert (await running.status())["running"] == 0
        release.set()
        assert (await answer).status == 200


async def test_a_function_can_be_started_by_hand_even_when_disabled(tmp_path: Path) -> None:
    app = func.FunctionApp()
    seen: list[object] = []

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    async def tick(timer: func.TimerRequest) -> None:
        seen.append(timer.past_due)

    @app.service_bus_queue_trigger(
        arg_name="messages", queue_name="many", connection="ServiceBus", cardinality=func.Cardinality.MANY
    )
    async def many(messages: Messages) -> None:
        seen.append([message.get_body() for message in messages])

    @app.service_bus_queue_trigger(arg_name="message", queue_name="one", connection="ServiceBus")
    async def one(message: func.ServiceBusMessage) -> None:
        seen.append(message.get_body())

    options = Options(settings={"AzureWebJobs.tick.Disabled": "true"})
    async with hosted(app, tmp_path, options) as running:
        for name in ("tick", "MANY", "one"):
            async with running.client.post(
                f"/admin/functions/{name}", json={"input": "hällo"}, headers=BY_HAND
            ) as response:
                assert (response.status, await response.read()) == (202, b"")
            await running.idle()
    assert seen == [False, ["hällo".encode()], "hällo".encode()]


async def test_a_start_by_hand_is_answered_at_once_and_counts_until_it_ends(tmp_path: Path) -> None:
    app = func.FunctionApp()
    release = asyncio.Event()
    ended: list[bool] = []

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    async def tick(timer: func.TimerRequest) -> None:
        await release.wait()
        ended.append(True)

    async with hosted(app, tmp_path) as running:
        async with running.client.post("/admin/functions/tick", headers=BY_HAND) as response:
            assert response.status == 202
        assert (await running.status())["invocations"] == {"tick": 1}
        release.set()
        await running.idle()
        assert ended == [True]


async def test_a_failure_of_what_was_started_by_hand_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = func.FunctionApp()

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    async def tick(timer: func.TimerRequest) -> None:
        raise RuntimeError("on purpose")

    async with hosted(app, tmp_path) as running:
        await running.client.post("/admin/functions/tick", json={}, headers=BY_HAND)
        await until(lambda: "function tick failed" in caplog.text)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/admin/functions/nobody", "{}", 404),
        ("POST", "/admin/functions/page", "{}", 404),
        ("GET", "/admin/functions/tick", "", 405),
        ("POST", "/admin/functions/tick", "{", 400),
        ("POST", "/admin/functions/tick", '{"input": 7}', 400),
        ("POST", "/admin/functions/tick", "[]", 400),
        ("POST", "/admin/host/status", "", 405),
        ("GET", "/admin/other", "", 404),
    ],
)
async def test_what_cannot_be_started_is_refused(
    method: str, path: str, body: str, status: int, tmp_path: Path
) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    ran: list[bool] = []

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    async def tick(timer: func.TimerRequest) -> None:
        ran.append(True)

    @app.route(route="page")
    async def page(req: func.HttpRequest) -> func.HttpResponse:
        ran.append(True)
        return func.HttpResponse("page")

    async with hosted(app, tmp_path) as running:
        async with running.client.request(method, path, data=body.encode(), headers=BY_HAND) as response:
            assert (await problem_of(response))["status"] == status
        await running.idle()
    assert ran == []


def timer_app(ran: list[bool]) -> func.FunctionApp:
    app = func.FunctionApp()

    @app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
    async def tick(timer: func.TimerRequest) -> None:
        ran.append(True)

    return app


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"x-functions-key": "another"}, 401),
        ({"x-functions-key": "schlüssel"}, 401),
        (BY_HAND | {"Origin": "https://example.com"}, 403),
        (BY_HAND | {"Origin": "null"}, 403),
        (BY_HAND | {"Host": "example.com"}, 403),
        (BY_HAND | {"Host": "localhost.example.com:7071"}, 403),
        (BY_HAND | {"Host": "127.0.0.1.example.com"}, 403),
        (BY_HAND | {"Host": "10.0.0.1"}, 403),
        (BY_HAND | {"Host": "localhost:7071"}, 202),
        (BY_HAND | {"Host": "[::1]:7071"}, 202),
        (BY_HAND | {"Host": "127.0.0.1"}, 202),
    ],
)
async def test_only_who_has_the_key_and_is_no_web_page_starts_a_function(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    ran: list[bool] = []
    async with hosted(timer_app(ran), tmp_path) as running:
        # As a page can send it without asking the host first.
        sent = {"Content-Type": "text/plain", **headers}
        async with running.client.post("/admin/functions/tick", data=b"{}", headers=sent) as response:
            assert response.status == status
            assert {name: response.headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS
        await running.idle()
    assert ran == [True] * (status == 202)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 200), ({"Host": "localhost"}, 200), ({"Host": "example.com"}, 403), ({"Origin": "http://localhost"}, 403)],
)
async def test_the_status_needs_no_key_and_no_web_page_reads_it(
    headers: dict[str, str], status: int, tmp_path: Path
) -> None:
    async with (
        hosted(timer_app([]), tmp_path) as running,
        running.client.get("/admin/host/status", headers=headers) as response,
    ):
        assert response.status == status
