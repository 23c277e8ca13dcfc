"""The Cosmos DB store when Cosmos DB throttles, fails, or leaves it open whether a write took place."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from shared.adapters.cosmos import CosmosAccount, CosmosStore, RequestCharges, RetryLimits
from shared.domain.kernel.errors import UnavailableError
from shared.ports.store import (
    AlreadyExistsError,
    Create,
    Delete,
    Item,
    Operation,
    Replace,
    StaleEtagError,
    StoreLimitError,
    Upsert,
)
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers.cosmos_stub import CosmosStub, Fault, cosmos_stub, failed_batch

CONTAINER = "ledgers"
PK = "org_1:usage:0"
KEY = "a2V5IHRoYXQgbXVzdCBub3QgYmUgbG9nZ2Vk"
RETRIED_FOR = RetryLimits(attempts=4, seconds=2)

DROPPED = Fault()
DROPPED_AFTER = Fault(takes_effect=True)
CUT_AFTER = Fault(takes_effect=True, is_cut=True)
THROTTLED = Fault(429, headers={"x-ms-retry-after-ms": "20"})
RETRY_WITH = Fault(449)
LAGGING = Fault(404, headers={"x-ms-substatus": "1002"})
"""A replica that has not come as far as the client's own writes."""


def event(id_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "kind": "event", **fields}


@pytest.fixture
async def stub() -> AsyncIterator[CosmosStub]:
    async with cosmos_stub() as stub:
        yield stub


@pytest.fixture
async def store(stub: CosmosStub) -> AsyncIterator[CosmosStore]:
    store = CosmosStore(CosmosAccount(stub.endpoint, "xyra", key=KEY, read_timeout=0.5), limits=RETRIED_FOR)
    yield store
    await store.close()


@pytest.fixture
async def total(store: CosmosStore, stub: CosmosStub) -> str:
    """The etag of a document that is there before the faults begin."""
    etag = await store.create(CONTAINER, PK, event("total", n=0))
    stub.seen.clear()
    return etag


Call = Callable[[CosmosStore, str], Awaitable[Any]]
WRITES: dict[str, Call] = {
    "create": lambda store, _: store.create(CONTAINER, PK, event("new")),
    "replace": lambda store, etag: store.replace(CONTAINER, PK, event("total", n=1), etag),
    "upsert": lambda store, _: store.upsert(CONTAINER, PK, event("total", n=1)),
    "delete": lambda store, etag: store.delete(CONTAINER, PK, "total", etag),
    "batch": lambda store, etag: store.batch(CONTAINER, PK, [Create(event("new")), Replace(event("total", n=1), etag)]),
}
READS: dict[str, Call] = {
    "get": lambda store, _: store.get(CONTAINER, PK, "total"),
    "get_many": lambda store, _: store.get_many(CONTAINER, PK, ["total", "other"]),
    "query": lambda store, _: store.query(CONTAINER, PK, "event"),
}
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
every_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


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
    """A write is sent once; that it may have taken place is the caller's to know."""

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


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "error"),
        [(409, AlreadyExistsError), (412, StaleEtagError), (404, StaleEtagError), (413, StoreLimitError)],
    )
    @pytest.mark.parametrize("index", [0, 2])
    async def test_the_operation_that_failed_a_batch_is_named(
        self, store: CosmosStore, stub: CosmosStub, status: int, error: type[AlreadyExistsError], index: int
    ) -> None:
        stub.faults.append(Fault(207, body=failed_batch(3, index, status)))
        with pytest.raises(error) as refusal:
            await store.batch(CONTAINER, PK, [Replace(event(f"{n}"), "etag") for n in range(3)])
        assert refusal.value.index == index
        assert len(stub.seen) == 1

    @pytest.mark.parametrize("status", [408, 500, 503])
    async def test_a_batch_whose_operation_failed_in_another_way_is_open(
        self, store: CosmosStore, stub: CosmosStub, status: int
    ) -> None:
        stub.faults.append(Fault(207, body=failed_batch(2, 1, status)))
        with pytest.raises(UnavailableError):
            await store.batch(CONTAINER, PK, [Create(event("a")), Create(event("b"))])
        assert len(stub.seen) == 1

    async def test_what_is_too_large_for_cosmos_db_alone(self, store: CosmosStore, stub: CosmosStub) -> None:
        stub.faults.append(Fault(413))
        with pytest.raises(StoreLimitError):
            await store.create(CONTAINER, PK, event("a"))

    @pytest.mark.usefixtures("total")
    async def test_deletes_of_what_is_gone_do_not_stop_a_batch(self, store: CosmosStore) -> None:
        operations: list[Operation] = [
            Delete("gone"),
            Upsert(event("total", n=1)),
            Delete("gone, too"),
            Create(event("new")),
        ]
        etags = await store.batch(CONTAINER, PK, operations)
        found = await store.get_many(CONTAINER, PK, ["total", "new"])
        assert etags == ["", found["total"].etag, "", found["new"].etag]

    @pytest.mark.usefixtures("total")
    async def test_a_failure_behind_such_a_delete_has_its_own_index(self, store: CosmosStore) -> None:
        with pytest.raises(AlreadyExistsError) as refusal:
            await store.batch(CONTAINER, PK, [Delete("gone"), Create(event("new")), Create(event("total"))])
        assert refusal.value.index == 2
        assert await store.batch(CONTAINER, PK, [Delete("gone")]) == [""]


