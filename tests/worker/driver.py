"""The platform's own worker, driven in this process: it indexes an app and invokes its functions.

Needs Python 3.13 or later with `azure-functions-runtime`. One app per process: the worker keeps its state in modules.
Reads one JSON document from stdin and writes one to stdout:

    {"app": DIRECTORY, "invocations": [{"function": NAME, "http" | "batch" | "message" | "timer": ...}, ...]}
    {"failure": null | TEXT, "functions": [{"name", "bindings"}, ...], "results": [{"failure", "http", "seconds"}, ...],
     "logs": [{"level", "category", "message", "invocation_id"}, ...]}

`logs` are the lines as they leave the worker for the host, which makes traces of them: a text, without an exception.

What an invocation takes is described at the functions of `protocol.py`.
"""

import asyncio
import json
import logging
import sys
import time
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as worker  # type: ignore[import-not-found]  # only where Python is 3.13
from protocol import MESSAGES, ParameterBinding, TypedData, http_request, queue_batch, queue_message, timer


def _request(**content: Any) -> SimpleNamespace:
    return SimpleNamespace(request=SimpleNamespace(**content), properties={"host": "127.0.0.1", "protos": MESSAGES})


class _LogLines(logging.Handler):
    """As the worker's own handler: it formats a record and adds the invocation that logged it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(
            {
                "level": record.levelname,
                "category": record.name,
                "message": self.format(record),
                "invocation_id": worker.invocation_id_cv.get(),
            }
        )


async def _index(directory: str) -> tuple[str | None, list[Any]]:
    """As at the worker's start: what went wrong, or the functions."""
    init = SimpleNamespace(capabilities={}, function_app_directory=directory)
    answer = await worker.worker_init_request(_request(worker_init_request=init))
    if answer.result.status != MESSAGES.StatusResult.Success:
        return str(answer.result.exception.message), []
    metadata = await worker.functions_metadata_request(_request(functions_metadata_request=None))
    functions = list(metadata.function_metadata_results or [])
    for function in functions:
        load = SimpleNamespace(function_id=function.function_id)
        await worker.function_load_request(_request(function_load_request=load))
    return None, functions


def _trigger(invocation: dict[str, Any], binding: dict[str, Any]) -> tuple[TypedData, dict[str, TypedData]]:
    if "http" in invocation:
        return http_request(invocation["http"]), {}
    if "batch" in invocation:
        return queue_batch(invocation["batch"])
    if "message" in invocation:
        return queue_message(invocation["message"], is_binary=binding.get("dataType") == "BINARY")
    return timer(invocation["timer"]), {}


async def _invoke(function: Any, number: int, invocation: dict[str, Any]) -> dict[str, Any]:
    bindings = [json.loads(binding) for binding in function.raw_bindings]
    binding = next(binding for binding in bindings if binding["type"].endswith("Trigger"))
    value, metadata = _trigger(invocation, binding)
    request = SimpleNamespace(
        invocation_id=f"invocation-{number}",
        function_id=function.function_id,
        input_data=[ParameterBinding(name=binding["name"], data=value)],
        trigger_metadata=metadata,
        trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )
    token = worker.invocation_id_cv.set(request.invocation_id)  # as the process does that the worker runs in
    start = time.perf_counter()
    answer = await worker.invocation_request(_request(invocation_request=request))
    seconds = time.perf_counter() - start
    worker.invocation_id_cv.reset(token)
    if answer.result.status != MESSAGES.StatusResult.Success:
        return {"failure": answer.result.exception.message, "http": None, "seconds": seconds}
    return {"failure": None, "http": _http_answer(answer.return_value), "seconds": seconds}


def _http_answer(value: TypedData | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if value.kind == "string":
        return {"status": 200, "headers": {}, "cookies": [], "body": value.value}
    return {
        "status": int(value.http.status_code),
        "headers": value.http.headers,
        "cookies": [[cookie.name, cookie.value] for cookie in value.http.cookies or []],
        "body": value.http.body.bytes.decode("latin-1"),
    }


async def _run(task: dict[str, Any]) -> dict[str, Any]:
    logs = _LogLines()
    root = logging.getLogger()
    root.addHandler(logs)
    root.setLevel(logging.INFO)
    failure, functions = await _index(task["app"])
    by_name = {function.name: function for function in functions}
    invocations = [] if failure else task["invocations"]
    results = [
        await _invoke(by_name[invocation["function"]], number, invocation)
        for number, invocation in enumerate(invocations)
    ]
    return {
        "failure": failure,
        "functions": [
            {"name": each.name, "bindings": [json.loads(binding) for binding in each.raw_bindings]}
            for each in functions
        ],
        "results": results,
        "logs": logs.lines,
    }


def main() -> None:
    task = json.load(sys.stdin)
    answer_to, sys.stdout = sys.stdout, sys.stderr  # what the app prints must not get into the answer
    sys.path.append(task["app"])  # the app's directory comes last, as on the platform
    worker.start_threadpool_executor()
    try:
        json.dump(asyncio.run(_run(task)), answer_to)
    finally:
        worker.stop_threadpool_executor()


if __name__ == "__main__":
    main()
