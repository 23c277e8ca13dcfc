"""Agents: created, changed and ended; found by id or external id."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from shared.containers import TENANTS
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.kernel.histories import MINIMUM_LEAD, History, check_start
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import YEAR, cycle_of, periods_around
from shared.domain.tenancy.agents import Agent, external_id_claim_id
from shared.ports.clock import Clock
from shared.services.periods.periods import Periods
from shared.services.pricing.billing_models import BillingModels
from shared.services.storage import (
    Claim,
    Operation,
    Outbox,
    OutboxEntry,
    Owners,
    Page,
    Records,
    Store,
    Stored,
    UniqueField,
    creating,
    putting,
)
from shared.services.storage.caller_json import merged
from shared.services.storage.recent_reads import RecentReads
from shared.services.tenancy.allocation_targets import AllocationTargets
from shared.services.tenancy.organizations import Organizations
from shared.settings import Settings

CACHED = timedelta(seconds=60)
MAXIMUM_CACHED = 100_000
AGENT_STARTED = "agent_started"
"""The effect of a billing model that an agent gets, from the model's start on."""


class AgentExternalIdClaim(Claim):
    """The claim of an external id by an agent."""

    kind: ClassVar[str] = "external_id"
    audit: ClassVar[Audit] = FOLLOWS
    external_id: str
    holder_id: str = Field(alias="agent_id")

    @classmethod
    def of(cls, agent: Agent) -> "AgentExternalIdClaim":
        return cls(id=external_id_claim_id(agent.external_id), external_id=agent.external_id, holder_id=agent.id)


