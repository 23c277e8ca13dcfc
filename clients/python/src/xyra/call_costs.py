"""What single calls of models may come to: reserved before they are sent, and concluded when they are over."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from decimal import Decimal
from types import TracebackType
from typing import Self

from xyra.amounts import Amount, spendable
from xyra.errors import BudgetExceeded
from xyra.local_spending import Reservation
from xyra.scope import InScope, current_scope

_log = logging.getLogger("xyra")


class CallReservation:
    """What one call of a model may come to."""

    def __init__(self, reservation: Reservation, block: MaximumCost | None) -> None:
        self._reservation = reservation
        self._block = block

    def succeeded(self) -> None:
        """It was made: all of it is spent, where its block does not say less in the end."""
        if self._block is None or not self._block.take(self._reservation):
            self._reservation.spend()

    def failed(self) -> None:
        """The model was not asked, or has refused: nothing is spent."""
        self._reservation.release()


class Advance:
    """Paid at the door of a library that renames the errors of what is below it; the first call there takes it."""

    def __init__(self, reserved: CallReservation) -> None:
        self._reserved: CallReservation | None = reserved
        self._mutex = threading.Lock()

    def take(self) -> CallReservation | None:
        """None where a call has taken it already."""
        with self._mutex:
            reserved, self._reserved = self._reserved, None
        return reserved

    def return_unused(self) -> None:
        reserved = self.take()
        if reserved is not None:
            reserved.failed()


class MaximumCost:
    """What each call of a model in a block may come to at most: `with xyra.max_cost("0.05") as cost`.

    `cost.use("0.013")` says what they came to; what is left of them returns at the block's end. Where nothing is said,
    each has cost the most.
    """

    def __init__(self, amount: Amount) -> None:
        self.amount = spendable(amount)
        self.used: Decimal | None = None
        self._calls: list[Reservation] = []
        self._is_over = False
        self._mutex = threading.Lock()
        self._entered: list[InScope] = []

    def use(self, amount: Amount) -> None:
        """Add to what the calls of this block came to."""
        with self._mutex:
            self.used = (self.used or Decimal(0)) + spendable(amount)

    def take(self, reservation: Reservation) -> bool:
        """False after the block's end."""
        with self._mutex:
            if not self._is_over:
                self._calls.append(reservation)
            return not self._is_over

    def __enter__(self) -> Self:
        inner = InScope(replace(current_scope(), maximum_cost=self))
        inner.__enter__()
        self._entered.append(inner)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.pop().__exit__()
        with self._mutex:
            self._is_over = True
            calls, left = self._calls, self.used
        budget = current_scope().budget
        if left and not calls and budget is not None:  # of a client that nobody watches
            try:
                budget.use(left)
            except BudgetExceeded:
                if error is None:
                    raise
                _log.warning("%s was spent and is not counted, as the budget has no room for it", left)
        for number, call in enumerate(calls, 1):
            if left is None:
                call.spend()
                continue
            is_last = number == len(calls)
            part = left if is_last else min(left, call.amount)
            if part > call.amount:
                _log.warning("calls of models came to %s more than their max_cost", part - call.amount)
            call.spend(part)
            left -= part

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
