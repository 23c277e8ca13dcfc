"""Names that are stored or sent, where Python calls the same thing by another name: they never change.

A data directory that was made by an earlier version is read by these names.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.adapters.usage.documents import discarded_document, event_document, tombstone_document
from shared.adapters.usage.item_parked_events import ItemParkedEvents
from shared.containers import LEDGERS
from shared.domain.kernel.times import to_text
from shared.domain.metering.bands import Bands, OrderedEvent
from shared.domain.metering.readings import CountAndSum
from shared.domain.metering.stored_readings import document_of
from shared.domain.provider_costs.costs import (
    BYOK_BY_MODEL,
    DIFFERENCE_BY_MODEL,
    PROVIDER_COST,
    REPORTED_BY_MODEL,
    REPORTED_COST,
    UNPRICED,
    EventCost,
)
from shared.domain.usage.events import NO_VERSION, AcceptedEvent, TotalKey
from shared.domain.usage.outcomes import SYSTEM_TOTAL_OF
from shared.domain.usage.totals import Contribution
from shared.ports.usage import MeteredEvent
from shared.services.agents.agents import AGENT_STARTED, AgentExternalIdClaim
from shared.services.periods.periods import PeriodItem
from shared.services.periods.rebilling import PERIOD_CHANGED
from shared.services.runs.runs import KeyClaim
from shared.services.storage import Claim
from shared.services.storage.claims import NameClaim
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.settable_clock import SettableClock

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
TIME = "2026-10-05T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        (NO_VERSION, "-"),
        (PROVIDER_COST, "$cost."),
        (REPORTED_COST, "$stated_cost"),
        (UNPRICED, "$unpriced"),
        (REPORTED_BY_MODEL, "$reported."),
        (DIFFERENCE_BY_MODEL, "$difference."),
        (BYOK_BY_MODEL, "$byok."),
        (SYSTEM_TOTAL_OF["verified"], "$outcome_value"),
        (PERIOD_CHANGED, "period_moved"),
        (AGENT_STARTED, "agent_started"),
    ],
)
def test_texts(name: str, stored: str) -> None:
    assert name == stored


def test_readings() -> None:
    assert document_of(CountAndSum(2, Decimal(3))) == {"kind": "tally", "count": 2, "sum": "3"}
    first = (OrderedEvent(TIME, "evt_1", Decimal(3), "between"),)
    assert document_of(Bands(2, first, 1, CountAndSum(1, Decimal(4)), 5)) == {
        "kind": "bands",
        "keeps": 2,
        "first": [[TIME, "evt_1", "3", "between"]],
        "minimum": 1,
        "between": {"count": 1, "sum": "4"},
        "maximum": 5,
    }


def test_a_period_that_changed_after_its_end() -> None:
    period = PeriodItem(
        id="period", start=OCTOBER, end=NOVEMBER, timezone="UTC", changes_after_end=2, changed_after_end_at=NOVEMBER
    )
    document = period.document()
    assert (document["movements"], document["moved_at"]) == (2, to_text(NOVEMBER))


@pytest.mark.parametrize(
    ("claim", "holder"),
    [
        (NameClaim(id="name_1", of="project", holder_id="prj_1"), {"thing_id": "prj_1", "of": "project"}),
        (
            AgentExternalIdClaim(id="ext_1", external_id="sales", holder_id="agt_1"),
            {"agent_id": "agt_1", "external_id": "sales"},
        ),
        (KeyClaim(id="runkey_1", holder_id="run_1"), {"run_id": "run_1"}),
    ],
)
def test_who_holds_a_claimed_value(claim: Claim, holder: dict[str, str]) -> None:
    assert claim.document() == {"id": claim.id, "kind": claim.kind, **holder}


def test_a_recorded_event() -> None:
    event = AcceptedEvent(
        key="evt_1", id="1", source="api", type="llm_call", agent="agt_1", time=TIME, run="r", data={}, content="c"
    )
    cost = EventCost(Decimal(2), "llm", Decimal(3), "openai/gpt-5")
    total, added = TotalKey(OCTOBER, "agt_1", "bmv_1"), Contribution("llm_call", TIME, ())
    assert event_document(MeteredEvent(event, total, added, None, cost, exchange_rate=Decimal("1.1")), 60) == {
        "id": "evt_1",
        "kind": "event",
        "event_id": "1",
        "source": "api",
        "type": "llm_call",
        "agent_id": "agt_1",
        "run": "r",
        "time": TIME,
        "data": "{}",
        "content": "c",
        "cost": "2",
        "cost_category": "llm",
        "stated_cost": "3",
        "priced_by": "openai/gpt-5",
        "exchange_rate": "1.1",
        "rated_period": to_text(OCTOBER),
        "version_id": "bmv_1",
        "ttl": 60,
    }


def test_what_takes_the_id_of_an_event() -> None:
    assert tombstone_document("evt_1", 60)["kind"] == "tombstone"
    assert discarded_document("evt_1", "c", 60)["kind"] == "given_up"


async def test_a_parked_event_that_was_metered_after_all() -> None:
    store = MemoryStore()
    parked_events = ItemParkedEvents(store, SettableClock(OCTOBER))
    subject: dict[str, Any] = {"id": "1", "quantity": Decimal("1.50")}
    await parked_events.park("org_1", "park_1", "no rate", subject)
    await parked_events.close("org_1", ["park_1"])
    item = await store.get(LEDGERS.name, "org_1:parked:0", "park_1")
    assert item is not None
    assert item.document == {
        "id": "park_1",
        "kind": "rated",
        "reason": "no rate",
        "subject": '{"id":"1","quantity":1.50}',
        "time": to_text(OCTOBER),
    }
