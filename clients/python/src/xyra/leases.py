"""Leases: slices of credits that a process spends by itself, and reports by totals."""

from __future__ import annotations

import asyncio
import os
import threading
import time
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Self

from xyra import models
from xyra.amounts import Amount, credits_for, spendable
from xyra.connection import encoded, segment
from xyra.errors import ApiError, BudgetExceeded, Conflict, InsufficientCredits, LimitExceeded, Unreachable
from xyra.local_spending import Account, LocalSpending, Reservation
from xyra.slices import Moment, Slice
from xyra.waiting import in_thread

AWAY_SECONDS = 5.0
"""How long Xyra is not asked again after it was out of reach."""
_ROUNDS = 8
_PARTS = (1, 4, 16)
"""Of a slice: where Xyra refuses one, a part of it is asked for, and then what is needed."""
_LEASES = "/api/v1/credits/leases"


@dataclass(frozen=True, slots=True)
class _Request:
    """Sent again with the same key where its answer was lost."""

    path: str
    body: Mapping[str, object]
    key: str
    began: Moment
    """When it was first sent: from then on a lease's time counts."""


class Lease(LocalSpending):
    """Credits that this process spends without asking for each amount: `with client.credits.lease("10") as lease`.

    `use` is decided in memory. What is used up is taken anew from Xyra, by slices. Reports go through the spool; at the
    end the rest returns. One lease may be used by any number of threads and tasks.
    """

    def __init__(
        self,
        account: Account,
        amount: Decimal,
        *,
        expires_in: int,
        context: Mapping[str, object],
        value: Decimal | None = None,
    ) -> None:
        """`amount`: how much is taken at once. `value`: what one credit counts, where amounts are in money."""
        if amount <= 0:
            raise ValueError("the amount of a lease is more than 0")
        super().__init__(account)
        self._amount = amount
        self._expires_in = expires_in
        self._context = context
        self._is_in_money = value is not None
        self._value = value if value is not None else Decimal(1)
        self._lost: _Request | None = None
        """What Xyra has maybe given, although its answer did not come."""
        self._away_until = 0.0
        self._is_open = False
        self._asking = threading.Lock()

    def take(self, *, may_be_refused: bool = False) -> None:
        """Take the first slice. Raises `InsufficientCredits`, `LimitExceeded` and `Unreachable`.

        Where it `may_be_refused`, what is spent later is refused instead, unless there is something to spend by then.
        """
        reporter = self._account.reporter()
        self._is_open = True
        _leases.add(self)
        reporter.attach(self)
        try:
            with self._asking:
                self._ask(Decimal(0))
        except BaseException as error:
            if may_be_refused and isinstance(error, InsufficientCredits | LimitExceeded):
                return
            self.end()
            raise

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    async def __aenter__(self) -> Self:
        await in_thread(self.take, undo=lambda _: self.end())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.end)

    def use(self, amount: Amount) -> None:
        """Spend an amount. Raises `BudgetExceeded` where Xyra gives no more, or is out of reach."""
        asked = spendable(amount)
        with self._mutex:
            if self._slice is not None and self._slice.has(asked):
                self._slice.spent += asked
                self._spent += asked
                return
        self._reserve_by_asking(asked).spend()

    async def use_async(self, amount: Amount) -> None:
        """`use` for asyncio: where Xyra has to be asked, other tasks go on."""
        (await self.reserve_async(amount)).spend()

    def reserve(self, amount: Amount) -> Reservation:
        """Set apart what a call may come to. Raises as `use`."""
        asked = spendable(amount)
        return self._reserve_here(asked) or self._reserve_by_asking(asked)

    async def reserve_async(self, amount: Amount) -> Reservation:
        """`reserve` for asyncio. Where the task is cancelled meanwhile, nothing stays set apart."""
        asked = spendable(amount)
        here = self._reserve_here(asked)
        if here is not None:
            return here
        return await in_thread(lambda: self._reserve_by_asking(asked), undo=Reservation.release)

    def extend(self, amount: Amount) -> None:
        """Take more from Xyra now, for as long again. Raises `InsufficientCredits`, `LimitExceeded`, `Unreachable`."""
        with self._asking:
            self._check_open()
            self._take_or_extend(self.left + spendable(amount))

    def end(self) -> None:
        """Nothing more is spent: the rest returns with the last report, which the spool sends."""
        with self._mutex:
            if not self._is_open:
                return
            self._is_open = False
            self._retire(self._slice)
            self._slice = None
        _leases.discard(self)
        self._account.reporter().detach(self)
        self._give_up_what_was_lost()

    def _reserve_by_asking(self, amount: Decimal) -> Reservation:
        with self._asking:
            here = self._reserve_here(amount)  # another thread may have asked meanwhile
            if here is not None:
                return here
            self._check_open()
            refusal = self._refusal_of(amount)
            here = self._reserve_here(amount)
            if here is not None:
                return here
            if isinstance(refusal, Unreachable):
                beyond = self._reserve_beyond(amount)
                if beyond is not None:
                    return beyond
            raise BudgetExceeded(f"{amount} may not be spent: {refusal or 'Xyra gives no more'}") from refusal

    def _refusal_of(self, amount: Decimal) -> Exception | None:
        """Ask Xyra for so much. None where it has given something."""
        if time.monotonic() < self._away_until:
            return Unreachable("Xyra was out of reach a moment ago")
        try:
            self._ask(amount)
        except Unreachable as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            return error
        except ApiError as error:
            return error
        return None

    def _ask(self, needed: Decimal) -> None:
        """Have at least so much to spend: a slice, or less of one where Xyra refuses that.

        Raises what Xyra refuses, or that it does not answer.
        """
        least = needed or self._amount / _PARTS[-1]
        sizes = [max(least, self._amount / part) for part in _PARTS] + [least]
        for _ in range(_ROUNDS):
            try:
                self._take_or_extend(sizes[0])
            except (InsufficientCredits, LimitExceeded):
                sizes = [size for size in sizes if size < sizes[0]]
                if not sizes:
                    raise
            except Conflict:  # a window has ended, its time is over, another organization pays: take a new one
                if not self._retire_present():
                    raise
            else:
                with self._mutex:
                    if self._slice is not None and self._slice.has(needed):
                        return

    def _take_or_extend(self, wanted: Decimal) -> None:
        request = self._lost or self._request_for(wanted)
        self._lost = request
        try:
            answer: models.LeaseGivenAnswer = self._account.connection().call(
                "POST", f"{_LEASES}{request.path}", body=request.body, idempotency_key=request.key
            )
        except ApiError as error:
            if not isinstance(error, Unreachable):
                self._lost = None
            raise
        self._lost = None
        self._receive(answer, request.began)

    def _request_for(self, wanted: Decimal) -> _Request:
        with self._mutex:
            current = self._slice
            if current is None or current.is_ending or current.until.is_over():
                body = {**self._context, "amount": credits_for(wanted, self._value), "expires_in": self._expires_in}
                return _Request("", body, uuid.uuid4().hex, Moment.now())
            missing = credits_for(max(wanted - current.left, Decimal(0)), current.value)
            more: dict[str, object] = {"amount": missing} if missing else {}
            path = f"/{segment(current.id)}/extend"
            return _Request(path, {**more, "expires_in": self._expires_in}, uuid.uuid4().hex, Moment.now())

    def _receive(self, answer: models.LeaseGivenAnswer, began: Moment) -> None:
        with self._mutex:
            current = self._slice
            if current is None or current.id != answer["lease_id"]:
                self._retire(current)
                current = self._slice = Slice(answer["lease_id"], self._value_in(answer))
            current.give(Decimal(answer["amount"]), began.after(answer["expires_in"]))

    def _value_in(self, answer: models.LeaseGivenAnswer) -> Decimal:
        if not self._is_in_money:
            return Decimal(1)
        value = answer.get("credit_value")
        self._value = self._value if value is None else Decimal(value)
        return self._value

    def _give_up_what_was_lost(self) -> None:
        """Of a lease that Xyra has maybe given, it has to know that nothing was spent."""
        lost, self._lost = self._lost, None
        if lost is not None and not lost.path:
            self._account.reporter().add("lease", encoded({"key": lost.key, "body": lost.body}).decode())

    def _check_open(self) -> None:
        if not self._is_open:
            raise BudgetExceeded("the lease has ended, or was not begun: use it inside of `with`")

    def after_fork(self) -> None:
        """In a child: what was taken is the parent's; it takes slices of its own."""
        self._mutex = threading.Lock()
        self._asking = threading.Lock()
        if self._slice is not None:
            self._slice.is_of_parent = True
        self._slice = None
        self._lost = None
        self._spent = Decimal(0)
        self._account.debt.after_fork()


_leases: weakref.WeakSet[Lease] = weakref.WeakSet()
"""Those that are open."""


def _in_child() -> None:
    for lease in list(_leases):
        lease.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
