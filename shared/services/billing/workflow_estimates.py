"""Workflow estimates: what workflows would be billed, before they run."""

from collections.abc import Mapping
from decimal import Decimal

from shared.domain.pricing.billing_models import Version
from shared.domain.rating.workflow_validation import WorkflowValidation, validated_workflows
from shared.domain.tenancy.organizations import Organization
from shared.one_at_a_time import OneAtATime
from shared.ports.clock import Clock
from shared.services.agents.agents import Agents
from shared.services.billing.agent_pricing import AgentPricing
from shared.services.periods.periods import Periods


class WorkflowEstimates:
    def __init__(
        self, clock: Clock, agents: Agents, agent_pricing: AgentPricing, periods: Periods, calculations: OneAtATime
    ) -> None:
        self._clock = clock
        self._agents = agents
        self._agent_pricing = agent_pricing
        self._periods = periods
        self._calculations = calculations

    async def validate(
        self, organization: Organization, agent_id: str, workflows: Mapping[str, Decimal]
    ) -> tuple[Version | None, WorkflowValidation]:
        """What workflows would cost an agent in its present billing period.

        The version that prices the agent now prices them, if there is one. Nothing is recorded. Raises `NotFoundError`,
        `UnavailableError`, and `ValidationError` for more work than a calculation may be.
        """
        agent, _ = await self._agents.get(organization.id, agent_id)
        version = await self._agent_pricing.version_now(agent)
        period = await self._periods.would_contain(organization, self._clock.now())
        validation = await self._calculations.run(
            lambda: validated_workflows(version, organization.currency, agent.id, workflows, period)
        )
        return version, validation
