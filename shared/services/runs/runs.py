"""Runs: created and changed."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from shared.containers import TENANTS
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.errors import ConflictError, LimitExceededError, NotFoundError, ValidationError
from shared.domain.runs.runs import Run, RunBudget, RunStatus, key_claim_id
from shared.domain.tenancy.agents import Agent
from shared.ports.clock import Clock
from shared.services.agents.agents import Agents
from shared.services.credits.run_limits import RunLimits
from shared.services.periods.periods import Periods
from shared.services.runs.run_counts import RunCounts
from shared.services.runs.threads import Threads
from shared.services.storage import Claim, Operation, Owners, Page, Records, Store, Stored, UniqueField, look_twice
from shared.services.storage.caller_json import merged
from shared.services.tenancy.allocation_targets import AllocationTargets
from shared.services.tenancy.organizations import Organizations


class BudgetDraft(BaseModel):
    """What the run may spend in all."""

    limit: Decimal
    unit: Literal["credits", "money"]


class RunDraft(BaseModel):
    """What is to be created. `agent` is an id or an external id; without a key the run's own id is its key."""

    key: str | None = None
    thread_id: str | None = None
    agent: str | None = None
    status: RunStatus = "pending"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    result: str = "null"
    metadata: str = "{}"
    budget: BudgetDraft | None = None


class KeyClaim(Claim):
    """The claim of a key by a run."""

    kind: ClassVar[str] = "run_key"
    audit: ClassVar[Audit] = FOLLOWS
    holder_id: str = Field(alias="run_id")

    @classmethod
    def of(cls, run: Run) -> "KeyClaim":
        return cls(id=key_claim_id(run.key), holder_id=run.id)


class Runs:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        owners: Owners,
        agents: Agents,
        threads: Threads,
        run_limits: RunLimits,
        organizations: Organizations,
        periods: Periods,
    ) -> None:
        self._clock = clock
        self._run_limits = run_limits
        self._agents = agents
        self._threads = threads
        self._counts = RunCounts(store, clock, organizations, periods)
        self._allocation_targets = AllocationTargets(store)
        self._runs = Records(store, TENANTS, Run, prefix="run", owners=owners, unique=UniqueField("key", KeyClaim.of))
        self._keys = Records(store, TENANTS, KeyClaim)

    async def create(self, run_id: str, organization_id: str, draft: RunDraft) -> Stored[Run]:
        """The run; repeating it with the same id gives what was created.

        An agent's run is created whatever has become of its project, as its usage is still metered. Raises
        `ConflictError` for a taken key, `LimitExceededError` beyond the hard limit of a plan, `ValidationError`.
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
            **draft.model_dump(exclude={"agent", "key", "budget"}),
            key=draft.key or run_id,
        )
        if draft.budget is None:
            return await self._create_counted(organization_id, run)
        return await self._create_limited(organization_id, run, draft.budget)

    async def _create_counted(self, organization_id: str, run: Run) -> Stored[Run]:
        """Counted where a plan limits runs. Repeating it at the limit gives what was created."""

        async def store(*counting: Operation) -> Stored[Run]:
            return await self._runs.create(organization_id, run, *counting)

        try:
            return await self._counts.counted(organization_id, store)
        except LimitExceededError:
            existing = await self._runs.find(organization_id, run.id)
            if existing is None:
                raise
            return existing

    async def _create_limited(self, organization_id: str, run: Run, budget: BudgetDraft) -> Stored[Run]:
        """The limit first, under the run's id, so that nothing is spent without it; then the run.

        No other run gets it: where the key is taken, or a plan allows no more runs, it is withdrawn.
        """
        taken = await look_twice(lambda: self._find_by_key(organization_id, run.key), errors=(NotFoundError,))
        if taken is None or taken.entity.id == run.id:
            id_ = await self._run_limits.set(organization_id, run.key, run.id, budget.limit, budget.unit)
            run = run.changed(budget=RunBudget(id=id_, limit=budget.limit, unit=budget.unit))
        try:
            return await self._create_counted(organization_id, run)
        except (ConflictError, LimitExceededError):
            await self._run_limits.withdraw(organization_id, run.key, run.id)
            raise

    async def _agent(self, organization_id: str, reference: str | None) -> Agent | None:
        if reference is None:
            return None
        agent = (await self._agents.resolve(organization_id, {reference})).get(reference)
        if agent is None or agent.status == "deleted":
            raise ValidationError.at("/agent", "there is no such agent")
        return agent

    async def _project_of_thread(self, organization_id: str, thread_id: str | None) -> str | None:
        """Raises `ValidationError` for a thread that is not there or whose project is not active."""
        if thread_id is None:
            return None
        thread = await self._threads.named(organization_id, thread_id, "/thread_id")
        await self._allocation_targets.check_project(organization_id, thread.project_id, "/thread_id")
        return thread.project_id

    async def get(self, organization_id: str, run_id: str) -> Stored[Run]:
        """Raises `NotFoundError`."""
        return await self._runs.get(organization_id, run_id)

    async def by_key(self, organization_id: str, key: str) -> Run | None:
        """None where nobody has created it, though events may name it."""
        stored = await self._find_by_key(organization_id, key)
        return stored.entity if stored is not None else None

    async def _find_by_key(self, organization_id: str, key: str) -> Stored[Run] | None:
        claim = await self._keys.find(organization_id, key_claim_id(key))
        return None if claim is None else await self._runs.get(organization_id, claim.entity.holder_id)

    async def page(  # noqa: PLR0913  the filters of the list
        self,
        organization_id: str,
        *,
        key: str | None,
        thread_id: str | None,
        agent: str | None,
        project_id: str | None,
        status: RunStatus | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Run]:
        """Newest first; with a key at most one. `agent` is an id or an external id.

        Raises `ValidationError` for an unknown agent, and for a thread or project that is not known and has no run.
        """
        agent_id = None if agent is None else (await self._agents.named(organization_id, agent, "?agent")).id
        wanted = {"thread_id": thread_id, "agent_id": agent_id, "project_id": project_id, "status": status}
        equals = {field: value for field, value in wanted.items() if value is not None}
        if key is not None:
            page = Page.of_one(await self._find_by_key(organization_id, key), equals)
        else:
            page = await self._runs.page(organization_id, equals=equals, descending=True, limit=limit, cursor=cursor)
        if not page.stored:
            if thread_id is not None:
                await self._threads.named(organization_id, thread_id, "?thread_id")
            await self._allocation_targets.check_known_project(organization_id, project_id, "?project_id")
        return page

    async def update(
        self, organization_id: str, run_id: str, changes: dict[str, Any], if_match: str | None
    ) -> Stored[Run]:
        """Apply changed fields.

        Raises `NotFoundError`, `PreconditionFailedError`, `ConflictError` for a state that does not follow,
        `ValidationError`.
        """

        def decide(run: Run) -> Run:
            return run.with_changes(merged(run, changes), self._clock.now())

        return await self._runs.change(organization_id, run_id, decide, if_match)
