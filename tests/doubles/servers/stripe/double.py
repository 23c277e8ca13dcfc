"""The double: executes requests under their idempotency keys, and keeps what there was."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Literal

from tests.doubles.servers.stripe.account import Mode
from tests.doubles.servers.stripe.description import Operation, description
from tests.doubles.servers.stripe.faults import Faults
from tests.doubles.servers.stripe.forms import typed
from tests.doubles.servers.stripe.idempotency import Keys
from tests.doubles.servers.stripe.refusals import Json, StripeFault, not_served
from tests.doubles.servers.stripe.served import SERVED
from tests.doubles.servers.stripe.sessions import expire_what_is_over
from tests.doubles.servers.stripe.webhooks import Webhooks

SECRET_KEYS = {"sk_test_double": False, "rk_test_double": False, "sk_live_double": True, "rk_live_double": True}
"""The account's keys, with whether they are of live mode."""

Failure = Literal["in place of the effect", "after the effect"]


@dataclass(frozen=True)
class Received:
    operation: Operation
    path: str
    parameters: dict[str, str]
    """Those in the path."""
    form: Json
    key: str | None
    livemode: bool

    @property
    def fingerprint(self) -> str:
        return json.dumps([self.operation.method, self.path, self.form], sort_keys=True)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    is_replay: bool = False


class StripeDouble:
    def __init__(self) -> None:
        self.described = description()
        self._offset = 0.0
        self.modes = {livemode: Mode(self.described, livemode=livemode, now=self.now) for livemode in (False, True)}
        self.keys = {False: Keys(), True: Keys()}
        self.webhooks = {livemode: Webhooks(mode.objects["webhook_endpoint"]) for livemode, mode in self.modes.items()}
        for livemode, mode in self.modes.items():
            mode.on_event = self.webhooks[livemode].on_event
        self.faults = Faults()
        self.late: list[Received] = []
        """What was sent, whose connection broke, and which has not been executed yet."""
        self.requests: list[tuple[str, str | None, int]] = []
        """Operation, key and status of each, in the order of their ends."""
        self.broken: list[str] = []
        """What the double itself did wrong. Tests want it empty."""

    def now(self) -> int:
        return int(time.time() + self._offset)

    def set_now(self, now: float) -> None:
        self._offset = now - time.time()

    async def land(self) -> list[Answer]:
        """Let the late requests be executed, whose senders have given up on them."""
        landing, self.late = self.late, []
        return [await self.execute(each) for each in landing]

    async def execute(self, request: Received, *, pause: float = 0.0, failure: Failure | None = None) -> Answer:
        """`pause` is spent holding the key. With a failure the answer is 500, and kept under the key."""
        answer = await self._answer(request, pause, failure)
        self.requests.append((request.operation.name, request.key, answer.status))
        return answer

    async def _answer(self, request: Received, pause: float, failure: Failure | None) -> Answer:
        keys, key = self.keys[request.livemode], request.key if request.operation.method == "post" else None
        try:
            saved = keys.answer(key, request.fingerprint, self.now()) if key else None
            if saved is not None:
                return Answer(saved.status, saved.body, is_replay=True)
            form = self._form(request)
        except StripeFault as fault:
            return encoded(fault.status, fault.body())
        if key:
            keys.held.add(key)
        try:
            await asyncio.sleep(pause)
            answer, is_saved = self._executed(request, form, failure)
        finally:
            keys.held.discard(key or "")
        if key and is_saved:
            keys.save(key, request.fingerprint, self.now(), answer.status, answer.body)
        return answer

    def _form(self, request: Received) -> Json:
        served = SERVED.get(request.operation.name)
        if served is None:
            raise not_served(request.operation.name)
        form = typed(request.operation.form, request.form)
        if ignored := sorted(set(form) - served.parameters - {"expand"}):
            raise not_served(f"{ignored} of {request.operation.name}")
        return form

    def _executed(self, request: Received, form: Json, failure: Failure | None) -> tuple[Answer, bool]:
        """The answer, and whether it is kept under the key."""
        if failure == "in place of the effect":
            return _FAILED, True
        mode = self.modes[request.livemode]
        expire_what_is_over(mode)
        try:
            made = SERVED[request.operation.name].handler(mode, form, **request.parameters)
        except StripeFault as fault:
            return (_FAILED, True) if failure else (encoded(fault.status, fault.body()), fault.is_saved)
        except Exception as error:  # noqa: BLE001  whatever it is, the test hears of it
            self.broken.append(f"{request.operation.name}: {error!r}")
            return encoded(501, not_served("this").body()), False
        self._check(request, made)
        if failure is not None:
            return _FAILED, True
        return encoded(200, mode.answered(made, form) if request.operation.method == "post" else made), True

    def _check(self, request: Received, made: Json) -> None:
        """Hold an answer to the description."""
        for each in made["data"] if made["object"] in {"list", "search_result"} else [made]:
            name = "deleted_customer" if each.get("deleted") else each["object"]
            if problem := self.described.problem(name, each):
                self.broken.append(f"{request.operation.name}: {problem}")


def encoded(status: int, body: Json) -> Answer:
    return Answer(status, json.dumps(body, indent=2).encode())


_FAILED = encoded(500, {"error": {"type": "api_error", "message": "An unknown error occurred"}})
