"""By which billing model and version an agent is priced, now and later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.pricing.billing_models import BillingModel, Version
from shared.domain.tenancy.agents import Agent
from shared.ports.clock import Clock
from shared.services.pricing.billing_models import BillingModels

_FAR_FUTURE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ModelPricing:
    """By what an agent is priced from a time on; both None without a model, or before its first version is in force."""

    start: datetime
    model: BillingModel | None
    version: Version | None


class AgentPricing:
    def __init__(self, clock: Clock, billing_models: BillingModels) -> None:
        self._clock = clock
        self._billing_models = billing_models

    async def from_now_on(self, agent: Agent) -> Sequence[ModelPricing]:
        """Without a gap: what holds at present first, then what has been decided for later.

        Raises `UnavailableError` where a model or version cannot be read yet.
        """
        pricing: list[ModelPricing] = []
        priced_until = self._clock.now()
        for assignment in agent.models.within(priced_until, agent.ended_at or _FAR_FUTURE):
            if assignment.value is None:
                continue
            model = await self._model(agent.organization_id, assignment.value)
            for reference in model.versions.within(assignment.start, assignment.end or _FAR_FUTURE):
                if priced_until < reference.start:
                    pricing.append(ModelPricing(priced_until, None, None))
                version = await self._billing_models.version(model, reference.value)
                pricing.append(ModelPricing(reference.start, model, version))
                priced_until = reference.end or _FAR_FUTURE
        if priced_until < _FAR_FUTURE:
            pricing.append(ModelPricing(priced_until, None, None))
        return pricing

    async def version_now(self, agent: Agent) -> Version | None:
        """None where nothing prices the agent at present. Raises `UnavailableError`."""
        now = self._clock.now()
        model_id = agent.models.at(now)
        if model_id is None:
            return None
        model = await self._model(agent.organization_id, model_id)
        reference = model.versions.at(now)
        return None if reference is None else await self._billing_models.version(model, reference)

    async def _model(self, organization_id: str, model_id: str) -> BillingModel:
        """A model that an agent has, so it is known to exist."""
        try:
            return (await self._billing_models.visible(organization_id, model_id))[0]
        except NotFoundError as error:
            raise UnavailableError("The billing model was made a moment ago and cannot be read yet") from error
