"""What callers spend: requests as commands, with their context resolved and their price looked up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from shared.domain.access.identity import Principal
from shared.domain.credits.commands import Capture, GiveGrant, Refund, Release, Reserve, Use
from shared.domain.credits.counters import Context
from shared.domain.credits.grants import Terms
from shared.domain.credits.transfers import Transfer, UseEntry
from shared.domain.kernel.errors import ValidationError
from shared.services.agents.agents import Agents
from shared.services.credits.action_costs import ActionCosts
from shared.services.credits.ledger import Ledger
from shared.services.credits.paying import Paying
from shared.services.credits.refunding import Refunds
from shared.services.storage import Store, look_twice
from shared.services.tenancy.allocation_targets import AllocationTargets
from shared.services.tenancy.organizations import Organizations

MAXIMUM_COUNTERS = 80
"""That a list of uses may touch."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose command it is, and what tells it from others with the same key."""

    organization_id: str
    principal: Principal
    idempotency_key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class SpentFor:
    """The context of a use as a caller names it."""

    agent: str | None = None
    project_id: str | None = None
    department_id: str | None = None
    run: str | None = None
    pointer: str = ""
    """Of the use in the request."""


@dataclass(frozen=True, slots=True)
class RequestedUse:
    """An amount, or an action with its quantity."""

    spent_for: SpentFor
    amount: Decimal | None = None
    agent_type: str | None = None
    action: str | None = None
    quantity: Decimal = Decimal(1)
    metadata: str = "{}"


class SpendingContexts:
    """What credits are spent for, as callers name it."""

    def __init__(self, store: Store, agents: Agents) -> None:
        self._agents = agents
        self._targets = AllocationTargets(store)

    async def context(self, caller: Caller, spent_for: SpentFor) -> Context:
        """Project and department are by default the agent's. Raises `ValidationError` for unknown ones."""
        organization_id, pointer = caller.organization_id, spent_for.pointer
        await look_twice(lambda: self._check_targets(organization_id, spent_for), errors=(ValidationError,))
        project_id, department_id, agent_id = spent_for.project_id, spent_for.department_id, None
        if spent_for.agent is not None:
            agent = await self._agents.named(organization_id, spent_for.agent, f"{pointer}/agent")
            agent_id = agent.id
            project_id, department_id = project_id or agent.project_id, department_id or agent.department_id
        return Context(
            organization_id,
            project_id,
            department_id,
            agent_id,
            None if caller.principal.key is None else caller.principal.root_id,
            spent_for.run,
        )

    async def _check_targets(self, organization_id: str, spent_for: SpentFor) -> None:
        pointer = spent_for.pointer
        await self._targets.check_known_project(organization_id, spent_for.project_id, f"{pointer}/project_id")
        await self._targets.check_known_department(organization_id, spent_for.department_id, f"{pointer}/department_id")


@dataclass(frozen=True, slots=True)
class ActionDone:
    """What the credits of a hold were spent on, as its holder says."""

    agent_type: str | None = None
    action: str | None = None
    metadata: str = "{}"


class Spending:
    def __init__(  # noqa: PLR0913  its neighbours
        self,
        ledger: Ledger,
        paying: Paying,
        refunds: Refunds,
        organizations: Organizations,
        contexts: SpendingContexts,
        costs: ActionCosts,
    ) -> None:
        self._ledger = ledger
        self._paying = paying
        self._refunds = refunds
        self._organizations = organizations
        self._contexts = contexts
        self._costs = costs

    async def give(self, caller: Caller, amount: Decimal, terms: Terms, kind: str, reason: str | None) -> Transfer:
        """A grant, to the organization's own wallet, whoever pays for it. Raises as `Ledger.run`."""
        command = GiveGrant(**identity_of(caller), amount=amount, terms=terms, credit_kind=kind, reason=reason)
        return await self._ledger.run(caller.organization_id, command)

    async def use(self, caller: Caller, uses: Sequence[RequestedUse], kind: str, *, is_list: bool) -> Transfer:
        """Of a list all or nothing. Raises as `Ledger.run`."""
        entries = tuple([await self._entry(caller, requested) for requested in uses])
        counters = {id_ for entry in entries for id_ in entry.context.counter_ids()}
        if len(counters) > MAXIMUM_COUNTERS:
            raise ValidationError.at(
                "/uses", f"touches {len(counters)} counters of projects, departments, agents and runs; at most "
                f"{MAXIMUM_COUNTERS} fit into one transaction"
            )  # fmt: skip
        organization = await self._organizations.cached(caller.organization_id)
        command = Use(
            **identity_of(caller),
            entries=entries,
            is_list=is_list,
            calendars=organization.calendars,
            credit_kind=kind,
        )
        return await self._paying.run(command)

    async def reserve(
        self, caller: Caller, amount: Decimal, spent_for: SpentFor, kind: str, expires_in: timedelta
    ) -> Transfer:
        """Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        command = Reserve(
            **identity_of(caller),
            amount=amount,
            context=await self._contexts.context(caller, spent_for),
            expires_in=expires_in,
            calendars=organization.calendars,
            credit_kind=kind,
        )
        return await self._paying.run(command)

    async def capture(self, caller: Caller, hold_id: str, amount: Decimal | None, done: ActionDone) -> Transfer:
        """All of the hold without an amount. Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        command = Capture(
            **identity_of(caller),
            hold_id=hold_id,
            amount=amount,
            agent_type=done.agent_type,
            action=done.action,
            metadata=done.metadata,
            calendars=organization.calendars,
        )
        return await self._paying.run_where_it_was_made(command)

    async def release(self, caller: Caller, hold_id: str) -> Transfer:
        """Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        command = Release(**identity_of(caller), hold_id=hold_id, calendars=organization.calendars)
        return await self._paying.run_where_it_was_made(command)

    async def refund(self, caller: Caller, transaction_id: str, amount: Decimal | None, reason: str) -> Transfer:
        """All that is left of it without an amount. Raises as `Ledger.run`."""
        organization = await self._organizations.cached(caller.organization_id)
        command = Refund(
            **identity_of(caller),
            transaction_id_refunded=transaction_id,
            amount=amount,
            reason=reason,
            calendars=organization.calendars,
        )
        return await self._refunds.run(command)

    async def _entry(self, caller: Caller, requested: RequestedUse) -> UseEntry:
        context = await self._contexts.context(caller, requested.spent_for)
        if requested.amount is not None:
            return UseEntry(requested.amount, context, metadata=requested.metadata)
        agent_type, action = requested.agent_type or "", requested.action or ""
        return UseEntry(
            await self._price(agent_type, action, requested.quantity, requested.spent_for.pointer),
            context,
            agent_type,
            action,
            requested.quantity,
            requested.metadata,
        )

    async def _price(self, agent_type: str, action: str, quantity: Decimal, pointer: str) -> Decimal:
        """Raises `ValidationError` for an action that is free: nothing is booked at 0."""
        amount = await self._costs.price(agent_type, action, quantity)
        if not amount:
            raise ValidationError.at(f"{pointer}/action", "costs nothing in this quantity: there is nothing to spend")
        return amount


def identity_of(caller: Caller) -> dict[str, Any]:
    """The fields that all commands have."""
    return {
        "organization_id": caller.organization_id,
        "key": caller.idempotency_key,
        "principal": caller.principal.root_id,
        "request_hash": caller.request_hash,
    }
