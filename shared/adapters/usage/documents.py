"""The documents that usage is stored as, and the partitions that they lie in."""

from decimal import Decimal
from functools import lru_cache
from typing import Any

from shared import json
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import plain
from shared.domain.kernel.times import from_text, to_text
from shared.domain.provider_costs.costs import NO_COST, EventCost
from shared.domain.usage.events import TotalKey
from shared.domain.usage.outcomes import Outcome
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Totals
from shared.ports.store import Document
from shared.ports.usage import MeteredEvent

EVENT = "event"
TOMBSTONE = "tombstone"
"""Takes an event's id in a partition of an older shard count, so that the event cannot be recorded there any more."""
DISCARDED = "given_up"
"""Takes the id of a discarded event, so that the store accepts only one of the two."""
TOTAL = "total"
UNIQUE_VALUE = "unique"
POOLED_TOTAL = "pooled_total"
"""Counts the distinct values of a version's pooled meters, each once over all agents of the shard."""
POOLED_VALUE = "pooled_unique"
"""One of those values."""


def partition_of(organization_id: str, shard: int) -> str:
    return f"{organization_id}:usage:{shard}"


def event_document(metered: MeteredEvent, retention_seconds: int) -> Document:
    event = metered.event
    return {
        "id": event.key,
        "kind": EVENT,
        "event_id": event.id,
        "source": event.source,
        "type": event.type,
        "agent_id": event.agent,
        # Left out rather than null, as an index entry for null costs as much as any other.
        **({} if event.run is None else {"run": event.run}),
        "time": event.time,
        # As text, because numbers in a stored document would become doubles.
        "data": json.encode_verbatim(event.data).decode(),
        "content": event.content,
        **({} if event.reporter is None else {"reporter": event.reporter}),
        **({"standard_terms": True} if event.standard_terms else {}),
        **({} if event.paid_with is None else {"paid_with": event.paid_with}),
        **_cost_fields(metered.cost),
        **({} if metered.exchange_rate is None else {"exchange_rate": plain(metered.exchange_rate)}),
        **({} if metered.returned_at is None else {"returned_at": metered.returned_at}),
        "rated_period": to_text(metered.total.period),
        "version_id": metered.total.version_id,
        "ttl": retention_seconds,
    }


def priced_document(document: Document, cost: EventCost, retention_seconds: int) -> Document:
    """A stored event without a cost, with the cost that it gets later."""
    unpriced = {name: value for name, value in document.items() if name != "unpriced_reason"}
    return {**unpriced, **_cost_fields(cost), "ttl": retention_seconds}


def settled_document(
    document: Document, beyond: Decimal, version: int, retention_seconds: int, *, is_taken_off: bool
) -> Document:
    """A stored event that names a payment, with what it costs beyond that."""
    return {
        **document,
        "beyond_payment": plain(beyond),
        "payment_version": version,
        "payment_taken_off": is_taken_off,
        "ttl": retention_seconds,
    }


def _cost_fields(cost: EventCost) -> Document:
    """Empty for an event without a provider cost."""
    if cost.category is None:
        return {}
    return {
        "cost": None if cost.amount is None else plain(cost.amount),
        "cost_category": cost.category,
        "stated_cost": None if cost.reported is None else plain(cost.reported),
        "priced_by": cost.priced_by,
        **_provenance_fields(cost),
    }


def _provenance_fields(cost: EventCost) -> Document:
    """Only what is there, since most events have no LLM call's provenance."""
    fields = {
        "cost_source": cost.source,
        "list_version": cost.list_version,
        "unpriced_reason": cost.reason,
        "byok": cost.byok or None,
        "byok_cost": None if cost.byok_amount is None else plain(cost.byok_amount),
    }
    return {name: value for name, value in fields.items() if value is not None}


def read_event(document: Document) -> RecordedEvent:
    rate = document.get("exchange_rate")
    return RecordedEvent(
        key=document["id"],
        id=document["event_id"],
        source=document["source"],
        type=document["type"],
        time=document["time"],
        run=document.get("run"),
        data=json.decode(document["data"]),
        content=document["content"],
        total=TotalKey(from_text(document["rated_period"]), document["agent_id"], document["version_id"]),
        cost=_read_cost(document),
        exchange_rate=None if rate is None else Decimal(rate),
        returned_at=document.get("returned_at"),
        reporter=document.get("reporter"),
        standard_terms=document.get("standard_terms", False),
        paid_with=document.get("paid_with"),
        beyond_payment=Decimal(document.get("beyond_payment", "0")),
        payment_version=int(document.get("payment_version", 0)),
        payment_taken_off=document.get("payment_taken_off", False),
    )


def _read_cost(document: Document) -> EventCost:
    if "cost_category" not in document:
        return NO_COST
    amount, reported = document["cost"], document["stated_cost"]
    return EventCost(
        amount=None if amount is None else Decimal(amount),
        category=document["cost_category"],
        reported=None if reported is None else Decimal(reported),
        priced_by=document["priced_by"],
        source=document.get("cost_source"),
        list_version=document.get("list_version"),
        reason=document.get("unpriced_reason"),
        byok=document.get("byok", False),
        byok_amount=Decimal(document["byok_cost"]) if "byok_cost" in document else None,
    )


def tombstone_document(key: str, retention_seconds: int) -> Document:
    return {"id": key, "kind": TOMBSTONE, "ttl": retention_seconds}


def discarded_document(key: str, content: str, retention_seconds: int) -> Document:
    return {"id": key, "kind": DISCARDED, "content": content, "ttl": retention_seconds}


def outcome_document(outcome: Outcome, retention_seconds: int) -> Document:
    """It expires that long after the last decision about the outcome."""
    fields = {name: value for name, value in outcome.document().items() if value is not None}
    return fields | {"period": to_text(outcome.period), "ttl": retention_seconds}


def total_document(key: TotalKey, totals: Totals) -> Document:
    """Totals never expire."""
    kind = POOLED_TOTAL if key.is_line else TOTAL
    return {"id": total_id(key), "kind": kind, **_key_fields(key), "totals": totals.document()}


def unique_value_document(id_: str, key: TotalKey, meter: str, value: str) -> Document:
    """One distinct value of a unique meter, with its `unique_value_id`. Like its total, it never expires."""
    return {
        "id": id_,
        "kind": POOLED_VALUE if key.is_line else UNIQUE_VALUE,
        **_key_fields(key),
        "meter": meter,
        "value": value,
    }


def unique_value_id(key: TotalKey, meter: str, value: str) -> str:
    if key.is_line:
        return f"{_line_id(key, meter)}.{value}"
    return named_id("val", to_text(key.period), key.agent_id, key.version_id, meter, value)


@lru_cache(maxsize=1024)
def _line_id(key: TotalKey, meter: str) -> str:
    """Begins the ids of a line's values: a hash for each of them would take as long as all else about it."""
    return named_id("val", to_text(key.period), key.version_id, meter)


def total_id(key: TotalKey) -> str:
    return named_id("tot", to_text(key.period), key.agent_id, key.version_id)


def total_key_of(document: Document) -> TotalKey:
    """The total that a stored total is, or that a unique value belongs to."""
    return TotalKey(from_text(document["period"]), document["agent_id"], document["version_id"])


def _key_fields(key: TotalKey) -> dict[str, Any]:
    return {"period": to_text(key.period), "agent_id": key.agent_id, "version_id": key.version_id}
