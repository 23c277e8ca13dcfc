"""By which billing model and version an agent is priced, now and later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from shared.domain.kernel.errors import NotFoundError, UnavailableError
from shared.domain.kernel.histories import Interval
from shared.domain.kernel.times import BEGINNING
from shared.domain.pricing.billing_models import BillingModel, Version
from shared.domain.tenancy.agents import Agent
from shared.ports.clock import Clock
from shared.services.pricing.billing_models import BillingModels

_FAR_FUTURE = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ModelPricing:
    """What prices an agent from `start` on.

    Model and version are both None where the agent has no model, or no version of it is in force. `start` is when the
    version, or the model for this agent, took effect.
    """

    start: datetime
    model: BillingModel | None
    version: Version | None


class AgentPricing:
    def __init__(self, clock: Clock, billing_models: BillingModels) -> None:
        self._clock = clock
        self._billing_models = billing_models

    async def from_now_on(self, agent: Agent) -> Sequence[ModelPricing]:
        """Without a gap: what is in force, with the time when it took effect; then what has been decided for later.

        Raises `UnavailableError` where a model or version cannot be read yet.
        """
        now = self._clock.now()
        pricing: list[ModelPricing] = []
        for assignment in agent.models.within(BEGINNING, agent.ended_at or _FAR_FUTURE):
            if assignment.end is None or assignment.end > now:
                pricing += await self._within(agent, assignment)
        if agent.ended_at is not None:
            pricing.append(_unpriced(agent.ended_at))
        if pricing[0].start > now:
            pricing.insert(0, _unpriced(agent.created_at))
        begun = sum(entry.start <= now for entry in pricing)
        return _without_repeats(pricing[begun - 1 :])

    async def _within(self, agent: Agent, assignment: Interval[str | None]) -> list[ModelPricing]:
        """The versions of an assigned model.

        The time until the first of them is in force comes first, without a version.
        """
        unpriced = _unpriced(agent.created_at if assignment.start == BEGINNING else assignment.start)
        if assignment.value is None:
            return [unpriced]
        model = await self._model(agent.organization_id, assignment.value)
        versions = [
            ModelPricing(reference.start, model, await self._billing_models.version(model, reference.value))
            for reference in model.versions.within(assignment.start, assignment.end or _FAR_FUTURE)
        ]
        return versions if versions and versions[0].start == assignment.start else [unpriced, *versions]

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


def _unpriced(start: datetime) -> ModelPricing:
    return ModelPricing(start, None, None)


def _without_repeats(pricing: Sequence[ModelPricing]) -> list[ModelPricing]:
    """Time without a price that follows on such time is part of it."""
    following = [entry for before, entry in pairwise(pricing) if entry.version or before.version]
    return [*pricing[:1], *following]
