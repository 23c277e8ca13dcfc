"""Agents: made, changed and ended; found by id or external id."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

from shared.containers import TENANTS
from shared.domain.kernel.errors import (
    ConflictError,
    FieldError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
    ValidationError,
)
from shared.domain.kernel.histories import LEAD, History, check_start
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import BEGINNING, from_text, to_text
from shared.domain.periods.periods import YEAR, around, cycle_of
from shared.domain.tenancy.agents import Agent, activity_id, claim_id
from shared.ports.clock import Clock
from shared.ports.store import (
    MAXIMUM_BATCH_OPERATIONS,
    AlreadyExistsError,
    Create,
    Delete,
    Document,
    Item,
    Operation,
    Page,
    Replace,
    StaleEtagError,
    Store,
    Upsert,
    every_item,
)
from shared.services.periods.periods import Periods
from shared.services.pricing.billing_models import BillingModels
from shared.services.storage.caching import Cache
from shared.services.storage.caller_json import merged
from shared.services.storage.outbox import Outbox
from shared.services.storage.owners import Owners
from shared.services.storage.preconditions import check_if_match
from shared.services.tenancy.allocation_targets import check_department, check_project
from shared.services.tenancy.organizations import Organizations
from shared.settings import Settings

CACHED = timedelta(seconds=60)
STARTED = "agent_started"
_SEEN_EVERY = timedelta(minutes=1)


class AgentDraft(BaseModel):
    external_id: str
    name: str
    description: str | None = None
    type: str | None = None
    capabilities: tuple[str, ...] = ()
    config: str = "{}"
    project_id: str | None = None
    department_id: str | None = None
    billing_model_id: str | None = None
    billing_model_from: datetime | None = None


class Agents:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        organizations: Organizations,
        billing_models: BillingModels,
        periods: Periods,
        outbox: Outbox,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._owners = owners
        self._organizations = organizations
        self._billing_models = billing_models
        self._periods = periods
        self._outbox = outbox
        self._settings = settings
        self._ids: Cache[tuple[str, str], str] = Cache(clock, CACHED, size=100_000)
        self._cached: Cache[tuple[str, str], Agent] = Cache(clock, CACHED, size=100_000)
        self._seen: Cache[tuple[str, str], datetime] = Cache(clock, timedelta(hours=1), size=100_000)
        outbox.on_effect(
            STARTED, lambda payload: self._started(payload["organization_id"], from_text(payload["start"]))
        )

    async def create(self, agent_id: str, organization_id: str, draft: AgentDraft) -> tuple[Agent, str]:
        """Raises `ConflictError` for a taken external id, `ValidationError` for a model of another organization or
        currency. Repeating it with the same id gives the agent that was made.
        """
        _refuse_id(draft.external_id)
        await check_project(self._store, organization_id, draft.project_id)
        await check_department(self._store, organization_id, draft.department_id)
        now = self._clock.now()
        models = History[str | None].starting(None)
        if draft.billing_model_id is not None:
            start = draft.billing_model_from or now
            check_start(start, now, timedelta(days=self._settings.backdating_days), "/billing_model_from")
            await self._billing_models.check_usable(organization_id, draft.billing_model_id)
            models = History[str | None].starting(draft.billing_model_id, at=start)
        elif draft.billing_model_from is not None:
            raise ValidationError.at("/billing_model_from", "goes with a billing_model_id")
        agent = Agent(
            id=agent_id,
            organization_id=organization_id,
            models=models,
            created_at=now,
            **draft.model_dump(exclude={"billing_model_id", "billing_model_from"}),
        )
        await self._refuse_taken(agent)
        await self._owners.note(agent_id, organization_id)
        entry = self._start_entry(agent)
        try:
            etags = await self._store.batch(
                TENANTS.name, organization_id, [*_made(agent), *([Create(entry)] if entry else [])]
            )
        except AlreadyExistsError as error:
            existing = await self._store.get(TENANTS.name, organization_id, agent_id)
            if existing is not None:
                return Agent.read(existing.document), existing.etag
            if error.index == 0:
                raise UnavailableError("The agent was made a moment ago and cannot be read yet") from error
            raise _taken() from error
        if entry is not None:
            await self._outbox.attempt(TENANTS.name, organization_id, entry["id"])
        return agent, etags[0]

    async def _refuse_taken(self, agent: Agent) -> None:
        """Before anything is written. What is taken at this very moment, the batch finds."""
        claim = await self._store.get(TENANTS.name, agent.organization_id, claim_id(agent.external_id))
        if claim is not None and claim.document["agent_id"] != agent.id:
            raise _taken()

    def _start_entry(self, agent: Agent) -> Document | None:
        """From its start on, an agent with a model moves every period, ended ones included, used or not; and those
        before it in the same year, which may have a fee for the year in them.
        """
        start = agent.billing_model_from
        if start is None:
            return None
        return self._outbox.entry(
            STARTED,
            f"{agent.id}:{to_text(start)}",
            not_before=start,
            organization_id=agent.organization_id,
            start=to_text(start),
        )

    async def _started(self, organization_id: str, start: datetime) -> None:
        now = self._clock.now()
        organization = await self._organizations.get(organization_id)
        created = await self._periods.cover(organization, start, max(start, now))
        own = await self._periods.containing(organization, start)
        year = cycle_of(own, around([own], created, organization.calendars), YEAR)
        for period in created:
            if period.start >= year.start and period.end <= now:
                await self._periods.changed_after_end(organization_id, period.start, now)

    async def get_item(self, organization_id: str, agent_id: str) -> tuple[Agent, str]:
        """Raises `NotFoundError`, for deleted ones as well."""
        item = await self._store.get(TENANTS.name, organization_id, agent_id) if is_id(agent_id, "agt") else None
        if item is None or item.document["status"] == "deleted":
            raise NotFoundError("There is no such agent")
        return Agent.read(item.document), item.etag

    async def by_external_id(self, organization_id: str, external_id: str) -> tuple[Agent, str]:
        """Raises `NotFoundError`."""
        claim = await self._store.get(TENANTS.name, organization_id, claim_id(external_id))
        if claim is None:
            raise NotFoundError("There is no agent with this external id")
        return await self.get_item(organization_id, claim.document["agent_id"])

    async def last_active(self, organization_id: str, agent_ids: list[str]) -> dict[str, datetime]:
        """To the minute, from the events that were rated."""
        items = await self._store.get_many(
            TENANTS.name, organization_id, [activity_id(agent_id) for agent_id in agent_ids]
        )
        return {item.document["agent_id"]: from_text(item.document["last_active_at"]) for item in items.values()}

    async def note_active(self, organization_id: str, active_at: Mapping[str, datetime]) -> None:
        """For people, not for money: written at most once a minute per agent and process, the latest time wins."""
        news = [agent_id for agent_id, at in active_at.items() if self._is_news(organization_id, agent_id, at)]
        for start in range(0, len(news), MAXIMUM_BATCH_OPERATIONS):
            some = news[start : start + MAXIMUM_BATCH_OPERATIONS]
            known = await self.last_active(organization_id, some)
            latest = {agent_id: max(active_at[agent_id], known.get(agent_id, BEGINNING)) for agent_id in some}
            writes = [Upsert(_activity(agent_id, at)) for agent_id, at in latest.items()]
            await self._store.batch(TENANTS.name, organization_id, writes)
            for agent_id, at in latest.items():
                self._seen.keep((organization_id, agent_id), at)

    def _is_news(self, organization_id: str, agent_id: str, at: datetime) -> bool:
        seen = self._seen.peek((organization_id, agent_id))
        return seen is None or at - seen >= _SEEN_EVERY

    async def page(  # noqa: PLR0913  the filters of the list
        self,
        organization_id: str,
        *,
        project_id: str | None,
        department_id: str | None,
        active: bool | None,
        limit: int,
        cursor: str | None,
    ) -> Page:
        """Without the deleted ones, newest first."""
        status = {True: "active", False: "inactive", None: None}[active]
        wanted = {"project_id": project_id, "department_id": department_id, "status": status, "listed": "yes"}
        equals = {field: value for field, value in wanted.items() if value is not None}
        return await self._store.query(
            TENANTS.name, organization_id, Agent.kind, equals=equals, descending=True, limit=limit, cursor=cursor
        )

    async def all(self, organization_id: str) -> list[Agent]:
        """Every agent that ever was, for rating."""
        agents = every_item(self._store, TENANTS.name, organization_id, Agent.kind)
        return [Agent.read(item.document) async for item in agents]

    async def update(
        self, organization_id: str, agent_id: str, changes: dict[str, Any], if_match: str | None
    ) -> tuple[Agent, str]:
        """Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for a taken external id,
        `ValidationError`.
        """
        agent, etag = await self.get_item(organization_id, agent_id)
        check_if_match(if_match, etag)
        fields = await self._fields(agent, merged(agent, changes))
        changed = agent.changed(**fields)
        if changed.external_id != agent.external_id:
            _refuse_id(changed.external_id)
        writes: list[Operation] = [Replace(changed.document(), etag)]
        entry = self._start_entry(changed) if changed.models != agent.models else None
        if entry is not None:
            writes.append(Upsert(entry))
        if changed.external_id != agent.external_id:
            writes += [_claim(changed), Delete(claim_id(agent.external_id))]
        try:
            etags = await self._store.batch(TENANTS.name, organization_id, writes)
        except AlreadyExistsError as error:
            raise _taken() from error
        except StaleEtagError as error:
            raise PreconditionFailedError("The agent is being changed by someone else; read it again") from error
        self._forget(organization_id, agent)
        return changed, etags[0]

    async def _fields(self, agent: Agent, changes: dict[str, Any]) -> dict[str, Any]:
        """The changed fields of the agent, its billing model as the next entry of its history."""
        fields = dict(changes)
        await self._check_allocation(agent, fields)
        start = fields.pop("billing_model_from", None)
        if "billing_model_id" not in fields:
            if start is not None:
                raise ValidationError.at("/billing_model_from", "goes with a billing_model_id")
            return fields
        model_id = fields.pop("billing_model_id")
        if model_id is not None:
            await self._billing_models.check_usable(agent.organization_id, model_id)
        if model_id != agent.billing_model_id:
            now = self._clock.now()
            fields["models"] = agent.models.appended(model_id, start or now + LEAD, now, pointer="/billing_model_from")
        return fields

    async def _check_allocation(self, agent: Agent, fields: Mapping[str, Any]) -> None:
        """Where it is already, it may stay."""
        if fields.get("project_id") != agent.project_id:
            await check_project(self._store, agent.organization_id, fields.get("project_id"))
        if fields.get("department_id") != agent.department_id:
            await check_department(self._store, agent.organization_id, fields.get("department_id"))

    async def delete(self, organization_id: str, agent_id: str, if_match: str | None) -> None:
        """Its usage is refused from 10 minutes ahead on; what it did before stays billed, late events still count."""
        agent, etag = await self.get_item(organization_id, agent_id)
        check_if_match(if_match, etag)
        now = self._clock.now()
        ended = agent.changed(status="deleted", ended_at=now + LEAD)
        try:
            await self._store.replace(TENANTS.name, organization_id, ended.document(), etag)
        except StaleEtagError as error:
            raise PreconditionFailedError("The agent is being changed by someone else; read it again") from error
        self._forget(organization_id, agent)

    def _forget(self, organization_id: str, agent: Agent) -> None:
        self._cached.forget((organization_id, agent.id))
        self._ids.forget((organization_id, agent.external_id))

    async def resolve(self, organization_id: str, references: set[str]) -> dict[str, Agent]:
        """Agents by id or external id, ended ones included; those not found are missing. At most 60 s old."""
        found: dict[str, Agent] = {}
        unknown: set[str] = set()
        for reference in references:
            agent_id = self._ids.peek((organization_id, reference)) or reference
            agent = self._cached.peek((organization_id, agent_id))
            if agent is not None and reference in (agent.id, agent.external_id):
                found[reference] = agent
            else:
                unknown.add(reference)
        if unknown:
            found |= await self._read(organization_id, unknown)
        return found

    async def newest(self, organization_id: str, agent_id: str) -> Agent | None:
        """As it is now, also where it has ended."""
        return (await self._read(organization_id, {agent_id})).get(agent_id)

    async def _read(self, organization_id: str, references: set[str]) -> dict[str, Agent]:
        claims = await self._store.get_many(
            TENANTS.name, organization_id, [claim_id(reference) for reference in references]
        )
        by_claim = {item.document["external_id"]: str(item.document["agent_id"]) for item in claims.values()}
        ids = {
            *by_claim.values(),
            *(reference for reference in references if is_id(reference, "agt")),
        }
        items = await self._store.get_many(TENANTS.name, organization_id, ids) if ids else {}
        found: dict[str, Agent] = {}
        for reference in references:
            item: Item | None = items.get(by_claim.get(reference, reference))
            if item is not None and item.document["kind"] == Agent.kind:
                agent = Agent.read(item.document)
                found[reference] = agent
                self._ids.keep((organization_id, reference), agent.id)
                self._cached.keep((organization_id, agent.id), agent)
        return found


def _taken() -> ConflictError:
    return ConflictError("The external id is taken", errors=(FieldError("/external_id", "is taken"),))


def _refuse_id(external_id: str) -> None:
    if is_id(external_id, "agt"):
        raise ValidationError.at("/external_id", "looks like the id of an agent")


def _claim(agent: Agent) -> Create:
    claim = {
        "id": claim_id(agent.external_id),
        "kind": "external_id",
        "external_id": agent.external_id,
        "agent_id": agent.id,
    }
    return Create(claim)


def _activity(agent_id: str, at: datetime) -> Document:
    return {
        "id": activity_id(agent_id),
        "kind": "agent_activity",
        "agent_id": agent_id,
        "last_active_at": to_text(at),
    }


def _made(agent: Agent) -> list[Operation]:
    return [Create(agent.document()), _claim(agent)]
