"""Distinct values of a unique meter: items of their own, so that totals do not grow with them."""

import json
from collections.abc import Sequence

from shared.adapters.usage.item_usage import ItemUsage
from shared.containers import LEDGERS
from shared.ports.store import Operation
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.distinct_values import number_of
from tests.doubles.worlds.plain_meters import OCTOBER, Happened, Metered
from tests.doubles.worlds.sharded_usage import ORGANIZATION, YEAR, metered, of_a_meter


class MeasuringStore(MemoryStore):
    """Remembers how many operations its batches had, and how large the totals in them were."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[int] = []
        self.totals: list[int] = []

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        assert container == LEDGERS.name
        self.operations.append(len(operations))
        self.totals += [
            len(json.dumps(operation.document))
            for operation in operations
            if not hasattr(operation, "id") and operation.document["kind"] == "total"
        ]
        return await super().batch(container, pk, operations)


async def test_neither_totals_nor_transactions_grow_with_the_values_that_were_seen():
    """Each event brings a value that was never seen before."""
    priced = of_a_meter(Metered("unique", "all", "as it is"))
    store = MeasuringStore()
    usage = ItemUsage(store, YEAR)

    async def record(first: int, count: int) -> None:
        events = [
            Happened(f"evt_{number}", "command", "a", OCTOBER.start, "ada", {"user": number})
            for number in range(first, first + count)
        ]
        await usage.record(ORGANIZATION, [1], [metered(event, priced) for event in events])

    await record(0, 32)
    sizes, operations = store.totals[-1], store.operations[-1]
    await record(32, 992)
    assert max(store.totals) - sizes == 2 * (len("1024") - len("32"))  # the numbers of events and values, nothing else
    assert operations == 98  # 32 events, the values of their agent and of the line, and both totals
    assert max(store.operations) == operations
    (total,) = await usage.totals(ORGANIZATION, 1, OCTOBER.start)
    assert number_of(total.totals.reading("metered")) == 1024
