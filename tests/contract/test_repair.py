"""Repair, on every store that usage is laid out in."""

from decimal import Decimal

import pytest

from shared.domain.access.identity import Permission, Principal
from shared.domain.usage.outcomes import Verification, outcome_id
from shared.ports.store import Store
from shared.services.usage import repair
from tests.doubles.worlds.rated_organization import AGENTS, FREE, SHARDS, Scene, gauges


@pytest.fixture
async def scene(store: Store, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An organization with events of every kind and a verified outcome."""
    monkeypatch.setattr(repair, "_PAUSE_SECONDS", 0.0)
    made = Scene(store)
    await made.set_up()
    await made.steps(40)
    await made.report("search", FREE, quantity=Decimal("2.5"))
    await made.report("cost.compute", amount=Decimal("1.25"))
    await made.report("llm_call", model="no such model", input_tokens=100, output_tokens=7, cost=Decimal("0.1"))
    sale = await made.report("outcome.sale", value=Decimal(70))
    await made.rated()
    operator = Principal("usr_1", None, frozenset(Permission))
    await made.host.outcome_decisions.verify(await made.organization(), [outcome_id(sale)], Verification(), operator)
    return made


async def test_exactly_the_damaged_total_is_found_and_mended(scene: Scene) -> None:
    healthy = await scene.repaired()
    assert gauges(healthy) == []
    assert sum(report.events for report in healthy) == 44
    assert len(healthy) == SHARDS
    _, before = await scene.total()
    await scene.damage(lambda totals: totals["meters"]["level"].update(sum="0.001"))
    for mend in (False, True):
        (found,) = [each for report in await scene.repaired(mend=mend) for each in report.wrong]
        assert found.key.agent_id == AGENTS[0]
        assert [each.gauge for each in found.differences] == ["level"]
        assert found.mended is mend
    assert gauges(await scene.repaired()) == []
    _, after = await scene.total()
    assert after.document["totals"] == before.document["totals"]
