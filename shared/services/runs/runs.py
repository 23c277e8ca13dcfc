"""Runs: created and changed; their figures are worked out from their events when they are read."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from shared.containers import TENANTS
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.pricing.billing_models import Version
from shared.domain.runs.run_figures import RunFigures, contributions, standalone_price
from shared.domain.runs.runs import Run, RunStatus, key_claim_id
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Totals
from shared.ports.clock import Clock
from shared.ports.outcomes import OutcomeStore
from shared.ports.usage import EventFilter, Usage
from shared.services.agents.agents import Agents
from shared.services.periods.periods import Periods
from shared.services.runs.threads import Threads
from shared.services.storage import Claim, Owners, Page, Records, Store, Stored, Unique
from shared.services.storage.caller_json import merged
from shared.services.tenancy.allocation_targets import AllocationTargets
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.recorded_events import outcomes_of

MAXIMUM_EVENTS = 10_000
"""How many events of a run its figures are worked out from, the newest."""
_PAGE = 200
"""How many of them are held at a time: each may have 32 KiB."""


class RunDraft(BaseModel):
    """`agent` is an id or an external id; without a key the run's own id is its key."""

    key: str | None = None
    thread_id: str | None = None
    agent: str | None = None
    status: RunStatus = "pending"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    result: str = "null"
    metadata: str = "{}"


class KeyClaim(Claim):
    """The claim of a key by a run."""

    kind: ClassVar[str] = "run_key"
    holder_id: str = Field(alias="run_id")

    @classmethod
    def of(cls, run: Run) -> "KeyClaim":
        return cls(id=key_claim_id(run.key), holder_id=run.id)


class Runs:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        usage: Usage,
        outcomes: OutcomeStore,
        clock: Clock,
        owners: Owners,
        agents: Agents,
        threads: Threads,
        metered_versions: MeteredVersions,
        periods: Periods,
    ) -> None:
        self._usage = usage
        self._outcomes = outcomes
        self._clock = clock
        self._agents = agents
        self._threads = threads
        self._metered_versions = metered_versions
        self._periods = periods
        self._allocation_targets = AllocationTargets(store)
        self._runs = Records(store, TENANTS, Run, prefix="run", owners=owners, unique=Unique("key", KeyClaim.of))
        self._keys = Records(store, TENANTS, KeyClaim)

    async def create(self, run_id: str, organization_id: str, draft: RunDraft) -> Stored[Run]:
        """Raises `ConflictError` for a taken key, `ValidationError`. Repeating it with the same id gives the run that
        was made. An agent's run is made whatever its project has become, as its usage is still metered.
        """
        agent = await self._agent(organization_id, draft.agent)
        project_id = await self._project_of_thread(organization_id, draft.thread_id)
        run = Run.beginning(
            self._clock.now(),
            id=run_id,
            organization_id=organization_id,
            agent_id=agent and agent.id,
            # As usage rolls up by agents, a run has to belong where its usage does.
            project_id=(agent and agent.project_id) or project_id,
            **draft.model_dump(exclude={"agent", "key"}),
            key=draft.key or run_id,
        )
        return await self._runs.create(organization_id, run)

    async def _agent(self, organization_id: str, reference: str | None) -> Agent | None:
        if reference is None:
            return None
        agent = (await self._agents.resolve(organization_id, {reference})).get(reference)
        if agent is None or agent.status == "deleted":
            raise ValidationError.at("/agent", "there is no such agent")
        return agent

    async def _project_of_thread(self, organization_id: str, thread_id: str | None) -> str | None:
        """Raises `ValidationError` for one that nothing can be put into."""
        if thread_id is None:
            return None
        try:
            thread, _ = await self._threads.get_item(organization_id, thread_id)
        except NotFoundError:
            raise ValidationError.at("/thread_id", "there is no such thread") from None
        await self._allocation_targets.check_project(organization_id, thread.project_id, "/thread_id")
        return thread.project_id

    async def get_item(self, organization_id: str, run_id: str) -> Stored[Run]:
        """Raises `NotFoundError`."""
        return await self._runs.get(organization_id, run_id)

    async def by_key(self, organization_id: str, key: str) -> Run | None:
        """None where events may name it, but nobody has created it."""
        claim = await self._keys.find(organization_id, key_claim_id(key))
        return None if claim is None else (await self._runs.get(organization_id, claim.entity.holder_id)).entity

    async def page(  # noqa: PLR0913  the filters of the list
        self,
        organization_id: str,
        *,
        thread_id: str | None,
        agent: str | None,
        project_id: str | None,
        status: RunStatus | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Run]:
        """Newest first. `agent` is an id or an external id."""
        agent_id = agent
        if agent is not None:
            known = (await self._agents.resolve(organization_id, {agent})).get(agent)
            if known is None:
                return Page([], None)
            agent_id = known.id
        wanted = {"thread_id": thread_id, "agent_id": agent_id, "project_id": project_id, "status": status}
        equals = {field: value for field, value in wanted.items() if value is not None}
        return await self._runs.page(organization_id, equals=equals, descending=True, limit=limit, cursor=cursor)

    async def update(
        self, organization_id: str, run_id: str, changes: dict[str, Any], if_match: str | None
    ) -> Stored[Run]:
        """Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError`, `ValidationError`."""

        def decide(run: Run) -> Run:
            return run.with_changes(merged(run, changes), self._clock.now())

        return await self._runs.change(organization_id, run_id, decide, if_match)

    async def figures(self, organization: Organization, key: str) -> RunFigures:
        """Of the metered events that name this key. As bills do, each period has its own price: quantities begin anew
        in it, and averages are over it. Raises `UnavailableError`.
        """
        figures = RunFigures(organization.currency)
        usage: dict[datetime, dict[tuple[str, str], Totals]] = {}
        versions = dict[str, Version]()
        async for events in self._pages(organization, key):
            if figures.events.total() >= MAXIMUM_EVENTS:
                figures.is_complete = False
                break
            outcomes = await outcomes_of(self._outcomes, organization, events, self._clock.now())
            for event in events:
                costed, metered_to = event.costed(), event.total
                figures.count(costed)
                outcome = outcomes.get(event.key)
                if outcome is not None:
                    figures.count_outcome(outcome)
                version = versions.get(metered_to.version_id) or await self._metered_versions.of(
                    organization.id, metered_to.agent_id, metered_to.version_id
                )
                if version is None:
                    continue
                versions[version.id] = version
                in_period = usage.setdefault(metered_to.period, {})
                totals = in_period.setdefault((metered_to.agent_id, version.id), Totals())
                for added in contributions(costed, outcome, version.charges, organization.currency):
                    totals.add(added)
        for start, in_period in usage.items():
            period = await self._periods.would_contain(organization, start)
            used = [versions[version_id] for version_id in {version_id for _, version_id in in_period}]
            figures.add_price(standalone_price(used, in_period, period, organization.currency))
        return figures

    async def _pages(self, organization: Organization, key: str) -> AsyncIterator[list[RecordedEvent]]:
        """The newest first."""
        shards = organization.largest_shard_count
        page: list[RecordedEvent] = []
        async for event in self._usage.events(organization.id, shards, EventFilter(run=key), page=_PAGE):
            page.append(event)
            if len(page) == _PAGE:
                yield page
                page = []
        if page:
            yield page
