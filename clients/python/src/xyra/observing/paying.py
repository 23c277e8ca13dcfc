"""Pays calls of models from the budget around them, before they are sent: the one that would pass it is not."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from xyra.budgets import Budget
from xyra.call_costs import Advance, CallReservation
from xyra.errors import BudgetExceeded
from xyra.observing.calls import form_of
from xyra.scope import InScope, current_scope

_log = logging.getLogger("xyra")

PAID = "xyra_paid"
"""In a request's extensions: what is reserved for it."""
WATCHES = "_xyra_watches"
"""Marks a `send` that is ours."""
_IS_OURS = "_xyra_pays"
_FIRST_ERROR = 300
_NOT_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"})
"""Errors of httpx after which the model has not been asked."""
_CLIENTS = ("openai._base_client", "anthropic._base_client")


def _budget_of(request: Any) -> Budget | None:
    """That of a call of a model for which nothing is reserved yet."""
    budget = current_scope().budget
    if budget is None or PAID in request.extensions or form_of(request.method, request.url.path) is None:
        return None
    return budget


def _keep(request: Any, reserved: CallReservation) -> None:
    request.extensions = {**request.extensions, PAID: reserved}


def reserve(request: Any) -> None:
    """Raises `BudgetExceeded`, and nothing else: what cannot be counted is not spent."""
    budget = _budget_of(request)
    if budget is not None:
        _keep(request, _paid_in_advance() or _reserved(budget))


async def reserve_async(request: Any) -> None:
    """`reserve` for asyncio."""
    budget = _budget_of(request)
    if budget is not None:
        _keep(request, _paid_in_advance() or await _reserved_async(budget))


def _paid_in_advance() -> CallReservation | None:
    advance = current_scope().advance
    return None if advance is None else advance.take()


def _reserved(budget: Budget) -> CallReservation:
    try:
        return budget.reserve_call()
    except BudgetExceeded:
        raise
    except Exception as error:
        raise _not_counted(error) from error


async def _reserved_async(budget: Budget) -> CallReservation:
    try:
        return await budget.reserve_call_async()
    except BudgetExceeded:
        raise
    except Exception as error:
        raise _not_counted(error) from error


def _not_counted(error: Exception) -> BudgetExceeded:
    return BudgetExceeded(f"this call of a model cannot be counted ({error}), so it is not made")


class PaidCall:
    """A request while it is sent, for `with` and `async with`: reserved for before, spent or returned after."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._reserved: CallReservation | None = None
        self._status = 0

    def answered(self, response: Any) -> None:
        self._status = response.status_code

    def __enter__(self) -> Self:
        reserve(self._request)
        self._take_over()
        return self

    async def __aenter__(self) -> Self:
        await reserve_async(self._request)
        self._take_over()
        return self

    def _take_over(self) -> None:
        """Of two that watch a request the outer one concludes it."""
        reserved = self._request.extensions.get(PAID)
        if isinstance(reserved, CallReservation):
            self._reserved = reserved
            self._request.extensions = {**self._request.extensions, PAID: None}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reserved is None:
            return
        try:
            was_refused = error is None and self._status >= _FIRST_ERROR
            if was_refused or (kind is not None and kind.__name__ in _NOT_SENT):
                self._reserved.failed()
            else:  # after a time-out or when it was cancelled, the model may have worked
                self._reserved.succeeded()
        except Exception:  # noqa: BLE001  nothing of ours may fail a call that was made
            _log.exception("what a call of a model has cost is not counted")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def refuse_in(client: Any) -> None:
    """Have a client of OpenAI or Anthropic let `BudgetExceeded` pass, which it would try again and rename in `send`."""
    for kind in type(client).__mro__:
        if kind.__name__ in {"SyncAPIClient", "AsyncAPIClient"}:
            _refuse_in_kind(kind)


def refuse_in_installed() -> None:
    """As `refuse_in`, in all clients of those that are installed."""
    for name in _CLIENTS:
        try:
            library = importlib.import_module(name)
        except ImportError:
            continue
        for kind in (library.SyncAPIClient, library.AsyncAPIClient):
            _refuse_in_kind(kind)


def _refuse_in_kind(kind: Any) -> None:
    """Before a request is sent, and outside of what the client catches, it calls its `_prepare_request`."""
    prepare = getattr(kind, "_prepare_request", None)
    if prepare is None or getattr(prepare, _IS_OURS, False):
        return
    wrapper = _prepared_async if inspect.iscoroutinefunction(prepare) else _prepared
    made = wrapper(prepare)
    setattr(made, _IS_OURS, True)
    setattr(kind, "_prepare_request", made)  # noqa: B010  no assignment by its type


def _is_watched(client: Any) -> bool:
    return bool(getattr(getattr(getattr(client, "_client", None), "send", None), WATCHES, False))


def _prepared(prepare: Any) -> Any:
    @functools.wraps(prepare)
    def prepared(self: Any, request: Any) -> Any:
        answer = prepare(self, request)
        if _is_watched(self):
            reserve(request)
        return answer

    return prepared


def _prepared_async(prepare: Any) -> Any:
    @functools.wraps(prepare)
    async def prepared(self: Any, request: Any) -> Any:
        answer = await prepare(self, request)
        if _is_watched(self):
            await reserve_async(request)
        return answer

    return prepared


def paid_at_the_door(function: Any) -> Any:
    """A function that makes one call of a model, refused before it begins where the budget has no room for it."""
    wrapper = _door_async if inspect.iscoroutinefunction(function) else _door
    made = wrapper(function)
    setattr(made, _IS_OURS, True)
    return made


def is_paid_at_the_door(function: Any) -> bool:
    return bool(getattr(function, _IS_OURS, False))


def _door(function: Any) -> Any:
    @functools.wraps(function)
    def paid(*args: Any, **kwargs: Any) -> Any:
        scope = current_scope()
        if scope.budget is None or scope.advance is not None:
            return function(*args, **kwargs)
        advance = Advance(_reserved(scope.budget))
        try:
            with InScope(replace(scope, advance=advance)):
                return function(*args, **kwargs)
        finally:
            advance.return_unused()

    return paid


def _door_async(function: Any) -> Any:
    @functools.wraps(function)
    async def paid(*args: Any, **kwargs: Any) -> Any:
        scope = current_scope()
        if scope.budget is None or scope.advance is not None:
            return await function(*args, **kwargs)
        advance = Advance(await _reserved_async(scope.budget))
        try:
            with InScope(replace(scope, advance=advance)):
                return await function(*args, **kwargs)
        finally:
            advance.return_unused()

    return paid
