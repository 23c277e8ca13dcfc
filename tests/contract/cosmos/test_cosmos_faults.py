"""The Cosmos DB store when Cosmos DB throttles, fails, or answers nothing.

Then it is open whether a write took place.
"""

import asyncio
import time

import pytest

from shared.adapters.cosmos import CosmosAccount, CosmosStore, RetryLimits
from shared.domain.kernel.errors import UnavailableError
from shared.ports.store import (
    AlreadyExistsError,
    Create,
    Operation,
    Replace,
    StaleEtagError,
)
from tests.contract.cosmos.calls import (
    CONTAINER,
    CUT_AFTER,
    DROPPED,
    DROPPED_AFTER,
    KEY,
    LAGGING,
    PK,
    READS,
    RETRIED_FOR,
    RETRY_WITH,
    THROTTLED,
    WRITES,
    Call,
    event,
    every_read,
    every_write,
)
from tests.doubles.servers.cosmos_stub import CosmosStub, Fault, cosmos_stub, failed_batch


class TestThrottling:
    @pytest.mark.parametrize("call", [*WRITES.values(), *READS.values()], ids=[*WRITES, *READS])
    @pytest.mark.parametrize("fault", [THROTTLED, RETRY_WITH, Fault(429)], ids=["429", "449", "429-without-time"])
    async def test_a_throttled_call_is_repeated(
        self, store: CosmosStore, stub: CosmosStub, total: str, call: Call, fault: Fault
    ) -> None:
        stub.faults.extend([fault, fault])
        await call(store, total)
        assert len(stub.seen) == 3

    async def test_not_before_the_time_it_is_told(self, store: CosmosStore, stub: CosmosStub) -> None:
        stub.faults.append(Fault(429, headers={"x-ms-retry-after-ms": "120"}))
        start = time.monotonic()
        await store.get(CONTAINER, PK, "total")
        assert time.monotonic() - start >= 0.12

    async def test_after_a_number_of_attempts_the_caller_is_told(self, store: CosmosStore, stub: CosmosStub) -> None:
        stub.faults.extend([THROTTLED] * 10)
        with pytest.raises(UnavailableError) as outage:
            await store.upsert(CONTAINER, PK, event("total", n=1))
        assert outage.value.retry_after == 0.02
        assert len(stub.seen) == RETRIED_FOR.attempts
        assert store.charges.of("upsert").throttled == RETRIED_FOR.attempts

    async def test_a_wait_beyond_its_limits_is_the_callers(self, store: CosmosStore, stub: CosmosStub) -> None:
        stub.faults.append(Fault(429, headers={"Retry-After": "30"}))
        with pytest.raises(UnavailableError) as outage:
            await store.get(CONTAINER, PK, "total")
        assert outage.value.retry_after == 30
        assert len(stub.seen) == 1

    async def test_a_guard_survives_every_repetition_of_a_batch(
        self, store: CosmosStore, stub: CosmosStub, total: str
    ) -> None:
        throttled = Fault(207, body=failed_batch(3, 1, 429, retryAfterMilliseconds=10))
        stub.faults.extend([throttled, THROTTLED, throttled])
        operations: list[Operation] = [
            Create(event("new")),
            Replace(event("total", n=1), total),
            Create(event("newer")),
        ]
        await store.batch(CONTAINER, PK, operations)
        guards = [[operation.get("ifMatch") for operation in seen.body] for seen in stub.seen]
        assert guards == [[None, f'"{total}"', None]] * 4
        assert [seen.body for seen in stub.seen] == [stub.seen[0].body] * 4

    async def test_a_guard_that_became_stale_between_repetitions_holds(
        self, store: CosmosStore, stub: CosmosStub, total: str
    ) -> None:
        stub.faults.append(Fault(207, body=failed_batch(2, 1, 429, retryAfterMilliseconds=100)))
        batch = asyncio.ensure_future(WRITES["batch"](store, total))
        await stub.received()
        await store.upsert(CONTAINER, PK, event("total", n=7))
        with pytest.raises(StaleEtagError) as refusal:
            await batch
        assert refusal.value.index == 1
        assert await store.get(CONTAINER, PK, "new") is None

    @pytest.mark.parametrize("write", [WRITES["replace"], WRITES["delete"]], ids=["replace", "delete"])
    async def test_a_guard_survives_every_repetition_of_a_single_write(
        self, store: CosmosStore, stub: CosmosStub, total: str, write: Call
    ) -> None:
        stub.faults.extend([THROTTLED, THROTTLED])
        await write(store, total)
        assert [seen.body[0]["ifMatch"] for seen in stub.seen] == [f'"{total}"'] * 3


