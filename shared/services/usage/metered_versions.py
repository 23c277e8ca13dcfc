"""The versions of billing models under which usage was metered."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.pricing.billing_models import Version, version_history
from shared.domain.pricing.plan_versions import is_of_plans, own_key_of
from shared.domain.tenancy.agents import Agent
from shared.domain.usage.events import NO_VERSION
from shared.services.agents.agents import Agents
from shared.services.pricing.billing_models import BillingModels
from shared.services.pricing.plan_usage import PlanUsage, PricingPlans


class MeteredVersions:
    def __init__(self, agents: Agents, billing_models: BillingModels, plan_usage: PlanUsage) -> None:
        self._agents = agents
        self._plan_usage = plan_usage
        self._billing_models = billing_models

    async def of(self, organization_id: str, agent_id: str, version_id: str) -> Version | None:
        """The version of an agent's usage, whatever version is in force now.

        None for usage without a billing model. Where the cached agent does not lead to it, the agent is read again:
        another host may have changed its model. Raises `UnavailableError` where the version cannot be read yet.
        """
        if version_id == NO_VERSION:
            return None
        if is_of_plans(version_id):
            return await self._plan_usage.version(version_id)
        known = (await self._agents.resolve(organization_id, {agent_id})).get(agent_id)
        version = await self._version_of(known, version_id)
        if version is None:
            version = await self._version_of(await self._agents.newest(organization_id, agent_id), version_id)
        if version is None:
            raise UnavailableError(f"The version {version_id} of agent {agent_id}'s usage cannot be read yet")
        return version

    async def _version_of(self, agent: Agent | None, version_id: str) -> Version | None:
        if agent is None:
            return None
        with _known_models():
            return await self._billing_models.version_of(agent.organization_id, agent.models, version_id)

    async def histories(self, organization_id: str, agents: Iterable[Agent]) -> dict[str, History[Version]]:
        """All versions of every billing model that these agents ever have, by model.

        Raises `UnavailableError` where a model cannot be read yet.
        """
        model_ids = {model_id for agent in agents for model_id in agent.all_model_ids}
        with _known_models():
            models = [await self._billing_models.cached(organization_id, model_id) for model_id in sorted(model_ids)]
        return {model.id: version_history(await self._billing_models.versions(model)) for model in models}

    async def plans(self, organization_id: str, version_ids: Iterable[str]) -> PricingPlans:
        """The organization's plans, where one of these versions is of plans; else none. Raises `UnavailableError`."""
        if any(is_of_plans(version_id) for version_id in version_ids):
            return await self._plan_usage.pricing(organization_id)
        return PricingPlans({}, {})

    async def have_charge(self, organization_id: str, agents: Iterable[Agent], key: str) -> bool:
        """Whether a version that ever prices one of these agents, or a plan of the organization, has this charge.

        The charge is given by its key. Raises `UnavailableError` where a billing model cannot be read yet.
        """
        plans = [version for _, version in await self._plan_usage.histories(organization_id) if version is not None]
        if any(own_key_of(charge.key) == key for version in plans for charge in version.charges):
            return True
        models = {(agent.organization_id, model_id) for agent in agents for model_id in agent.all_model_ids}
        with _known_models():
            return any([await self._billing_models.has_charge(*model, key) for model in sorted(models)])


@contextmanager
def _known_models() -> Iterator[None]:
    """The models that agents name.

    One of these that is not found cannot be read yet.
    """
    try:
        yield
    except NotFoundError as error:
        raise UnavailableError("The billing model was created a moment ago and cannot be read yet") from error
