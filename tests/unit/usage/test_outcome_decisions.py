"""What the store does not take is refused alone, with its reason.

Nothing of it is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import ConflictError
from shared.domain.usage.outcomes import SYSTEM_TOTAL_OF, Outcome, Verification, outcome_id
from shared.ports.store import Delete, Operation, StoreLimitError
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.worlds.rated_organization import Scene

OPERATOR = Principal("usr_1", None, frozenset(Permission))
OUTCOMES = 250


@dataclass
class StrictStore(MemoryStore):
    """Refuses batches with a verified outcome of `refused`."""

    refused: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        documents = [each.document for each in operations if not isinstance(each, Delete)]
        if any(each["id"] in self.refused and each["status"] == "verified" for each in documents):
            raise StoreLimitError("Too much")
        return await super().batch(container, pk, operations)


@pytest.mark.parametrize("refused", [{0}, {57, 58, 249}, set(range(100)), set(range(OUTCOMES))], ids=len)
async def test_what_is_refused_alone_leaves_its_neighbours_alone(refused: set[int]) -> None:
    store = StrictStore()
    scene = Scene(store)
    await scene.set_up()
    ids = [outcome_id(await scene.report("outcome.sale", value=Decimal(10))) for _ in range(OUTCOMES)]
    await scene.rated()
    store.refused = {ids[number] for number in refused}
    organization = await scene.organization()
    results = await scene.host.outcome_decisions.verify(organization, ids, Verification(), OPERATOR)
    assert set(results) == set(ids)
    for id_, result in results.items():
        if id_ in store.refused:
            assert isinstance(result, ConflictError)
            assert result.detail == "The decision cannot be kept: Too much"
            assert (await scene.host.outcomes.get(organization, id_)).outcome.status == "pending"
        else:
            assert isinstance(result, Outcome)
            assert result.status == "verified"
    states = (await scene.host.outcomes.statistics(organization, None, None)).by_status
    assert {status: states[status].count for status in SYSTEM_TOTAL_OF} == {
        "pending": len(refused),
        "verified": OUTCOMES - len(refused),
        "rejected": 0,
        "reversed": 0,
    }