class TestUnknownOutcomes:
    """A write is sent once.

    That it may have taken place is the caller's to know.
    """

    @every_write
    @pytest.mark.parametrize("status", [408, 500, 502, 503])
    @pytest.mark.parametrize("takes_effect", [False, True], ids=["before", "after"])
    async def test_a_failing_answer(  # noqa: PLR0913  fixtures
        self, store: CosmosStore, stub: CosmosStub, total: str, write: Call, status: int, *, takes_effect: bool
    ) -> None:
        before = dict(stub.documents)
        stub.faults.append(Fault(status, takes_effect=takes_effect))
        with pytest.raises(UnavailableError):
            await write(store, total)
        assert len(stub.seen) == 1
        assert (stub.documents != before) == takes_effect

    @every_write
    @pytest.mark.parametrize("fault", [DROPPED, DROPPED_AFTER, CUT_AFTER], ids=["before", "after", "within"])
    async def test_a_connection_that_is_lost(
        self, store: CosmosStore, stub: CosmosStub, total: str, write: Call, fault: Fault
    ) -> None:
        before = dict(stub.documents)
        stub.faults.append(fault)
        with pytest.raises(UnavailableError):
            await write(store, total)
        assert len(stub.seen) == 1
        assert (stub.documents != before) == fault.takes_effect

    async def test_an_answer_that_does_not_come(self, store: CosmosStore, stub: CosmosStub, total: str) -> None:
        stub.faults.append(Fault(takes_effect=True, delay=1))
        with pytest.raises(UnavailableError):
            await store.replace(CONTAINER, PK, event("total", n=1), total)
        assert len(stub.seen) == 1

    async def test_repeating_a_write_that_took_place_says_so(
        self, store: CosmosStore, stub: CosmosStub, total: str
    ) -> None:
        for write, refusal in [
            (WRITES["create"], AlreadyExistsError),
            (WRITES["replace"], StaleEtagError),
        ]:
            stub.faults.append(DROPPED_AFTER)
            with pytest.raises(UnavailableError):
                await write(store, total)
            with pytest.raises(refusal):
                await write(store, total)


