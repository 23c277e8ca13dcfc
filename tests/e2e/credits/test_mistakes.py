"""The mistakes of other ledgers, tried over HTTP on one host and on two that share a file."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from shared.domain.kernel.times import to_text
from tests.doubles.clients.hosts import Served, TimeMachine
from tests.doubles.clients.xyra_client import Answer, Client, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess

Json = dict[str, Any]
UNKNOWN_HOLD = "hold_00000000000000000000000000"


async def send(client: Client, path: str, body: Json | None = None, key: str | None = None, **query: str) -> Answer:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return await client.send("POST", f"credits/{path}", body or {}, headers=headers, **query)


async def given(organization: Organization, amount: str, **fields: Any) -> str:
    body = {"organization_id": organization.id, "amount": amount, "source": "bonus", **fields}
    return str((await send(organization.operator, "grants", body)).expect(201)["grant_id"])


async def available(client: Client) -> str:
    return str((await client.get("credits/balance"))["available"])


async def proved(client: Client) -> bool:
    proof = await client.post("credits/verify", {"from_beginning": True}, expect=202)
    return bool(proof["ok"])


async def burnt(client: Client, transaction_id: str) -> list[tuple[str, str]]:
    transaction = await client.get(f"credits/transactions/{transaction_id}")
    return [(part["grant_id"], part["amount"]) for part in transaction["parts"]]


async def test_a_capture_of_nothing_or_of_too_much_or_of_what_never_was(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "10")
    hold = (await send(organization.key, "reserve", {"amount": "4"})).expect(201)["hold_id"]
    for amount in ("0", "-1", "1e30", "1e-30", "abc"):
        wrong = await send(organization.key, f"holds/{hold}/capture", {"amount": amount})
        assert wrong.problem(422, "validation") == ["/amount"], amount
    (await send(organization.key, f"holds/{hold}/capture", {"amount": "4.000001"})).problem(422, "validation")
    for step in ("capture", "release"):
        (await send(organization.key, f"holds/{UNKNOWN_HOLD}/{step}")).problem(404, "not_found")
    assert (await send(organization.key, f"holds/{hold}/capture", {"amount": "3"})).expect(200)["returned"] == "1"
    for step in ("capture", "release"):
        (await send(organization.key, f"holds/{hold}/{step}")).problem(409, "hold_resolved")
    assert await available(organization.key) == "7"


async def test_a_key_is_for_one_route_and_one_body(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "10")
    (await send(organization.key, "use", {"amount": "1"}, "k")).expect(200)
    (await send(organization.key, "use", {"amount": "2"}, "k")).problem(409, "idempotency_conflict")
    (await send(organization.key, "reserve", {"amount": "1"}, "k")).problem(409, "idempotency_conflict")
    (await send(organization.key, "use", {"amount": "1", "run": "r"}, "k")).problem(409, "idempotency_conflict")
    assert await available(organization.key) == "9"


async def test_an_unknown_action_costs_one_in_any_quantity(xyra: Xyra) -> None:
    organization = await xyra.organization()
    await given(organization, "10")
    unknown = {"agent_type": "ResearchAgent", "action": f"unheard of {uuid4().hex}", "quantity": "2.5"}
    assert (await send(organization.key, "use", unknown)).expect(200)["amount"] == "2.5"
    for quantity in ("0", "-1", "1e30"):
        wrong = await send(organization.key, "use", unknown | {"quantity": quantity})
        assert wrong.problem(422, "validation") == ["/quantity"]


async def test_grants_that_are_none(xyra: Xyra) -> None:
    organization = await xyra.organization()
    body = {"organization_id": organization.id, "amount": "5", "source": "bonus"}
    rollover = {"maximum": "5", "days": 3}
    for wrong, pointer in (
        ({"amount": "-5"}, "/amount"),
        ({"amount": "0.0000001"}, "/amount"),
        ({"source": "gift"}, "/source"),
        ({"rollover": rollover}, "/expires_at"),
        ({"rollover": rollover | {"days": 0}, "expires_at": "2030-01-01T00:00:00Z"}, "/rollover/days"),
    ):
        assert (await send(organization.operator, "grants", body | wrong)).problem(422, "validation") == [pointer]
    past = await send(organization.operator, "grants", body | {"expires_at": "2020-01-01T00:00:00Z"})
    past.problem(422, "validation")
    (await send(organization.key, "grants", body)).problem(403, "forbidden")
    assert (await organization.key.get("credits/balance"))["granted"] == "0"


async def test_five_grants_burn_to_the_credit_in_their_order(xyra: Xyra) -> None:
    organization = await xyra.organization()
    later, sooner = (to_text(datetime.now(UTC) + timedelta(days=days)) for days in (9, 5))
    old = await given(organization, "10")
    late = await given(organization, "10", expires_at=later)
    urgent = await given(organization, "10", priority=10)
    soon = await given(organization, "10", expires_at=sooner, source="purchase")
    promotional = await given(organization, "10", promotional=True)
    await given(organization, "10", kind="images", priority=0)
    used = (await send(organization.key, "use", {"amount": "12.5"})).expect(200)
    assert await burnt(organization.key, used["transaction_id"]) == [(urgent, "10"), (soon, "2.5")]
    used = (await send(organization.key, "use", {"amount": "36.999999"})).expect(200)
    order = [(soon, "7.5"), (late, "10"), (promotional, "10"), (old, "9.499999")]
    assert await burnt(organization.key, used["transaction_id"]) == order
    assert await available(organization.key) == "0.500001"
    assert await proved(organization.key)


async def test_a_grant_ends_at_midnight_where_the_organization_is(time_machine: TimeMachine) -> None:
    """An instant: in Auckland the day has begun eleven hours before it does in London."""
    xyra = time_machine.xyra
    await time_machine.at("2027-01-10T10:00:00Z")
    organization = await xyra.organization(timezone="Pacific/Auckland")
    await given(organization, "10", expires_at="2027-01-11T00:00:00+13:00")
    hold = (await send(organization.key, "reserve", {"amount": "4", "expires_in": 7200})).expect(201)["hold_id"]
    await time_machine.at("2027-01-10T10:59:58Z")
    assert await available(organization.key) == "6"
    await time_machine.at("2027-01-10T11:00:00Z")
    assert await available(organization.key) == "0"
    (await send(organization.key, "use", {"amount": "0.000001"})).problem(402, "insufficient_credits")
    captured = (await send(organization.key, f"holds/{hold}/capture", {"amount": "1"})).expect(200)
    assert (captured["amount"], captured["returned"], captured["available"]) == ("1", "3", "0")
    found = await organization.key.get("credits/balance")
    assert (found["expired"], found["consumed"]) == ("9", "1")
    summary = await organization.key.get("credits/usage/summary")
    assert [(group["name"], group["amount"]) for group in summary["data"]] == [("2027-01-11", "1")]


async def test_what_rolls_over_is_there_for_its_time(time_machine: TimeMachine) -> None:
    await time_machine.at("2027-02-01T10:00:00Z")
    organization = await time_machine.xyra.organization()
    rollover = {"maximum": "30", "days": 2}
    plan = {"source": "subscription", "expires_at": "2027-02-02T00:00:00Z", "rollover": rollover}
    await given(organization, "100", **plan)
    await time_machine.at("2027-02-02T00:00:01Z")
    assert await available(organization.key) == "30"
    (await send(organization.key, "use", {"amount": "10"})).expect(200)
    (grant,) = (await organization.key.get("credits/grants"))["data"]
    assert (grant["remaining"], grant["expires_at"], grant["rollover"]) == ("20", "2027-02-04T00:00:00Z", rollover)
    await time_machine.at("2027-02-04T00:00:00Z")
    found = await organization.key.get("credits/balance")
    assert (found["available"], found["expired"], found["consumed"]) == ("0", "90", "10")
    assert await proved(organization.key)


async def test_two_hosts(new_process: Callable[..., XyraProcess]) -> None:
    """A 402 right after a grant on the other host, one hold resolved on both at once, and clocks 20 s apart."""
    first, second = new_process(), new_process()
    served = await Served.by(first)
    await asyncio.to_thread(second.start)
    other = Served(second, served.description, served.operator_key)
    async with served.clients() as xyra, other.clients() as there:
        organization = await xyra.organization()
        elsewhere = there.again(organization)
        (await send(elsewhere.key, "use", {"amount": "1"})).problem(402, "insufficient_credits")
        for number in range(1, 6):
            giving, asking = (organization, elsewhere) if number % 2 else (elsewhere, organization)
            await given(giving, "3")
            assert (await send(asking.key, "use", {"amount": "2"})).expect(200)["available"] == str(number)
        for _ in range(5):
            hold = (await send(organization.key, "reserve", {"amount": "1"})).expect(201)["hold_id"]
            resolved = await asyncio.gather(
                *(send(client.key, f"holds/{hold}/release") for client in (organization, elsewhere) for _ in range(4))
            )
            assert sorted(answer.status for answer in resolved) == [200, *[409] * 7]
        assert await available(elsewhere.key) == "5"
        transactions = (await elsewhere.key.get("credits/transactions", limit="200"))["data"]
        times = [each["time"] for each in transactions]
        assert times == sorted(times, reverse=True)
        assert sum(Decimal(line["amount"]) for each in transactions for line in each["lines"]) == 0
        assert await proved(organization.key)


async def test_clocks_that_differ_at_midnight(new_process: Callable[..., XyraProcess], tmp_path: Path) -> None:
    """What one host has let lapse does not come back on another one, for whom it is still the day before."""
    clocks = [tmp_path / name for name in ("slow", "fast")]
    for clock, now in zip(clocks, ("2027-01-10T20:00:00Z", "2027-01-10T20:00:20Z"), strict=True):
        clock.write_text(now, encoding="utf-8")
    slow, fast = (new_process(XYRA_CLOCK_FILE=str(clock)) for clock in clocks)
    served = await Served.by(slow)
    await asyncio.to_thread(fast.start)
    other = Served(fast, served.description, served.operator_key)
    async with served.clients() as xyra, other.clients() as there:
        organization = await xyra.organization()
        elsewhere = there.again(organization)
        await given(organization, "10", expires_at="2027-01-11T00:00:00Z")
        await given(organization, "5")
        clocks[0].write_text("2027-01-10T23:59:40Z", encoding="utf-8")
        clocks[1].write_text("2027-01-11T00:00:00Z", encoding="utf-8")
        assert (await send(elsewhere.key, "use", {"amount": "1"})).expect(200)["available"] == "4"
        (await send(organization.key, "use", {"amount": "5"})).problem(402, "insufficient_credits")
        assert (await send(organization.key, "use", {"amount": "2"})).expect(200)["available"] == "2"
        transactions = (await organization.key.get("credits/transactions"))["data"]
        times = [each["time"] for each in transactions]
        assert times == sorted(times, reverse=True)
        assert min(times[:2]) > "2027-01-11T00:00:00"
        assert await proved(organization.key)
