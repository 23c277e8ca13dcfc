"""`/admin`: starts functions by hand, and shows what the host is doing."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import web

from local.host.activity import Activity
from local.host.admin_guard import READ, refusal
from local.host.broker import DEAD_LETTER_SUFFIX, Broker
from local.host.http_trigger import Bodies
from local.host.indexing import Function, HttpTrigger, QueueTrigger
from local.host.invocation import Invoker
from local.host.problems import SAFE_HEADERS, problem
from local.host.queue_trigger import QueueListener
from local.host.service_bus_message import message_by_hand
from local.host.timer_trigger import TimerListener, timer_request


class Administration:
    def __init__(  # noqa: PLR0913  one of each part
        self,
        *,
        functions: Sequence[Function],
        broker: Broker[Any],
        invoker: Invoker,
        queues: Sequence[QueueListener],
        timers: TimerListener,
        clock: Callable[[], datetime],
        bodies: Bodies,
        key: str,
    ) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._broker = broker
        self._invoker = invoker
        self._queues = queues
        self._timers = timers
        self._clock = clock
        self._bodies = bodies
        self._key = key

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer a request below `/admin`."""
        refused = refusal(request, self._key)
        if refused is not None:
            return refused
        match request.path.strip("/").split("/"):
            case ["admin", "host", "status"]:
                if request.method not in READ:
                    return problem(405, "The status is only read", {"Allow": "GET, HEAD"})
                return web.json_response((await self.activity()).status(), headers=SAFE_HEADERS)
            case ["admin", "functions", name]:
                if request.method != "POST":
                    return problem(405, "A function is started by POST", {"Allow": "POST"})
                return await self._bodies.answer(request, partial(self._start, name))
            case _:
                return problem(404, "There is no such path below /admin")

    async def activity(self) -> Activity:
        """Count until nothing changed meanwhile: queues are counted in turn, and a message may move on to another."""
        while True:
            before = self._changes()
            activity = await self._read()
            if not activity.idle or activity.changes == before:
                return activity

    async def _start(self, name: str, body: bytes) -> web.Response:
        function = self._functions.get(name.lower())
        if function is None or isinstance(function.trigger, HttpTrigger):
            return problem(404, "There is no such function that is started by hand")
        try:
            text = _input(body)
        except ValueError as error:
            return problem(400, f"{error}")
        self._invoker.start(function, self._argument(function, text))
        return web.Response(status=202, headers=SAFE_HEADERS)

    def _argument(self, function: Function, text: str) -> object:
        if not isinstance(function.trigger, QueueTrigger):
            return timer_request(past_due=False)
        message = message_by_hand(text, self._clock())
        return [message] if function.trigger.batched else message

    def _changes(self) -> int:
        return self._invoker.changes + sum(listener.changes for listener in self._queues)

    async def _read(self) -> Activity:
        now = self._clock()
        timers = {
            timer.function.name: {"overdue": timer.observe(now), "next": timer.next_at.isoformat()}
            for timer in self._timers.timers
        }
        invocations = self._invoker.running
        queues = {}
        for queue in dict.fromkeys(listener.queue for listener in self._queues):
            counts = await self._broker.counts(queue)
            queues[queue] = {"active": counts.active, "locked": counts.locked, "dead_letter": counts.dead_letter}
        dead_letters = {}
        for queue in {name.removesuffix(DEAD_LETTER_SUFFIX) for name in queues}:
            dead_letters[queue] = (await self._broker.counts(queue)).dead_letter
        return Activity(queues, dead_letters, invocations, timers, self._changes())


def _input(body: bytes) -> str:
    """The input of `{"input": "..."}`, or of an empty body. Raises `ValueError` for anything else."""
    document = json.loads(body) if body else {}
    text = (document.get("input") or "") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise ValueError('the body must be {"input": "..."}')  # noqa: TRY004  the request is at fault, not the program
    return text
