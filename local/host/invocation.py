"""Runs functions: coroutines in the event loop, others in threads; none longer than `functionTimeout`."""

import asyncio
import contextvars
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from typing import Any
from uuid import uuid4

from local.host.indexing import Function
from local.host.log_lines_after_end import RunningInvocation
from shared.deadlines import Deadlines, current_task

_log = logging.getLogger("local.host")
_thread_local_storage = threading.local()


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace context (https://www.w3.org/TR/trace-context/) as the caller sent it."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryContext:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


@dataclass(frozen=True, slots=True)
class InvocationContext:
    """The argument for a parameter `context`, with the attributes of `azure.functions.Context`."""

    function_name: str
    function_directory: str
    trace_context: TraceContext
    invocation_id: str = field(default_factory=lambda: str(uuid4()))
    retry_context: RetryContext = field(default_factory=RetryContext)

    @property
    def thread_local_storage(self) -> threading.local:
        return _thread_local_storage


class InvocationResult(Enum):
    SUCCEEDED = auto()
    FAILED = auto()
    LOST = auto()
    """Its worker was restarted: nobody knows how far it came."""


class WorkerRestartedError(Exception):
    """The invocation was ended with its process.

    The invocation itself, or another one of the process, ran longer than `functionTimeout`.
    """


class InvocationError(Exception):
    """A function without a return binding returned something."""


@dataclass(eq=False, slots=True)
class _RunningCall:
    task: asyncio.Task[Any]
    ended_by_restart: bool = False


class Invoker:
    """Starts invocations and counts those that run.

    As on the platform, an invocation that exceeds its time takes the whole worker down: all running ones end with it.
    """

    def __init__(self, *, threads: int, timeout_seconds: float, restart: Callable[[], None] | None = None) -> None:
        """`restart` ends this process, where another one starts it again.

        Without it all invocations are cancelled.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._timeout_seconds = timeout_seconds
        self._deadlines = Deadlines(timeout_seconds)
        self._restart = restart or self._cancel_all
        self._calls: set[_RunningCall] = set()
        self._running: Counter[str] = Counter()
        self._runs: set[asyncio.Task[InvocationResult]] = set()
        self.changes = 0
        """Grows with every start and end of an invocation, HTTP aside."""

    @property
    def running(self) -> dict[str, int]:
        """Running invocations by function, HTTP aside."""
        return {name: count for name, count in self._running.items() if count}

    async def invoke(self, function: Function, argument: object, trace: TraceContext | None = None) -> Any:  # noqa: ANN401  any function's result
        """Run a function in the current task and return its result.

        Raises whatever the function raises, and `WorkerRestartedError`.
        """
        call = _RunningCall(current_task())
        self._calls.add(call)
        deadline = self._deadlines.begin(partial(self._exceeded, function))
        try:
            return await self._call(function, argument, trace)
        except asyncio.CancelledError:
            if not call.ended_by_restart or call.task.uncancel() > 0:  # the caller ended it
                raise
            raise WorkerRestartedError from None
        finally:
            self._deadlines.end(deadline)
            self._calls.discard(call)

    async def _call(self, function: Function, argument: object, trace: TraceContext | None) -> Any:  # noqa: ANN401  see above
        arguments: dict[str, Any] = {function.argument: argument}
        if function.takes_context:
            arguments["context"] = InvocationContext(function.name, function.directory, trace or TraceContext())
        with RunningInvocation():
            if function.is_async:
                result = await function.call(**arguments)
            else:
                context = contextvars.copy_context()
                loop = asyncio.get_running_loop()
                result = await loop.run_in_executor(self._threads, lambda: context.run(function.call, **arguments))
        if result is not None and not function.returns:
            raise InvocationError(f"{function.name} has no return binding and returned {type(result).__name__}")
        return result

    def start(self, function: Function, argument: object) -> asyncio.Task[InvocationResult]:
        """Begin an invocation, which counts as running from now on."""
        self._running[function.name] += 1
        self.changes += 1
        run = asyncio.create_task(self._result(function, argument))
        self._runs.add(run)

        def ended(_: asyncio.Task[InvocationResult]) -> None:
            self._runs.discard(run)
            self._running[function.name] -= 1
            self.changes += 1

        run.add_done_callback(ended)
        return run

    async def finish(self) -> None:
        """Wait for all invocations begun by `start`; cancelling the wait cancels them."""
        await asyncio.gather(*self._runs)

    def close(self) -> None:
        """Begin nothing more. Threads that still run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _exceeded(self, function: Function) -> None:
        _log.error("function %s ran longer than %s s; its worker is restarted", function.name, self._timeout_seconds)
        self._restart()

    def _cancel_all(self) -> None:
        for call in self._calls:
            if not call.ended_by_restart:
                call.ended_by_restart = True
                call.task.cancel()

    async def _result(self, function: Function, argument: object) -> InvocationResult:
        try:
            await self.invoke(function, argument)
        except WorkerRestartedError:
            _log.error("function %s was ended with its worker", function.name)
            return InvocationResult.LOST
        except Exception:  # noqa: BLE001  whatever a function raises counts as its failure
            _log.exception("function %s failed", function.name)
            return InvocationResult.FAILED
        return InvocationResult.SUCCEEDED
