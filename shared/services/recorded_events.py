"""Events that were rated, with what they were rated to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from shared import json
from shared.domain.billing_models import Version
from shared.domain.errors import NotFoundError
from shared.domain.ids import is_id
from shared.domain.organizations import Organization
from shared.domain.rating import POOLED
from shared.domain.times import from_text
from shared.ports.clock import Clock
from shared.ports.store import Document
from shared.ports.usage import Usage
from shared.services.agents import Agents
from shared.services.billing_models import BillingModels


@dataclass(frozen=True, slots=True)
class RatedTo:
    """Where an event counts: the period by its start, the model version, the keys of the lines that it moves."""

    period_start: datetime
    model_id: str | None
    version_id: str | None
    line_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    document: Document
    rated_to: RatedTo


class _Metered(msgspec.Struct):
    """What a gauge looks at."""

    type: str
    data: dict[str, Any]
    time: str
    key: str


class RecordedEvents:
    def __init__(self, usage: Usage, clock: Clock, agents: Agents, billing_models: BillingModels) -> None:
        self._usage = usage
        self._clock = clock
        self._agents = agents
        self._billing_models = billing_models

    async def get(self, organization: Organization, key: str) -> RecordedEvent:
        """Raises `NotFoundError`, also while the event is still on its way."""
        shard_counts = organization.counts_until(self._clock.now())
        found = await self._usage.find(organization.id, shard_counts, key) if is_id(key, "evt") else None
        if found is None:
            raise NotFoundError("There is no such event, or it is still on its way")
        return RecordedEvent(found, await self._rated_to(organization, found))

    async def _rated_to(self, organization: Organization, event: Document) -> RatedTo:
        start = from_text(event["rated_period"])
        version = await self._version(organization, event)
        if version is None:
            return RatedTo(start, None, None, ())
        metered = _Metered(event["type"], json.decode(event["data"]), event["time"], event["id"])
        keys = tuple(
            f"{version.model_id}/{charge.key}/{event['agent_id'] if charge.scope == 'agent' else POOLED}"
            for charge in version.charges
            if charge.measured_on_arrival
            and any(gauge.measure(metered) is not None for gauge in charge.gauges.values())
        )
        return RatedTo(start, version.model_id, version.id, keys)

    async def _version(self, organization: Organization, event: Document) -> Version | None:
        agents = await self._agents.resolve(organization.id, {event["agent_id"]})
        return await self._billing_models.version_of(
            organization.id, agents[event["agent_id"]].models, event["version_id"]
        )
