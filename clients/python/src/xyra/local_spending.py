"""Spends what leases have given in memory, and puts reports of it into the spool."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from xyra.amounts import credits_for
from xyra.connection import Connection, encoded
from xyra.debt import Debt
from xyra.slices import Slice

if TYPE_CHECKING:
    from xyra.reporting import Reporter

REPORT_SECONDS = 5.0
"""How often what was spent is reported while there is more to spend."""


@dataclass(frozen=True, slots=True)
class Account:
    """What leases need of a client."""

    connection: Callable[[], Connection]
    reporter: Callable[[], Reporter]
    debt: Debt


class Reservation:
    """An amount that a call under way may come to. It is concluded once."""

    __slots__ = ("_is_concluded", "_is_debt", "_slice", "_spending", "amount")

    def __init__(self, spending: LocalSpending, slice_: Slice, amount: Decimal, *, is_debt: bool = False) -> None:
        self.amount = amount
        self._spending = spending
        self._slice = slice_
        self._is_debt = is_debt
        self._is_concluded = False

    def spend(self, amount: Decimal | None = None) -> None:
        """The call came to so much, by default all of it. More than was reserved is counted as well."""
        self._conclude(self.amount if amount is None else amount)

    def release(self) -> None:
        """The call used nothing."""
        self._conclude(Decimal(0))

    def _conclude(self, spent: Decimal) -> None:
        if not self._is_concluded:
            self._is_concluded = True
            self._spending.conclude(self._slice, self.amount, spent, is_debt=self._is_debt)


class LocalSpending:
    """Counts what is spent of one slice after another, for any number of threads."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._slice: Slice | None = None
        self._spent = Decimal(0)
        self._mutex = threading.Lock()
        """For counting; never held while Xyra is asked."""

    @property
    def spent(self) -> Decimal:
        """What this process has spent here."""
        return self._spent

    @property
    def left(self) -> Decimal:
        """What can be spent without asking Xyra."""
        with self._mutex:
            usable = self._slice is not None and self._slice.has(Decimal(0))
            return self._slice.left if self._slice is not None and usable else Decimal(0)

    def report(self) -> None:
        """Put what was spent since the last report into the spool, which sends it."""
        with self._mutex:
            self._report(self._slice)

    def report_due(self) -> None:
        """As `report`, now and then; a slice whose time is over is ended. The spool's thread calls it."""
        with self._mutex:
            current = self._slice
            if current is None:
                return
            if current.until.is_over():
                self._retire(current)
            elif time.monotonic() - current.reported_at >= REPORT_SECONDS:
                self._report(current)

    def conclude(self, current: Slice, reserved: Decimal, spent: Decimal, *, is_debt: bool) -> None:
        """A call is over that had reserved so much of a slice."""
        with self._mutex:
            current.reserved -= reserved
            current.spent += spent
            self._spent += spent
            if is_debt:
                current.debt += credits_for(spent, current.value)
            if is_debt or current.is_ending:
                self._report(current)
        if is_debt:
            self._account.debt.release(credits_for(reserved, current.value))

    def _reserve_here(self, amount: Decimal) -> Reservation | None:
        with self._mutex:
            if self._slice is None or not self._slice.has(amount):
                return None
            self._slice.reserved += amount
            return Reservation(self, self._slice, amount)

    def _reserve_beyond(self, amount: Decimal) -> Reservation | None:
        """What is spent while Xyra is out of reach is reported with the last slice that it has given."""
        with self._mutex:
            current = self._slice
        if current is None or not self._account.debt.reserve(credits_for(amount, current.value)):
            return None
        with self._mutex:
            current.reserved += amount
        return Reservation(self, current, amount, is_debt=True)

    def _retire_present(self) -> bool:
        """False where there is none that could have been extended."""
        with self._mutex:
            had_one = self._slice is not None and not self._slice.is_ending
            self._retire(self._slice)
        return had_one

    def _retire(self, current: Slice | None) -> None:
        """Nothing more is spent of it. Its last report waits for the calls that are under way."""
        if current is not None and not current.is_ending:
            current.is_ending = True
            self._report(current)

    def _report(self, current: Slice | None) -> None:
        if current is None or current.is_of_parent:
            return
        total = current.total()
        is_last = current.is_ending and not current.reserved
        if total == current.reported and not current.debt and (current.is_ended or not is_last):
            return
        report = {
            "key": uuid.uuid4().hex,
            "lease_id": current.id,
            "body": {"total": total, "final": is_last or current.is_ended},
            "debt": current.debt,
        }
        current.reported_at = time.monotonic()
        if self._account.reporter().add("settle", encoded(report).decode()):
            current.reported = total
            current.debt = Decimal(0)
            current.is_ended = current.is_ended or is_last
