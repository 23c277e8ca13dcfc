"""Reads the functions of an app from its decorators, as the platform does."""

import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from local.host.configuration import AppSettings
from local.host.errors import StartupError

HTTP_GROUP = "http"


@dataclass(frozen=True, slots=True)
class HttpTrigger:
    route: str
    methods: tuple[str, ...]
    """Empty: every method."""


@dataclass(frozen=True, slots=True)
class QueueTrigger:
    queue: str
    batched: bool
    """Cardinality `many`: the function takes a list."""
    sessions: bool


@dataclass(frozen=True, slots=True)
class TimerTrigger:
    schedule: str
    run_on_startup: bool
    use_monitor: bool


Trigger = HttpTrigger | QueueTrigger | TimerTrigger


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    call: Callable[..., Any]
    trigger: Trigger
    argument: str
    """The parameter that takes the request, message or timer."""
    takes_context: bool
    is_async: bool
    returns: bool
    """It has a `$return` binding; any other function must return None."""
    directory: str
    enabled: bool

    @property
    def group(self) -> str:
        """What scales together: HTTP functions do, every other function does by itself."""
        return HTTP_GROUP if isinstance(self.trigger, HttpTrigger) else self.name


def index(app: func.FunctionApp, settings: AppSettings) -> list[Function]:
    """All functions of the app, once for each app. Raises `StartupError` where the platform would refuse it."""
    try:
        declared = app.get_functions()
    except ValueError as error:
        raise StartupError(f"the app cannot be indexed: {error}") from error
    functions = [_function(each, settings) for each in declared]
    if not functions:
        raise StartupError("the app has no functions")
    return functions


def _function(declared: Any, settings: AppSettings) -> Function:  # noqa: ANN401  the library has no public type for it
    name = str(declared.get_function_name())
    call: Callable[..., Any] = declared.get_user_function()
    bindings: list[dict[str, Any]] = [json.loads(binding) for binding in declared.get_raw_bindings()]
    try:
        argument = _trigger_binding(bindings)["name"]
        takes_context = _check_parameters(call, argument, bindings)
        trigger = _trigger(_trigger_binding(bindings), settings)
    except StartupError as error:
        raise StartupError(f"function {name}: {error}") from error
    return Function(
        name=name,
        call=call,
        trigger=trigger,
        argument=argument,
        takes_context=takes_context,
        is_async=inspect.iscoroutinefunction(call),
        returns=any(binding["name"] == "$return" for binding in bindings),
        directory=str(inspect.getfile(inspect.unwrap(call)).rpartition("/")[0]),
        enabled=not settings.disables(name),
    )


def _trigger_binding(bindings: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return next(binding for binding in bindings if binding["type"].lower().endswith("trigger"))


def _check_parameters(call: Callable[..., Any], argument: str, bindings: Iterable[dict[str, Any]]) -> bool:
    """True where one of the parameters is the context.

    Raises `StartupError` for parameters that the worker refuses.
    """
    unsupported = [binding["name"] for binding in bindings if binding["name"] not in {argument, "$return"}]
    if unsupported:
        raise StartupError(f"only a trigger and a return value can be bound here, not {', '.join(unsupported)}")
    parameters = set(inspect.signature(call).parameters)
    if argument not in parameters:
        raise StartupError(f"the trigger binds {argument}, which is not a parameter")
    unbound = parameters - {argument, "context"}
    if unbound:
        raise StartupError(f"nothing binds the parameter {', '.join(sorted(unbound))}")
    try:
        annotation = typing.get_type_hints(call).get(argument)
    except NameError as error:
        raise StartupError(f"an annotation cannot be resolved: {error}") from error
    if isinstance(annotation, types.GenericAlias):
        raise StartupError(f"the worker rejects {annotation} on {argument}; annotate with typing.List")
    return "context" in parameters


def _trigger(binding: dict[str, Any], settings: AppSettings) -> Trigger:
    match binding["type"]:
        case "httpTrigger":
            return HttpTrigger(
                route=settings.resolve(binding["route"]).strip("/"),
                methods=tuple(method.upper() for method in binding.get("methods") or ()),
            )
        case "serviceBusTrigger" if binding.get("queueName"):
            return QueueTrigger(
                queue=settings.resolve(binding["queueName"]),
                batched=str(binding.get("cardinality", "one")).lower() == "many",
                sessions=bool(binding.get("isSessionsEnabled")),
            )
        case "timerTrigger":
            return TimerTrigger(
                schedule=settings.resolve(binding["schedule"]),
                run_on_startup=bool(binding.get("runOnStartup")),
                use_monitor=binding.get("useMonitor") is not False,
            )
        case other:
            raise StartupError(f"the local host has no {other}")
