"""Xyra's leases and runs, as far as one wallet with one cap needs them; each key is answered once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stub_server import Asked, Told, problem

_CREDITS = "/api/v1/credits/"


@dataclass
class Given:
    """A lease."""

    amount: Any
    reported: Any = Decimal(0)
    is_ended: bool = False

    @property
    def counted(self) -> Any:
        return self.reported if self.is_ended else max(self.amount, self.reported)


class Ledger:
    """`is_down` answers nothing; `loses` does what it is asked, and then answers nothing so often."""

    def __init__(self, cap: str = "10", credit_value: str | None = "0.5", currency: str = "USD") -> None:
        self.cap = Decimal(cap)
        self.credit_value = credit_value
        self.currency = currency
        self.leases: dict[str, Given] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.ends: list[dict[str, Any]] = []
        self.asked: list[Asked] = []
        self.asked_at: list[float] = []
        self.expires_in = 300
        self.is_down = False
        self.loses = 0
        self._answers: dict[str, Told] = {}
        self._mutex = threading.Lock()

    @property
    def spent(self) -> Any:
        return sum((lease.reported for lease in self.leases.values()), Decimal(0))

    @property
    def held(self) -> Any:
        return sum((lease.counted for lease in self.leases.values()), Decimal(0)) - self.spent

    def __call__(self, asked: Asked) -> Told:
        with self._mutex:
            if self.is_down:
                return Told(None)
            self.asked.append(asked)
            self.asked_at.append(time.monotonic())
            key = asked.headers.get("Idempotency-Key", "")
            told = self._answers.get(key) or self._answer(asked)
            if key:
                self._answers[key] = told
            if self.loses and asked.path.startswith(f"{_CREDITS}leases"):
                self.loses -= 1
                return Told(None)
            return told

    def _answer(self, asked: Asked) -> Told:  # noqa: PLR0911  one for each route
        body = asked.json if asked.body else {}
        match asked.path.removeprefix("/api/v1/").split("/"):
            case ["events"]:
                return Told(202, {"accepted": len(body["events"]), "rejected": []})
            case ["credits", "balance"]:
                return Told(200, {"available": "1000", "currency": self.currency, "credit_value": self.credit_value})
            case ["runs"]:
                return self._create(body)
            case ["runs", "by-key"]:
                return Told(200, self.runs[asked.query["key"]])
            case ["runs", id_]:
                self.ends.append({"id": id_, **body})
                return Told(200, {})
            case ["credits", "leases"]:
                return self._give(f"lease_{len(self.leases)}", Decimal(body["amount"]))
            case ["credits", "leases", id_, "extend"]:
                return self._give(id_, Decimal(body.get("amount", "0")))
            case ["credits", "leases", id_, "settle"]:
                return self._settle(id_, body)
        raise AssertionError(asked)

    def _create(self, body: dict[str, Any]) -> Told:
        if body["key"] in self.runs:
            return problem(409, "conflict")
        self.runs[body["key"]] = run = {**body, "id": f"run_{len(self.runs)}"}
        return Told(201, run)

    def _give(self, id_: str, amount: Decimal) -> Told:
        lease = self.leases.get(id_)
        if lease is not None and lease.is_ended:
            return problem(409, "hold_resolved")
        left = self.cap - self.spent - self.held
        if amount > left:
            return problem(403, "limit_exceeded", budget_id="run", left=str(left))
        if lease is None:
            lease = self.leases[id_] = Given(Decimal(0))
        lease.amount += amount
        value = {"expires_in": self.expires_in, "credit_value": self.credit_value}
        return Told(201, {"lease_id": id_, "amount": str(lease.amount), **value})

    def _settle(self, id_: str, body: dict[str, Any]) -> Told:
        lease = self.leases[id_]
        lease.reported = max(lease.reported, Decimal(body["total"]))
        lease.is_ended = lease.is_ended or bool(body.get("final"))
        over = max(Decimal(0), lease.reported - lease.amount)
        return Told(200, {"lease_id": id_, "over": format(over.normalize(), "f"), "late": False})

    def requests(self, end: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path.endswith(end)]
