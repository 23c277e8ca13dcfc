"""The laws of credits over HTTP, as a state machine of hypothesis: on two hosts that share a file.

What each request may do is worked out a second time, from sums alone. `XYRA_CREDIT_HTTP_HISTORIES` is how many random
histories are tried (2).
"""

import asyncio
import http.client
import json
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]
HISTORIES = int(os.environ.get("XYRA_CREDIT_HTTP_HISTORIES", "2"))
OVERDRAFT = Decimal(5)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json


@dataclass(frozen=True)
class Api:
    """Hosts, asked in turn by whoever has the key."""

    bases: list[str]
    operator_key: str

    def ask(self, random: Random, method: str, path: str, key: str, sent: Json | None = None, **query: str) -> Answer:
        """A 429 is repeated, as it says, with the same key."""
        headers = {"X-API-Key": key, "Content-Type": "application/json", "Idempotency-Key": query.pop("once", "")}
        headers = {name: value for name, value in headers.items() if value}
        where = f"/api/v1/{path}" + (f"?{urlencode(query)}" if query else "")
        while True:
            netloc = urlsplit(random.choice(self.bases)).netloc
            with closing(http.client.HTTPConnection(netloc, timeout=30)) as connection:
                connection.request(method, where, None if sent is None else json.dumps(sent), headers)
                response = connection.getresponse()
                answer = Answer(response.status, json.loads(response.read()))
            assert answer.status < 500, answer
            if answer.status != 429:
                return answer


@dataclass
class Sent:
    """A request that moved credits or was refused for good."""

    path: str
    body: Json
    key: str
    credential: str
    query: Json
    answer: Answer