class TestReads:
    @every_read
    @pytest.mark.parametrize(
        "fault",
        [Fault(408), Fault(500), Fault(503), LAGGING, DROPPED, Fault(is_cut=True)],
        ids=["408", "500", "503", "lagging", "dropped", "cut"],
    )
    async def test_a_read_is_repeated_after_a_transient_fault(
        self, store: CosmosStore, stub: CosmosStub, total: str, read: Call, fault: Fault
    ) -> None:
        stub.faults.append(fault)
        assert await read(store, total)
        assert len(stub.seen) == 2

    @every_read
    async def test_an_outage_that_lasts_is_told(
        self, store: CosmosStore, stub: CosmosStub, total: str, read: Call
    ) -> None:
        stub.faults.extend([Fault(503)] * 20)
        with pytest.raises(UnavailableError):
            await read(store, total)
        assert 1 < len(stub.seen) < 5

    @every_read
    async def test_a_replica_that_lags_on_is_no_missing_document(
        self, store: CosmosStore, stub: CosmosStub, total: str, read: Call
    ) -> None:
        stub.faults.extend([LAGGING] * 20)
        start = time.monotonic()
        with pytest.raises(UnavailableError):
            await read(store, total)
        assert 1 < len(stub.seen) < 5
        assert time.monotonic() - start > 0.05

    async def test_a_container_that_is_missing_is_no_missing_document(
        self, store: CosmosStore, stub: CosmosStub
    ) -> None:
        stub.faults.append(Fault(404, headers={"x-ms-substatus": "1003"}))
        with pytest.raises(UnavailableError):
            await store.get(CONTAINER, PK, "total")

    @pytest.mark.parametrize("status", [404, 409, 401])
    @pytest.mark.parametrize(
        "call", [READS["get"], WRITES["create"], WRITES["replace"]], ids=["get", "create", "replace"]
    )
    async def test_a_fault_of_the_container_says_nothing_of_documents(
        self, store: CosmosStore, stub: CosmosStub, call: Call, status: int
    ) -> None:
        stub.container_faults.append(Fault(status))
        with pytest.raises(UnavailableError):
            await call(store, "etag")
        assert stub.seen == []
        await store.create(CONTAINER, PK, event("a"))

    async def test_a_fault_of_the_account_says_nothing_of_documents(self, store: CosmosStore, stub: CosmosStub) -> None:
        stub.account_faults.extend([Fault(404)] * 20)
        with pytest.raises(UnavailableError):
            await store.get(CONTAINER, PK, "total")

    async def test_a_credential_that_is_refused_is_an_outage(self, store: CosmosStore, stub: CosmosStub) -> None:
        stub.faults.append(Fault(403))
        with pytest.raises(UnavailableError):
            await store.get(CONTAINER, PK, "total")


class TestConnections:
    async def test_calls_that_come_first_together_share_one_client(self, store: CosmosStore, stub: CosmosStub) -> None:
        await asyncio.gather(*(store.get(CONTAINER, PK, "a") for _ in range(10)))
        assert stub.opened <= 2  # a client looks at the account when it is opened, and soon again

    async def test_nothing_is_opened_before_the_first_call(self, stub: CosmosStub) -> None:
        CosmosStore(CosmosAccount(stub.endpoint, "xyra", key=KEY))
        await asyncio.sleep(0)
        assert stub.opened == 0

    async def test_an_account_that_is_down_at_first(self, store: CosmosStore, stub: CosmosStub) -> None:
        stub.account_faults.extend([Fault(503)] * 20)
        with pytest.raises(UnavailableError):
            await store.create(CONTAINER, PK, event("a"))
        stub.account_faults.clear()
        await store.create(CONTAINER, PK, event("a"))

    async def test_an_account_that_cannot_be_reached_until_it_can(self) -> None:
        async with cosmos_stub() as stub:
            port = int(stub.endpoint.rpartition(":")[2])
        store = CosmosStore(CosmosAccount(stub.endpoint, "xyra", key=KEY), limits=RetryLimits(2, 0.2))
        for call in (store.get(CONTAINER, PK, "a"), store.create(CONTAINER, PK, event("a"))):
            with pytest.raises(UnavailableError):
                await call
        async with cosmos_stub(port):
            await store.create(CONTAINER, PK, event("a"))
            await store.close()

    def test_it_serves_one_event_loop_after_another(self) -> None:
        account = CosmosAccount("", "xyra", key=KEY)

        async def create(id_: str) -> None:
            async with cosmos_stub() as stub:
                account._endpoint = stub.endpoint
                store = CosmosStore(account)
                await store.create(CONTAINER, PK, event(id_))
                await store.close()

        asyncio.run(create("a"))
        asyncio.run(create("b"))

    async def test_a_cancelled_caller_leaves_the_others_alone(self, store: CosmosStore) -> None:
        calls = [asyncio.ensure_future(store.create(CONTAINER, PK, event(f"{n}"))) for n in range(5)]
        await asyncio.sleep(0)
        calls[0].cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(outcomes[0], asyncio.CancelledError)
        assert all(isinstance(outcome, str) for outcome in outcomes[1:])
