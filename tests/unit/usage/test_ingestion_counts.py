"""Counters of what arrives: windows, bounds, several processes, a store that fails."""

import asyncio
from datetime import timedelta

import pytest

from shared.containers import LEDGERS
from shared.domain.kernel.errors import UnavailableError
from shared.domain.usage.ingestion import MAXIMUM_PAIRS, MAXIMUM_ROWS, MAXIMUM_WARNINGS, OTHERS, Window
from shared.services.usage.ingestion_counts import IngestionCounts
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.served_endpoint import NOW

ORGANIZATION = "org_1"
SENT = ("key_1", "api", "command")


async def accepted(counts: IngestionCounts, window: Window = "hour") -> int:
    report = await counts.report(ORGANIZATION, window)
    return sum(row.counts.get("accepted", 0) for row in report.rows)


async def test_processes_add_up_in_every_window() -> None:
    store, clock = MemoryStore(), SettableClock(NOW)
    first, second = IngestionCounts(store, clock), IngestionCounts(store, clock)
    for _ in range(3):
        first.count(ORGANIZATION, [SENT, SENT], "accepted")
        second.count(ORGANIZATION, [SENT], "accepted")
        await first.write()
        await second.write()
    for window in ("hour", "day", "month"):
        assert await accepted(first, window) == 9
    (row,) = (await second.report(ORGANIZATION, "hour")).rows
    assert (row.sender, row.counts) == (SENT, {"accepted": 9})
    assert (await first.report("org_2", "hour")).rows == ()


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        ("hour", timedelta(minutes=60), timedelta(minutes=66)),
        ("day", timedelta(hours=24), timedelta(hours=26)),
        ("month", timedelta(days=30), timedelta(days=32)),
    ],
)
async def test_a_window_ends_now(window: Window, inside: timedelta, outside: timedelta) -> None:
    clock = SettableClock(NOW)
    counts = IngestionCounts(MemoryStore(), clock)
    counts.count(ORGANIZATION, [SENT], "accepted")
    await counts.write()
    clock.move(inside)
    assert await accepted(counts, window) == 1
    report = await counts.report(ORGANIZATION, window)
    assert report.start <= NOW
    clock.move(outside - inside)
    assert await accepted(counts, window) == 0
    assert (await counts.report(ORGANIZATION, window)).start > NOW


async def test_rows_and_warnings_are_bounded_and_nothing_is_left_out_of_the_sums() -> None:
    counts = IngestionCounts(MemoryStore(), SettableClock(NOW))
    for key in range(30):
        for pair in range(MAXIMUM_PAIRS + 10):
            counts.count(ORGANIZATION, [(f"key_{key}", f"source-{pair}", "command")], "accepted")
    for number in range(3 * MAXIMUM_WARNINGS):
        counts.warn(ORGANIZATION, "doubled", library="ai", service=f"service-{number}")
    for _ in range(2):
        report = await counts.report(ORGANIZATION, "month")
        assert sum(row.counts["accepted"] for row in report.rows) == 30 * (MAXIMUM_PAIRS + 10)
        assert len(report.rows) <= MAXIMUM_ROWS + 31
        assert sum(row.sender.reporter == "key_0" for row in report.rows) == MAXIMUM_PAIRS + 1
        assert sum(warning.count for warning in report.warnings) == 3 * MAXIMUM_WARNINGS
        assert len(report.warnings) == MAXIMUM_WARNINGS + 1


async def test_events_without_a_type_take_no_more_rows_than_others() -> None:
    counts = IngestionCounts(MemoryStore(), SettableClock(NOW))
    for number in range(3 * MAXIMUM_PAIRS):
        counts.count(ORGANIZATION, [("key", f"source-{number}", OTHERS)], "refused.malformed")
    report = await counts.report(ORGANIZATION, "hour")
    assert sum(row.counts["refused.malformed"] for row in report.rows) == 3 * MAXIMUM_PAIRS
    assert len(report.rows) == MAXIMUM_PAIRS + 1


async def test_a_trace_is_warned_of_with_its_library_and_service() -> None:
    counts = IngestionCounts(MemoryStore(), SettableClock(NOW))
    counts.warn(ORGANIZATION, "id_reused", library="ai", service="helpdesk", count=2)
    counts.warn(ORGANIZATION, "id_reused", library="ai", service="helpdesk")
    (warning,) = (await counts.report(ORGANIZATION, "day")).warnings
    assert (tuple(warning.warning), warning.count) == (("id_reused", "ai", "helpdesk"), 3)


class Failing(MemoryStore):
    """Whose writes of counters fail."""

    fails = True

    async def batch(self, container, pk, operations):  # type: ignore[no-untyped-def]
        if self.fails and container == LEDGERS.name:
            raise UnavailableError("the store is down")
        return await super().batch(container, pk, operations)


async def test_what_cannot_be_written_is_written_later() -> None:
    store = Failing()
    counts = IngestionCounts(store, SettableClock(NOW))
    counts.count(ORGANIZATION, [SENT], "accepted")
    await counts.write()
    counts.count(ORGANIZATION, [SENT], "accepted")
    assert await accepted(counts) == 0
    store.fails = False
    assert await accepted(counts) == 2


class Slow(MemoryStore):
    """Whose writes for one organization take until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()

    async def batch(self, container, pk, operations):  # type: ignore[no-untyped-def]
        if pk.startswith("org_slow:"):
            await self.goes_on.wait()
        return await super().batch(container, pk, operations)


async def test_a_slow_organization_holds_up_no_other() -> None:
    store = Slow()
    counts = IngestionCounts(store, SettableClock(NOW))
    counts.count("org_slow", [SENT], "accepted")
    everything = asyncio.create_task(counts.write())
    for _ in range(3):
        counts.count(ORGANIZATION, [SENT], "accepted")
        async with asyncio.timeout(5):
            await accepted(counts)
    assert await accepted(counts) == 3
    assert not everything.done()
    counts.count("org_slow", [SENT], "accepted")
    store.goes_on.set()
    await everything
    (row,) = (await counts.report("org_slow", "hour")).rows
    assert row.counts == {"accepted": 2}


async def test_what_is_left_is_written_at_the_end() -> None:
    store, clock = MemoryStore(), SettableClock(NOW)
    counts = IngestionCounts(store, clock)
    counts.count(ORGANIZATION, [SENT], "accepted")
    await counts.close()
    assert await accepted(IngestionCounts(store, clock)) == 1