class HttpLaws(RuleBasedStateMachine):
    api: ClassVar[Api]

    def __init__(self) -> None:
        super().__init__()
        random = Random(0)
        name = f"Laws {uuid4().hex}"
        draft = {"name": name, "currency": "USD", "timezone": "UTC", "settings": {"overdraft": str(OVERDRAFT)}}
        operator = self.api.operator_key
        organization = self.api.ask(random, "POST", "organizations", operator, draft, once=uuid4().hex)
        self.organization_id = organization.body["id"]
        scopes = ["credits:use", "credits:use_amount", "credits:read"]
        wanted = {"name": "Laws", "organization_id": self.organization_id, "scopes": scopes}
        self.key = self.api.ask(random, "POST", "api-keys", operator, wanted, once=uuid4().hex).body["token"]
        self.granted = self.consumed = self.reserved = Decimal(0)
        self.holds: dict[str, Decimal] = {}
        """Open ones."""
        self.resolved: list[str] = []
        self.used: dict[str, Decimal] = {}
        """What is left to refund of each use and capture."""
        self.sent: list[Sent] = []
        self.number = 0

    @property
    def available(self) -> Decimal:
        return self.granted - self.consumed - self.reserved

    @rule(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=15, max_size=25))
    def play(self, seeds: list[int]) -> None:
        for seed in seeds:
            random = Random(seed)
            steps = [self.give, self.use, self.use, self.use, self.reserve, self.reserve, self.capture, self.capture]
            random.choice([*steps, self.release, self.refund, self.repeat, self.misuse_key])(random)

    def _send(self, random: Random, path: str, body: Json, *, by_operator: bool = False) -> Answer:
        self.number += 1
        query = {"organization_id": self.organization_id} if by_operator else {}
        credential = self.api.operator_key if by_operator else self.key
        key = f"{self.organization_id} {self.number}"
        answer = self.api.ask(random, "POST", f"credits/{path}", credential, body, once=key, **query)
        self.sent.append(Sent(path, body, key, credential, query, answer))
        return answer

    def _after(self, answer: Answer) -> None:
        assert Decimal(answer.body["available"]) == self.available, "law 2: the balance is what was granted and spent"

    def give(self, random: Random) -> None:
        amount = 8 * _amount(random)
        answer = self._send(
            random,
            "grants",
            {"organization_id": self.organization_id, "amount": str(amount), "source": "bonus"},
            by_operator=True,
        )
        assert answer.status == 201, answer
        self.granted += amount
        self._after(answer)

    def _is_refused(self, answer: Answer, amount: Decimal) -> bool:
        is_short = self.available - amount < -OVERDRAFT
        assert (answer.status == 402) == is_short, "laws 3 and 15: refused if and only if credits are short"
        if is_short:
            self._after(answer)
        return is_short

    def use(self, random: Random) -> None:
        amounts = [_amount(random) for _ in range(random.choice([1, 1, 3]))]
        entries = [{"amount": str(amount)} for amount in amounts]
        answer = self._send(random, "use", entries[0] if len(entries) == 1 else {"uses": entries})
        amount = sum(amounts, Decimal(0))
        if not self._is_refused(answer, amount):
            assert Decimal(answer.body["amount"]) == amount
            self.consumed += amount
            self.used[answer.body["transaction_id"]] = amount
            self._after(answer)

    def reserve(self, random: Random) -> None:
        amount = _amount(random)
        answer = self._send(random, "reserve", {"amount": str(amount)})
        if not self._is_refused(answer, amount):
            self.reserved += amount
            self.holds[answer.body["hold_id"]] = amount
            self._after(answer)

    def capture(self, random: Random) -> None:
        hold_id = self._some_hold(random)
        if hold_id is None:
            return
        held = self.holds.get(hold_id)
        part = None if held is None or random.random() < 0.4 else held / 2
        if part is not None and part != part.quantize(Decimal("0.000001")):
            part = None
        body = {} if part is None else {"amount": str(part)}
        answer = self._send(random, f"holds/{hold_id}/capture", body)
        if self._is_resolved(answer, hold_id) or held is None:
            return
        captured = held if part is None else part
        assert Decimal(answer.body["amount"]) == captured
        self.consumed += captured
        self.used[answer.body["transaction_id"]] = captured
        self._after(answer)

    def release(self, random: Random) -> None:
        hold_id = self._some_hold(random)
        if hold_id is None:
            return
        answer = self._send(random, f"holds/{hold_id}/release", {})
        if not self._is_resolved(answer, hold_id):
            self._after(answer)

    def _some_hold(self, random: Random) -> str | None:
        return random.choice([*self.holds, *self.holds, *self.resolved, None])

    def _is_resolved(self, answer: Answer, hold_id: str) -> bool:
        """Whether it was before; if it was not, it is now."""
        held = self.holds.pop(hold_id, None)
        assert (answer.status == 409) == (held is None), "law 4: a hold is resolved once"
        if held is not None:
            self.reserved -= held
            self.resolved.append(hold_id)
        return held is None

    def refund(self, random: Random) -> None:
        if not self.used:
            return
        transaction_id = random.choice(list(self.used))
        left = self.used[transaction_id]
        amount = random.choice([left, _amount(random), Decimal(1)])
        if not amount:
            return
        answer = self._send(
            random, f"transactions/{transaction_id}/refund", {"amount": str(amount), "reason": "x"}, by_operator=True
        )
        assert (answer.status == 409) == (amount > left), "no more is refunded than was spent"
        if amount <= left:
            self.used[transaction_id] -= amount
            self.consumed -= amount
            self._after(answer)

    def repeat(self, random: Random) -> None:
        if self.sent:
            sent = random.choice(self.sent)
            again = self.api.ask(
                random, "POST", f"credits/{sent.path}", sent.credential, sent.body, once=sent.key, **sent.query
            )
            assert again.status == sent.answer.status, "law 7: the same key has the first answer"
            if again.status < 300:
                assert again.body == sent.answer.body, "law 7: the same key has the first answer"

    def misuse_key(self, random: Random) -> None:
        if self.sent:
            sent = random.choice(self.sent)
            other = self.api.ask(random, "POST", "credits/use", self.key, {"amount": "0.123456"}, once=sent.key)
            assert other.status == 409, "law 7: a key is for one request"

    def teardown(self) -> None:
        random = Random(1)
        balance = self.api.ask(random, "GET", "credits/balance", self.key).body
        sums = tuple(Decimal(balance[name]) for name in ("available", "granted", "consumed", "reserved"))
        assert sums == (self.available, self.granted, self.consumed, self.reserved), "law 2"
        transactions = self.api.ask(random, "GET", "credits/transactions", self.key, limit="200").body["data"]
        lines = [line for transaction in transactions for line in transaction["lines"]]
        assert sum((Decimal(line["amount"]) for line in lines), Decimal(0)) == 0, "law 1"
        summary = self.api.ask(random, "GET", "credits/usage/summary", self.key).body
        assert Decimal(summary["total"]["amount"]) == self.consumed
        proof = self.api.ask(random, "POST", "credits/verify", self.key, {"from_beginning": True}, once=uuid4().hex)
        assert proof.body["ok"] is True, "law 10"


def _amount(random: Random) -> Decimal:
    return random.choice([Decimal(random.randint(1, 9)), Decimal(random.randint(1, 9_000_000)).scaleb(-6)])


def test_the_laws_hold(new_process: Callable[..., XyraProcess]) -> None:
    first, second = new_process(XYRA_LIMITS="off"), new_process(XYRA_LIMITS="off")
    served = asyncio.run(Served.by(first))
    second.start()
    api = Api([first.base, second.base], served.operator_key)
    machine = type("Tried", (HttpLaws,), {"api": api})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  hypothesis has no types for it
        machine,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=4,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