class AgentDraft(BaseModel):
    """What is to be created."""

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
        self._clock = clock
        self._organizations = organizations
        self._billing_models = billing_models
        self._periods = periods
        self._outbox = outbox
        self._settings = settings
        self._starts = outbox.sender(AGENT_STARTED)
        self._allocation_targets = AllocationTargets(store)
        unique = UniqueField("external_id", AgentExternalIdClaim.of)
        self._agents = Records(store, TENANTS, Agent, prefix="agt", owners=owners, unique=unique, clock=clock)
        self._external_ids = Records(store, TENANTS, AgentExternalIdClaim)
        self._cached_ids = RecentReads[tuple[str, str], str](MAXIMUM_CACHED, CACHED, clock)
        self._cached = RecentReads[tuple[str, str], Agent](MAXIMUM_CACHED, CACHED, clock)

    async def create(self, agent_id: str, organization_id: str, draft: AgentDraft, *beside: Operation) -> Stored[Agent]:
        """The agent, stored with what is beside it; repeating it with the same id gives what was created.

        Raises `ConflictError` for a taken external id, `ValidationError` for a project, department or billing model
        that it cannot have.
        """
        _refuse_id(draft.external_id)
        await self._allocation_targets.check_project(organization_id, draft.project_id)
        await self._allocation_targets.check_department(organization_id, draft.department_id)
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
        entry = self._start_entry(agent)
        if entry is None:
            return await self._agents.create(organization_id, agent, *beside)
        stored = await self._agents.create(organization_id, agent, creating(entry), *beside)
        await self._outbox.attempt(TENANTS.name, organization_id, entry.id)
        return stored

    def _start_entry(self, agent: Agent) -> OutboxEntry | None:
        """The outbox entry to store with an agent that gets this billing model.

        None where it has none.
        """
        start = agent.billing_model_from
        if agent.billing_model_id is None or start is None:
            return None
        return self._starts.entry(
            f"{agent.id}:{to_text(start)}",
            not_before=start,
            organization_id=agent.organization_id,
            start=to_text(start),
        )

    async def rebill_since_start(self, organization_id: str, start: str) -> None:
        """What happens for `AGENT_STARTED`: every ended period since the start is billed again, used or not.

        So are earlier ones of that year, because of annual fees.
        """
        now, started_at = self._clock.now(), from_text(start)
        organization = await self._organizations.get(organization_id)
        created = await self._periods.cover(organization, started_at, max(started_at, now))
        first_period = await self._periods.containing(organization, started_at)
        year = cycle_of(first_period, periods_around([first_period], created, organization.calendars), YEAR)
        for period in created:
            if period.start >= year.start and period.end <= now:
                await self._periods.changed_after_end(organization_id, period.start, now)

    async def get(self, organization_id: str, agent_id: str) -> Stored[Agent]:
        """Raises `NotFoundError`, for deleted ones as well."""
        stored = await self._agents.get(organization_id, agent_id)
        _refuse_deleted(stored.entity)
        return stored

    async def by_external_id(self, organization_id: str, external_id: str) -> Stored[Agent]:
        """Raises `NotFoundError`."""
        agent = await self.find_by_external_id(organization_id, external_id)
        if agent is None:
            raise NotFoundError("There is no agent with this external id")
        return agent

    async def find_by_external_id(self, organization_id: str, external_id: str) -> Stored[Agent] | None:
        """None where there is none, or it was deleted."""
        claim = await self._external_ids.find(organization_id, external_id_claim_id(external_id))
        agent = await self._agents.find(organization_id, claim.entity.holder_id) if claim is not None else None
        return agent if agent is not None and agent.entity.status != "deleted" else None

    async def page(  # noqa: PLR0913  the filters of the list
        self,
        organization_id: str,
        *,
        external_id: str | None,
        project_id: str | None,
        department_id: str | None,
        active: bool | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Agent]:
        """Without the deleted ones, newest first; with an external id at most one.

        Raises `ValidationError` for a project or department that is not known and that no agent is in.
        """
        status = {True: "active", False: "inactive", None: None}[active]
        wanted = {"project_id": project_id, "department_id": department_id, "status": status}
        equals = {field: value for field, value in wanted.items() if value is not None}
        if external_id is not None:
            page = Page.of_one(await self.find_by_external_id(organization_id, external_id), equals)
        else:
            listed = {**equals, "listed": "yes"}
            page = await self._agents.page(organization_id, equals=listed, descending=True, limit=limit, cursor=cursor)
        if not page.stored:
            await self._allocation_targets.check_known_project(organization_id, project_id, "?project_id")
            await self._allocation_targets.check_known_department(organization_id, department_id, "?department_id")
        return page

    async def all(self, organization_id: str) -> list[Agent]:
        """Every agent that ever was, ended ones included."""
        return [agent async for agent, _ in self._agents.all(organization_id)]

    async def update(
        self, organization_id: str, agent_id: str, changes: dict[str, Any], if_match: str | None
    ) -> Stored[Agent]:
        """Apply changed fields; another billing model becomes the next entry of its history.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for a taken external id, `ValidationError`.
        """

        async def decide(agent: Agent) -> Agent:
            _refuse_deleted(agent)
            changed = agent.changed(**await self._fields(agent, merged(agent, changes)))
            if changed.external_id != agent.external_id:
                _refuse_id(changed.external_id)
            return changed

        changed = await self._agents.change(organization_id, agent_id, decide, if_match, beside=self._beside)
        self._forget(organization_id, changed.entity)
        return changed

    def _beside(self, before: Agent, after: Agent) -> Sequence[Operation]:
        """What is stored with a change: another billing model, or another start, has periods billed again."""
        entry = self._start_entry(after) if _has_new_entry(before.models, after.models) else None
        return [] if entry is None else [putting(entry)]

    async def _fields(self, agent: Agent, changes: dict[str, Any]) -> dict[str, Any]:
        """The agent's own fields, from those of the API."""
        fields = dict(changes)
        await self._check_allocation(agent, fields)
        start = fields.pop("billing_model_from", None)
        if "billing_model_id" not in fields:
            if start is not None:
                raise ValidationError.at("/billing_model_from", "goes with a billing_model_id")
            return fields
        model_id = fields.pop("billing_model_id")
        fields["models"] = agent.models.scheduled(model_id, start, self._clock.now(), "/billing_model_from")
        if model_id is not None and _has_new_entry(agent.models, fields["models"]):
            await self._billing_models.check_usable(agent.organization_id, model_id)
        return fields

    async def _check_allocation(self, agent: Agent, fields: Mapping[str, Any]) -> None:
        """Raises `ValidationError`. A project or department that it has already may stay, whatever has become of it."""
        targets = self._allocation_targets
        if fields.get("project_id") != agent.project_id:
            await targets.check_project(agent.organization_id, fields.get("project_id"))
        if fields.get("department_id") != agent.department_id:
            await targets.check_department(agent.organization_id, fields.get("department_id"))

    async def delete(self, organization_id: str, agent_id: str, if_match: str | None) -> None:
        """End it 10 minutes ahead: its usage from then on is refused, what it did before stays billed.

        Raises `NotFoundError`, `PreconditionFailedError`.
        """

        def decide(agent: Agent) -> Agent:
            _refuse_deleted(agent)
            return agent.changed(status="deleted", ended_at=self._clock.now() + MINIMUM_LEAD)

        ended = await self._agents.change(organization_id, agent_id, decide, if_match)
        self._forget(organization_id, ended.entity)

    def _forget(self, organization_id: str, agent: Agent) -> None:
        """An external id that it had before may stay cached: `resolve` compares it with the agent's."""
        self._cached.pop((organization_id, agent.id), None)
        self._cached_ids.pop((organization_id, agent.external_id), None)

    async def resolve(self, organization_id: str, references: set[str]) -> dict[str, Agent]:
        """Agents by id or external id, ended ones included; those not found are missing. At most 60 s old."""
        resolved: dict[str, Agent] = {}
        unknown: set[str] = set()
        for reference in references:
            agent_id = self._cached_ids.find((organization_id, reference)) or reference
            agent = self._cached.find((organization_id, agent_id))
            if agent is not None and reference in (agent.id, agent.external_id):
                resolved[reference] = agent
            else:
                unknown.add(reference)
        if unknown:
            resolved |= await self._read(organization_id, unknown)
        return resolved

    async def named(self, organization_id: str, reference: str, pointer: str) -> Agent:
        """The agent with this id or external id, also where it has ended.

        Raises `ValidationError` at `pointer` where there is none.
        """
        agent = (await self.resolve(organization_id, {reference})).get(reference)
        if agent is None:
            raise ValidationError.at(pointer, "there is no agent with this id or external id")
        return agent

    async def newest(self, organization_id: str, reference: str) -> Agent | None:
        """By id or external id, as it is now, ended or not; None where there is none."""
        return (await self._read(organization_id, {reference})).get(reference)

    async def ids_in_projects(self, organization_id: str, projects: AbstractSet[str]) -> frozenset[str]:
        """The ids of the agents that are in one of these projects now, ended ones included."""
        ids: set[str] = set()
        for project_id in sorted(projects):
            equals = {"project_id": project_id}
            async for agent, _ in self._agents.all(organization_id, equals=equals):
                ids.add(agent.id)
        return frozenset(ids)

    async def _read(self, organization_id: str, references: set[str]) -> dict[str, Agent]:
        claims = await self._external_ids.get_many(
            organization_id, [external_id_claim_id(reference) for reference in references]
        )
        id_of = {claim.external_id: claim.holder_id for claim, _ in claims.values()}
        ids = {*id_of.values(), *(reference for reference in references if is_id(reference, "agt"))}
        agents = await self._agents.get_many(organization_id, ids)
        resolved: dict[str, Agent] = {}
        for reference in references:
            stored = agents.get(id_of.get(reference, reference))
            if stored is not None:
                agent = resolved[reference] = stored.entity
                self._cached_ids[organization_id, reference] = agent.id
                self._cached[organization_id, agent.id] = agent
        return resolved


def _has_new_entry(before: History[str | None], after: History[str | None]) -> bool:
    """False where nothing has changed, or what was to come is withdrawn."""
    return after.entries[-1] not in before.entries


def _refuse_deleted(agent: Agent) -> None:
    if agent.status == "deleted":
        raise NotFoundError("There is no such agent")


def _refuse_id(external_id: str) -> None:
    if is_id(external_id, "agt"):
        raise ValidationError.at("/external_id", "looks like the id of an agent")
