"""What is spent while Xyra is out of reach, up to a limit over all processes of a spool."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from xyra import models
from xyra.amounts import Amount, amount_of
from xyra.connection import encoded
from xyra.errors import Unreachable
from xyra.spool import Item, Kind, Spool

if TYPE_CHECKING:
    from xyra.reporting import Reporter

WhenUnreachable = Literal["refuse", "spend"]

_KINDS: tuple[Kind, ...] = ("use", "settle")


@dataclass(slots=True)
class _Waiting:
    """The debt of one kind of items in the spool, up to the last one that was read, while none of them are gone."""

    kind: Kind
    amount: Decimal = Decimal(0)
    last_read: int = 0
    gone: int = 0

    def read(self, spool: Spool) -> Decimal:
        """Reads what came since it was asked last; all of it only where something was sent meanwhile."""
        gone = spool.gone(self.kind)  # before what waits: what goes in between is seen by the next look
        if gone != self.gone:
            self.amount, self.last_read, self.gone = Decimal(0), 0, gone
        for item in spool.waiting(self.kind, after=self.last_read):
            self.amount += _debt_of(item)
            self.last_read = item.id
        return self.amount


def _debt_of(item: Item) -> Decimal:
    kept = json.loads(item.body)
    return Decimal(kept["body"]["amount"] if item.kind == "use" else kept["debt"])


class Debt:
    """What was spent while Xyra was out of reach, up to a limit: it waits in the spool, and is settled from there."""

    def __init__(self, reporter: Callable[[], Reporter], when: WhenUnreachable, limit: Amount | None) -> None:
        if when == "spend" and limit is None:
            raise ValueError('when_unreachable="spend" needs a spend_limit')
        self._reporter = reporter
        self._may_spend = when == "spend"
        self._limit = amount_of(limit or 0)
        self._mutex = threading.Lock()
        self._waiting = [_Waiting(kind) for kind in _KINDS]
        self._reserved = Decimal(0)
        """By calls of this process that are under way."""

    @property
    def amount(self) -> Decimal:
        """The credits that were spent and are not settled yet."""
        with self._mutex:
            return self._amount()

    def _amount(self) -> Decimal:
        spool = self._reporter().spool
        return sum((waiting.read(spool) for waiting in self._waiting), Decimal(0))

    def _has_room_for(self, credit: Decimal) -> bool:
        return self._may_spend and self._amount() + self._reserved + credit <= self._limit

    def take(self, body: Mapping[str, object], key: str, error: Unreachable) -> models.UseAnswer:
        """Spend an amount without Xyra. Raises the error where that is not allowed, or passes the limit.

        What was sent may have arrived: the spool sends it again under the same key, so it is taken once.
        """
        amount = body.get("amount")
        if not isinstance(amount, Decimal):
            raise error
        with self._mutex:
            if not self._has_room_for(amount):
                raise error
            if not self._reporter().add("use", encoded({"key": key, "body": body}).decode()):
                raise error
        return {"transaction_id": "", "amount": format(amount, "f"), "available": "", "revision": None, "uses": None}

    def reserve(self, credit: Decimal) -> bool:
        """True where a call may spend so much of a lease beyond what Xyra has given: `release` it afterwards."""
        with self._mutex:
            if not self._has_room_for(credit):
                return False
            self._reserved += credit
            return True

    def release(self, credit: Decimal) -> None:
        """The call is over: what it spent waits in the spool."""
        with self._mutex:
            self._reserved -= credit

    def after_fork(self) -> None:
        """In a child: the calls that are under way are the parent's."""
        self._mutex = threading.Lock()
        self._reserved = Decimal(0)
