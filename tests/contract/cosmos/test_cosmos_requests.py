"""What the Cosmos DB store sends and reads: refusals, stored documents, request charges."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.cosmos import CosmosAccount, CosmosStore, RequestCharges
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
from tests.contract.cosmos.calls import CONTAINER, DROPPED, KEY, PK, RETRIED_FOR, Call, event, every_write
from tests.doubles.fakes.settable_seconds import SettableSeconds
from tests.doubles.servers.cosmos_stub import CosmosStub, Fault, failed_batch


async def test_each_answer_tells_how_far_the_clocks_differ(store: CosmosStore, stub: CosmosStub) -> None:
    assert store.clock_difference() == timedelta(0)
    stub.faults.append(Fault(404, headers={"Date": "Wed, 18 Nov 2020 10:00:00 GMT"}))
    await store.get(CONTAINER, PK, "a")
    assert store.clock_difference() < -timedelta(days=365)
    stub.faults.append(Fault(404, headers={"Date": "yesterday"}))
    await store.get(CONTAINER, PK, "a")
    assert store.clock_difference() < -timedelta(days=365)
    await store.get(CONTAINER, PK, "a")
    assert abs(store.clock_difference()) < timedelta(seconds=30)


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