class TestStoredForm:
    async def test_a_document_comes_back_as_it_was(self, store: CosmosStore, stub: CosmosStub) -> None:
        document = event("a", due_at="2026", ttl=60, text="ü")
        etag = await store.create(CONTAINER, PK, document)
        assert await store.get(CONTAINER, PK, "a") == Item(document, etag)
        stored = stub.documents[PK, "a"]
        assert stored["pk"] == PK
        assert stored["_etag"] == f'"{etag}"'

    @every_write
    async def test_a_write_asks_for_no_document_back(
        self, store: CosmosStore, stub: CosmosStub, total: str, write: Call
    ) -> None:
        await write(store, total)
        assert [seen.headers["Prefer"] for seen in stub.seen] == ["return=minimal"]


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


class TestAccounting:
    @pytest.mark.usefixtures("total")
    async def test_requests_and_charges_are_counted_by_purpose(self, store: CosmosStore, stub: CosmosStub) -> None:
        await store.get(CONTAINER, PK, "total")
        stub.faults.append(Fault(429, headers={"x-ms-retry-after-ms": "1", "x-ms-request-charge": "0.5"}))
        await store.batch(CONTAINER, PK, [Create(event("a")), Create(event("b"))])
        with pytest.raises(AlreadyExistsError):
            await store.create(CONTAINER, PK, event("a"))
        stub.faults.append(DROPPED)
        await store.query(CONTAINER, PK, "event")
        charges = store.charges
        assert (charges.of("get").requests, charges.of("get").units) == (1, 2.5)
        batch = charges.of("batch")
        assert (batch.requests, batch.throttled, batch.units, batch.operations) == (2, 1, 3.0, 4)
        assert (charges.of("create").requests, charges.of("create").units) == (2, 5.0)
        assert charges.of("query").requests == 2
        assert charges.total().requests == 7
        assert batch.bytes == 4 * len('{"id":"a","kind":"event"}')
        assert charges.of("query").unstated == 1
        assert charges.total().unstated == 1

    @pytest.mark.usefixtures("total")
    async def test_documents_are_counted_by_what_is_done_with_them(self, store: CosmosStore) -> None:
        await store.batch(CONTAINER, PK, [Create(event("a")), Create(event("b")), Upsert(event("b")), Delete("a")])
        await store.get(CONTAINER, PK, "a")
        await store.get(CONTAINER, PK, "b")
        await store.query(CONTAINER, PK, "event")
        assert store.charges.of("batch").writes == {"create": 2, "upsert": 1, "delete": 1}
        assert store.charges.of("get").documents == 1
        assert store.charges.of("query").documents == 2

    async def test_what_the_indexes_take_in_is_counted(self, store: CosmosStore) -> None:
        """`pk` and `kind` always; `time` once for itself and once for its order."""
        await store.create(CONTAINER, PK, event("a", content="not indexed"))
        assert store.charges.of("create").indexed_terms == 2
        await store.create(CONTAINER, PK, event("b", due_at="2026", time="2026"))
        assert store.charges.of("create").indexed_terms == 2 + 5

    @pytest.mark.parametrize("headers", [{}, {"x-ms-request-charge": "much"}, {"x-ms-request-charge": "nan"}])
    async def test_an_answer_that_does_not_say_its_charge(
        self, store: CosmosStore, stub: CosmosStub, caplog: pytest.LogCaptureFixture, headers: dict[str, str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        await store.create(CONTAINER, PK, event("a"))
        stub.faults.append(Fault(200, headers=headers, body=[{"statusCode": 201, "eTag": '"1"'}], takes_effect=True))
        await store.create(CONTAINER, PK, event("b"))
        charge = store.charges.of("create")
        assert (charge.requests, charge.unstated, charge.units) == (2, 1, 2.5)
        lines = [record.__dict__ for record in caplog.records if record.message == "store request"]
        assert [line["request_units"] for line in lines] == [2.5, None]
        assert [line["writes"] for line in lines] == [{"create": 1}] * 2

    async def test_once_a_minute_and_at_the_end_what_was_spent_is_logged_by_purpose(
        self, stub: CosmosStub, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        seconds = SettableSeconds()
        account = CosmosAccount(stub.endpoint, "xyra", key=KEY, read_timeout=0.5)
        store = CosmosStore(account, limits=RETRIED_FOR, charges=RequestCharges(seconds))

        def reported() -> dict[str, dict[str, Any]]:
            lines = [each.__dict__ for each in caplog.records if each.message == "store requests"]
            caplog.clear()
            assert {line["levelname"] for line in lines} <= {"INFO"}
            assert len({line["purpose"] for line in lines}) == len(lines)
            return {line["purpose"]: line for line in lines}

        await store.batch(CONTAINER, PK, [Create(event("a")), Create(event("b"))])
        stub.faults.append(Fault(429, headers={"x-ms-retry-after-ms": "1", "x-ms-request-charge": "0.5"}))
        await store.get(CONTAINER, PK, "a")
        stub.faults.append(DROPPED)
        await store.query(CONTAINER, PK, "event")
        seconds.advance(59)
        await store.get(CONTAINER, PK, "b")
        assert reported() == {}
        seconds.advance(2)
        await store.get(CONTAINER, PK, "b")
        spent = reported()
        assert set(spent) == {"batch", "get", "query"}
        assert (spent["batch"]["requests"], spent["batch"]["request_units"]) == (1, 2.5)
        assert spent["batch"]["writes"] == {"create": 2}
        assert (spent["get"]["requests"], spent["get"]["request_units"], spent["get"]["documents"]) == (4, 8.0, 3)
        assert (spent["get"]["throttled"], spent["get"]["seconds"]) == (1, 61.0)
        assert (spent["query"]["requests"], spent["query"]["request_units"], spent["query"]["unstated"]) == (2, 2.5, 1)
        await store.get(CONTAINER, PK, "a")
        assert reported() == {}
        seconds.advance(300)
        await store.get(CONTAINER, PK, "a")
        assert {purpose: line["requests"] for purpose, line in reported().items()} == {"get": 2}
        assert store.charges.total().requests == 9
        seconds.advance(3)
        await store.delete(CONTAINER, PK, "a")
        await store.close()
        assert {purpose: line["seconds"] for purpose, line in reported().items()} == {"delete": 3.0}

    async def test_a_slow_call_is_a_warning_and_nothing_secret_is_logged(
        self, stub: CosmosStub, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        store = CosmosStore(CosmosAccount(stub.endpoint, "xyra", key=KEY))
        stub.faults.append(Fault(takes_effect=True, delay=0.6))
        await store.create(CONTAINER, PK, event("a", text="of the document"))
        await store.get(CONTAINER, PK, "a")
        await store.close()
        lines = [record for record in caplog.records if record.message == "store request"]
        assert [line.levelname for line in lines] == ["WARNING", "DEBUG"]
        assert [line.__dict__["purpose"] for line in lines] == ["create", "get"]
        assert lines[1].__dict__["request_units"] == 2.5
        logged = "\n".join(str(record.__dict__) for record in caplog.records)
        assert KEY not in logged
        assert "of the document" not in logged
        assert "org_1" not in logged  # partition keys may hold e-mail addresses
