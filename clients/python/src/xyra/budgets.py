"""A run with a cap: its calls are paid from slices of it, and the one that would pass it is not made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, Self

from xyra import models
from xyra.amounts import Amount, spendable
from xyra.call_costs import CallReservation, MaximumCost
from xyra.connection import encoded
from xyra.errors import BudgetExceeded, Conflict, XyraError
from xyra.leases import Lease
from xyra.local_spending import Account
from xyra.scope import Run, Scope, current_scope
from xyra.waiting import in_thread

_RUNS = "/api/v1/runs"
_BALANCE = "/api/v1/credits/balance"
_SLICES = 10
"""How many slices a cap has where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that a run may spend in all."""

    limit: Decimal
    unit: Literal["credits", "money"]
    currency: str | None = None

    @classmethod
    def of(cls, usd: Amount | None, credits: Amount | None, amount: Amount | None, currency: str | None) -> Cap:  # noqa: A002  as its caller says it
        """Raises `ValueError` unless it is given in exactly one way."""
        if [usd, credits, amount].count(None) != 2 or (amount is None) != (currency is None):  # noqa: PLR2004  of three
            raise ValueError('give usd="2.00", or credits="20", or amount="2.00" and currency="EUR"')
        if credits is not None:
            return cls(spendable(credits), "credits")
        return cls(spendable(usd if usd is not None else amount or 0), "money", (currency or "USD").upper())

    def is_that_of(self, run: Mapping[str, Any]) -> bool:
        budget = run.get("budget")
        return budget is not None and (Decimal(budget["limit"]), budget["unit"]) == (self.limit, self.unit)

    def __str__(self) -> str:
        return f"{self.limit} {self.currency or 'credits'}"


class Budget(Run):
    """A run that may spend so much in all, over all processes that name it: for `with` and `async with`.

    Inside, a call of a model by a wrapped or instrumented client is paid in advance with its `max_cost`. All amounts
    are in the unit of the cap.
    """

    def __init__(  # noqa: PLR0913  what a run and its cap have
        self,
        account: Account,
        key: str | None,
        cap: Cap,
        *,
        max_cost: Amount | None = None,
        slice: Amount | None = None,  # noqa: A002  the word for it
        expires_in: int = 300,
        agent: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(account.reporter, key, agent=agent, metadata=metadata)
        if not cap.limit:
            raise ValueError("a budget of 0 allows nothing")
        self._account = account
        self._cap = cap
        self._max_cost = None if max_cost is None else spendable(max_cost)
        self._slice = spendable(slice) if slice is not None else max(cap.limit / _SLICES, self._max_cost or Decimal(0))
        self._expires_in = expires_in
        self._run_id = ""
        self._lease: Lease | None = None

    @property
    def spent(self) -> Decimal:
        """What this process has spent of it."""
        return self._opened().spent

    def use(self, amount: Amount) -> None:
        """Spend an amount. Raises `BudgetExceeded` where it would pass the cap, and nothing is spent then."""
        self._opened().use(amount)

    async def use_async(self, amount: Amount) -> None:
        """`use` for asyncio."""
        await self._opened().use_async(amount)

    def reserve_call(self) -> CallReservation:
        """What a call of a model may come to, before it is sent. Raises `BudgetExceeded`."""
        block, cost = self._cost_of_call()
        return CallReservation(self._opened().reserve(cost), block)

    async def reserve_call_async(self) -> CallReservation:
        """`reserve_call` for asyncio."""
        block, cost = self._cost_of_call()
        return CallReservation(await self._opened().reserve_async(cost), block)

    def _cost_of_call(self) -> tuple[MaximumCost | None, Decimal]:
        block = current_scope().maximum_cost
        cost = self._max_cost if block is None else block.amount
        if cost is None:
            raise BudgetExceeded(
                "what this call of a model may cost is not known: say xyra.budget(..., max_cost=...), or make it in "
                "`with xyra.max_cost(...)`"
            )
        return block, cost

    def _opened(self) -> Lease:
        if self._lease is None:
            raise BudgetExceeded("the budget is not in use: spend inside of `with xyra.budget(...)`")
        return self._lease

    def open(self) -> None:
        """Create the run with its cap, or join it, and take a first slice. Raises what Xyra refuses."""
        reporter = self._reporter()
        self._agent = self._agent or current_scope().agent or reporter.agent
        value = self._value_of_credits() if self._cap.unit == "money" else None
        self._run_id = self._run()["id"] or ""
        context = {"run": self.key} | ({"agent": self._agent} if self._agent else {})
        lease = Lease(self._account, self._slice, expires_in=self._expires_in, context=context, value=value)
        try:
            lease.take(may_be_refused=True)
        except BaseException as error:
            self.report(error)
            raise
        self._lease = lease

    def _value_of_credits(self) -> Decimal:
        balance: models.BalanceAnswer = self._account.connection().call("GET", _BALANCE)
        if balance["currency"] != self._cap.currency:
            raise XyraError(f"the wallet counts in {balance['currency']}, and the budget in {self._cap.currency}")
        value = Decimal(balance["credit_value"] or 0)
        if not value:
            raise XyraError("a credit has no value in money: have credit_value set, or give the budget in credits")
        return value

    def _run(self) -> models.CreatedRunAnswer | models.RunReportAnswer:
        """The run, created now or by another process with the same cap."""
        connection = self._account.connection()
        body: dict[str, Any] = {
            "key": self.key,
            "status": "running",
            "started_at": datetime.now(UTC),
            "budget": {"limit": self._cap.limit, "unit": self._cap.unit},
        }
        if self._agent:
            body["agent"] = self._agent
        if self._metadata:
            body["metadata"] = self._metadata
        try:
            created: models.CreatedRunAnswer = connection.call("POST", _RUNS, body=body)
        except Conflict as taken:
            known: models.RunReportAnswer = connection.call("GET", f"{_RUNS}/by-key", query={"key": self.key})
            if not self._cap.is_that_of(known):
                raise XyraError(f"the run {self.key} is known without a budget of {self._cap}") from taken
            return known
        return created

    def _scope(self) -> Scope:
        return Scope(self.key, self._agent, budget=self)

    def report(self, error: BaseException | None = None) -> None:
        """It has ended: what is left returns. The first process that leaves it says how the run ended."""
        if self._lease is not None:
            self._lease.end()
        ended = self.ending(error)
        self._reporter().add("end", encoded({"run_id": self._run_id, "body": ended}).decode())

    def __enter__(self) -> Self:
        self.open()
        self.enter()
        return self

    async def __aenter__(self) -> Self:
        await in_thread(self.open, undo=lambda _: self.report())
        self.enter()
        return self
