"""Workflows: what they would cost, before they run."""

from collections.abc import Mapping
from decimal import Decimal

from shared.domain.pricing.billing_models import Version
from shared.domain.rating.workflow_validation import WorkflowValidation, validated_workflows
from shared.domain.tenancy.agents import Agent
from shared.ports.clock import Clock
from shared.services.agents.agents import Agents
from shared.services.periods.periods import Periods
from shared.services.pricing.billing_models import BillingModels
from shared.services.tenancy.organizations import Organizations


class WorkflowEstimates:
    def __init__(
        self,
        clock: Clock,
        organizations: Organizations,
        agents: Agents,
        billing_models: BillingModels,
        periods: Periods,
    ) -> None:
        self._clock = clock
        self._organizations = organizations
        self._agents = agents
        self._billing_models = billing_models
        self._periods = periods

    async def validate(
        self, organization_id: str, agent_id: str, workflows: Mapping[str, Decimal]
    ) -> tuple[Version | None, WorkflowValidation]:
        """By the version that prices the agent now, if one does, over its present billing period. Nothing is recorded.
        Raises `NotFoundError`.
        """
        agent, _ = await self._agents.get_item(organization_id, agent_id)
        organization = await self._organizations.get(organization_id)
        version = await self._version_now(agent)
        period = await self._periods.would_contain(organization, self._clock.now())
        return version, validated_workflows(version, organization.currency, agent.id, workflows, period)

    async def _version_now(self, agent: Agent) -> Version | None:
        now = self._clock.now()
        model_id = agent.models.at(now)
        if model_id is None:
            return None
        model, _ = await self._billing_models.visible(agent.organization_id, model_id)
        reference = model.versions.at(now)
        return None if reference is None else await self._billing_models.version(model, reference)
