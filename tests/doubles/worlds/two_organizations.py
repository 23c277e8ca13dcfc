"""Two organizations in which refused requests are checked to change nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.doubles.clients.hosts import Served
from tests.doubles.clients.xyra_client import Client, Organization, Xyra
from tests.doubles.clients.xyra_process import Tables

Json = dict[str, Any]
Rows = dict[str, list[tuple[object, ...]]]
"""By table, each with whether it `came` or `went`."""

KEY_USE = "api_key_use"

EVENT = {"id": "1", "type": "command", "agent": "coder", "time": "2026-11-10T12:00:00Z"}
CHARGE = {
    "key": "commands",
    "type": "activity",
    "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
    "pricing": {"type": "per_unit", "unit_amount": "1"},
}
MODEL = {"name": "Model", "currency": "USD", "charges": [CHARGE]}
AGENT = {"external_id": "new", "name": "New"}
USED_KEY = "used before"
"""An idempotency key under which an event was reported."""


def events(*changes: Json) -> list[Json]:
    """A good event, and the given ones."""
    return [EVENT | {"id": "good"}, *(EVENT | change for change in changes)]


@dataclass(frozen=True)
class TwoOrganizations:
    """Each with an agent and a billing model. What a test sends, it sends as the first one, or as the operator."""

    xyra: Xyra
    own: Organization
    other: Organization
    agent: Json
    other_agent: Json
    model: Json
    other_model: Json

    @property
    def key(self) -> Client:
        return self.own.key

    @property
    def operator(self) -> Client:
        return self.own.operator


async def set_up(xyra: Xyra) -> TwoOrganizations:
    own, other = await xyra.organization(), await xyra.organization()
    agents = [await organization.agent() for organization in (own, other)]
    models = [await organization.model(CHARGE) for organization in (own, other)]
    await own.key.post("events", EVENT | {"id": "0"}, headers={"Idempotency-Key": USED_KEY}, expect=202)
    await own.project("Taken")
    await own.department("Taken")
    await own.key.post("runs", {"key": "taken"})
    return TwoOrganizations(xyra, own, other, *agents, *models)


@pytest.fixture(scope="session")
def set_up_before() -> list[TwoOrganizations]:
    """At most one: because no test changes anything, all of them can have the same."""
    return []


@pytest.fixture
async def unchanged(small_host: Served, set_up_before: list[TwoOrganizations]) -> AsyncIterator[TwoOrganizations]:
    """After the test the store must be what it was."""
    async with small_host.clients() as xyra:
        if not set_up_before:
            set_up_before.append(await set_up(xyra))
        organizations = set_up_before[0]
        await xyra.idle()
        before = small_host.process.tables()
        yield replace(
            organizations, xyra=xyra, own=xyra.again(organizations.own), other=xyra.again(organizations.other)
        )
        await xyra.idle()
        assert differences(before, small_host.process.tables()) == {}


def differences(before: Tables, after: Tables) -> Rows:
    """Rows that came or went, by table. What is refused is counted, too, so what tells of arrivals may differ."""
    changed = {
        name: [*(("came", *row) for row in rows - before[name]), *(("went", *row) for row in before[name] - rows)]
        for name, rows in after.items()
    }
    kept = {name: [row for row in rows if not is_of_arrival(row)] for name, rows in changed.items()}
    return {name: rows for name, rows in kept.items() if rows}


def is_of_arrival(row: tuple[object, ...]) -> bool:
    """Whether it counts requests as they arrive, or tells when a key was last used."""
    return KEY_USE in row or any(isinstance(value, str) and value.endswith(":ingestion") for value in row)
