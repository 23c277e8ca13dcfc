"""Credits: the balance, spending, holds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from types import TracebackType
from typing import Any, Self

from xyra import models
from xyra.amounts import Amount, amount_of, spendable
from xyra.connection import AsyncConnection, Connection, segment
from xyra.errors import Unreachable
from xyra.leases import Lease
from xyra.local_spending import Account
from xyra.resources.credits import AsyncCredits as AsyncCreditsResource
from xyra.resources.credits import Credits as CreditsResource
from xyra.scope import current_scope

_PLACES = Decimal("0.000001")
_BALANCE = "/api/v1/credits/balance"
_USE = "/api/v1/credits/use"
_RESERVE = "/api/v1/credits/reserve"
_HOLDS = "/api/v1/credits/holds"


def _context(
    agent: str | None, run: str | None, project_id: str | None, department_id: str | None
) -> dict[str, object]:
    """What is spent for; agent and run are those of the scope where they are not given."""
    scope = current_scope()
    given = {
        "agent": agent or scope.agent,
        "run": run or scope.run,
        "project_id": project_id,
        "department_id": department_id,
    }
    return {name: value for name, value in given.items() if value is not None}


def _use_body(  # noqa: PLR0913  what a use has
    amount: Amount | None,
    agent_type: str | None,
    action: str | None,
    quantity: Amount | None,
    metadata: Mapping[str, Any] | None,
    context: Mapping[str, object],
) -> dict[str, object]:
    if (amount is None) == (agent_type is None or action is None):
        raise ValueError("give either an amount, or agent_type and action")
    body = dict(context)
    if amount is not None:
        body["amount"] = amount_of(amount)
    else:
        body |= {"agent_type": agent_type, "action": action}
    if quantity is not None:
        body["quantity"] = amount_of(quantity)
    if metadata:
        body["metadata"] = metadata
    return body


def cost_in(table: models.ActionCostTable, agent_type: str, action: str, quantity: Amount) -> Decimal:
    """What an action costs by the cost table; rounded half up to 6 decimals as Xyra does."""
    cost = next(
        (Decimal(row["cost"]) for row in table["data"] if (row["agent_type"], row["action"]) == (agent_type, action)),
        Decimal(table["default_cost"]),
    )
    return (cost * amount_of(quantity)).quantize(_PLACES, ROUND_HALF_UP)


class Hold:
    """Credits that are set aside. `with` captures what was used at its end, and releases all after an error."""

    def __init__(self, connection: Connection, body: Mapping[str, object], done: Mapping[str, object]) -> None:
        self._connection = connection
        self._body = body
        self._done = done
        self._is_resolved = False
        self.used: Decimal | None = None
        """What to capture at the end; None captures all."""
        self.answer: models.HoldAnswer

    def __enter__(self) -> Self:
        self.answer = self._connection.call("POST", _RESERVE, body=self._body)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_resolved:
            return
        if error is None and self.used != 0:
            self.capture(self.used)
            return
        try:
            self.release()
        except Exception:
            if error is None:
                raise

    def use(self, amount: Amount) -> None:
        """Add to what is captured at the end."""
        self.used = (self.used or Decimal(0)) + amount_of(amount)

    def capture(self, amount: Amount | None = None) -> models.CaptureAnswer:
        """Spend all or part of it now; the rest returns."""
        path = _path(self.answer, "capture")
        answer: models.CaptureAnswer = self._connection.call("POST", path, body=_capture_body(amount, self._done))
        self._is_resolved = True
        return answer

    def release(self) -> models.ReleaseAnswer:
        """Let all of it return now."""
        answer: models.ReleaseAnswer = self._connection.call("POST", _path(self.answer, "release"))
        self._is_resolved = True
        return answer


class AsyncHold:
    """`Hold` for `async with`."""

    def __init__(self, connection: AsyncConnection, body: Mapping[str, object], done: Mapping[str, object]) -> None:
        self._connection = connection
        self._body = body
        self._done = done
        self._is_resolved = False
        self.used: Decimal | None = None
        """What to capture at the end; None captures all."""
        self.answer: models.HoldAnswer

    async def __aenter__(self) -> Self:
        self.answer = await self._connection.call("POST", _RESERVE, body=self._body)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_resolved:
            return
        if error is None and self.used != 0:
            await self.capture(self.used)
            return
        try:
            await self.release()
        except Exception:
            if error is None:
                raise

    def use(self, amount: Amount) -> None:
        """Add to what is captured at the end."""
        self.used = (self.used or Decimal(0)) + amount_of(amount)

    async def capture(self, amount: Amount | None = None) -> models.CaptureAnswer:
        """Spend all or part of it now; the rest returns."""
        path = _path(self.answer, "capture")
        answer: models.CaptureAnswer = await self._connection.call("POST", path, body=_capture_body(amount, self._done))
        self._is_resolved = True
        return answer

    async def release(self) -> models.ReleaseAnswer:
        """Let all of it return now."""
        answer: models.ReleaseAnswer = await self._connection.call("POST", _path(self.answer, "release"))
        self._is_resolved = True
        return answer


def _path(hold: models.HoldAnswer, what: str) -> str:
    return f"{_HOLDS}/{segment(hold['hold_id'])}/{what}"


def _capture_body(amount: Amount | None, done: Mapping[str, object]) -> dict[str, object]:
    return {**done, **({} if amount is None else {"amount": amount_of(amount)})}


def _done(agent_type: str | None, action: str | None, metadata: Mapping[str, Any] | None) -> dict[str, object]:
    """What the credits of a hold are spent on, as its capture says."""
    given = {"agent_type": agent_type, "action": action, "metadata": metadata or None}
    return {name: value for name, value in given.items() if value is not None}


def _reserve_body(amount: Amount, expires_in: int, context: Mapping[str, object]) -> dict[str, object]:
    return {**context, "amount": amount_of(amount), "expires_in": expires_in}


class Credits(CreditsResource):
    """An organization's credits. Refusals are raised: `InsufficientCredits`, `LimitExceeded`."""

    def __init__(self, connection: Connection, account: Account) -> None:
        super().__init__(connection)
        self.debt = account.debt
        self._account = account

    def balance(self, kind: str | None = None) -> models.BalanceAnswer:
        """What there is, and what of it is available."""
        answer: models.BalanceAnswer = self._connection.call("GET", _BALANCE, query={"kind": kind})
        return answer

    def use(  # noqa: PLR0913  what a use has
        self,
        amount: Amount | None = None,
        *,
        agent_type: str | None = None,
        action: str | None = None,
        quantity: Amount | None = None,
        metadata: Mapping[str, Any] | None = None,
        agent: str | None = None,
        run: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.UseAnswer:
        """Spend an amount, or an action at its price. Raises `InsufficientCredits` and `LimitExceeded`.

        Where Xyra is out of reach, an amount is spent within the client's `spend_limit` if it says
        `when_unreachable="spend"`: then `transaction_id` and `available` are empty. Else `Unreachable` is raised.
        """
        context = _context(agent, run, project_id, department_id)
        body = _use_body(amount, agent_type, action, quantity, metadata, context)
        key = idempotency_key or uuid.uuid4().hex
        try:
            answer: models.UseAnswer = self._connection.call("POST", _USE, body=body, idempotency_key=key)
        except Unreachable as error:
            return self.debt.take(body, key, error)
        return answer

    def reserve(  # noqa: PLR0913  what a hold has
        self,
        amount: Amount,
        *,
        expires_in: int = 3600,
        agent_type: str | None = None,
        action: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        agent: str | None = None,
        run: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
    ) -> Hold:
        """Credits set aside for a `with` block, for so many seconds: captured at its end, released after an error.

        `agent_type`, `action` and `metadata` say what they are spent on.
        """
        body = _reserve_body(amount, expires_in, _context(agent, run, project_id, department_id))
        return Hold(self._connection, body, _done(agent_type, action, metadata))

    def lease(  # noqa: PLR0913  what a lease has
        self,
        amount: Amount,
        *,
        expires_in: int = 300,
        kind: str | None = None,
        agent: str | None = None,
        run: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
    ) -> Lease:
        """Credits to be spent without asking for each amount, for `with`: so many at once, for so many seconds."""
        context = _context(agent, run, project_id, department_id) | ({} if kind is None else {"kind": kind})
        return Lease(self._account, spendable(amount), expires_in=expires_in, context=context)


class AsyncCredits(AsyncCreditsResource):
    """`Credits` for asyncio."""

    def __init__(self, connection: AsyncConnection, account: Account) -> None:
        super().__init__(connection)
        self.debt = account.debt
        self._account = account

    async def balance(self, kind: str | None = None) -> models.BalanceAnswer:
        """What there is, and what of it is available."""
        answer: models.BalanceAnswer = await self._connection.call("GET", _BALANCE, query={"kind": kind})
        return answer

    async def use(  # noqa: PLR0913  what a use has
        self,
        amount: Amount | None = None,
        *,
        agent_type: str | None = None,
        action: str | None = None,
        quantity: Amount | None = None,
        metadata: Mapping[str, Any] | None = None,
        agent: str | None = None,
        run: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.UseAnswer:
        """As `Credits.use`."""
        context = _context(agent, run, project_id, department_id)
        body = _use_body(amount, agent_type, action, quantity, metadata, context)
        key = idempotency_key or uuid.uuid4().hex
        try:
            answer: models.UseAnswer = await self._connection.call("POST", _USE, body=body, idempotency_key=key)
        except Unreachable as error:
            return self.debt.take(body, key, error)
        return answer

    def reserve(  # noqa: PLR0913  what a hold has
        self,
        amount: Amount,
        *,
        expires_in: int = 3600,
        agent_type: str | None = None,
        action: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        agent: str | None = None,
        run: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
    ) -> AsyncHold:
        """As `Credits.reserve`, for `async with`."""
        body = _reserve_body(amount, expires_in, _context(agent, run, project_id, department_id))
        return AsyncHold(self._connection, body, _done(agent_type, action, metadata))

    def lease(  # noqa: PLR0913  what a lease has
        self,
        amount: Amount,
        *,
        expires_in: int = 300,
        kind: str | None = None,
        agent: str | None = None,
        run: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
    ) -> Lease:
        """As `Credits.lease`, for `async with`."""
        context = _context(agent, run, project_id, department_id) | ({} if kind is None else {"kind": kind})
        return Lease(self._account, spendable(amount), expires_in=expires_in, context=context)
