"""Runs functions: coroutines in the event loop, others in threads."""

import asyncio
import contextvars
import logging
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from local.host.indexing import Function

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


class InvocationError(Exception):
    """A function without a return binding returned something."""


class Invoker:
    def __init__(self, *, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._running: Counter[str] = Counter()
        self._runs: set[asyncio.Task[bool]] = set()
        self.changes = 0
        """Grows with every start and end of an invocation, HTTP aside."""

    @property
    def running(self) -> dict[str, int]:
        """Running invocations by function, HTTP aside."""
        return {name: count for name, count in self._running.items() if count}

    async def invoke(self, function: Function, argument: object, trace: TraceContext | None = None) -> Any:  # noqa: ANN401  any function's result
        """Run a function and return its result. Raises whatever the function raises."""
        arguments: dict[str, Any] = {function.argument: argument}
        if function.takes_context:
            arguments["context"] = InvocationContext(function.name, function.directory, trace or TraceContext())
        if function.is_async:
            result = await function.call(**arguments)
        else:
            context = contextvars.copy_context()
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, lambda: context.run(function.call, **arguments))
        if result is not None and not function.returns:
            raise InvocationError(f"{function.name} has no return binding and returned {type(result).__name__}")
        return result

    def start(self, function: Function, argument: object) -> asyncio.Task[bool]:
        """Begin an invocation, which counts as running from now on. The task's result is whether it succeeded."""
        self._running[function.name] += 1
        self.changes += 1
        run = asyncio.create_task(self._succeeds(function, argument))
        self._runs.add(run)

        def ended(_: asyncio.Task[bool]) -> None:
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

    async def _succeeds(self, function: Function, argument: object) -> bool:
        try:
            await self.invoke(function, argument)
        except Exception:  # noqa: BLE001  whatever a function raises counts as its failure
            _log.exception("function %s failed", function.name)
            return False
        return True
