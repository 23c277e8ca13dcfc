"""Plan choices: which plans an organization can subscribe to, and by which version."""

from dataclasses import dataclass

from shared.domain.kernel.errors import ValidationError
from shared.domain.pricing.places import Terms
from shared.domain.pricing.plan_intervals import CycleAnchor
from shared.domain.pricing.plans import Plan, Trial
from shared.domain.tenancy.organizations import Organization
from shared.services.agents.agents import Agents
from shared.services.pricing.plans import Plans

ONE_BASE_PLAN = "has to be 1 for a base plan: an organization has one; add-ons are had more than once"


@dataclass(frozen=True, slots=True)
class Having:
    """How a plan is had, beside what it is."""

    quantity: int = 1
    anchor: CycleAnchor | None = None
    """In place of the plan's."""
    resets_anchor: bool = False


class PlanChoices:
    def __init__(self, agents: Agents, plans: Plans) -> None:
        self._agents = agents
        self._plans = plans

    async def chosen(self, organization: Organization, reference: str, *, only_public: bool) -> Plan:
        """The plan with this key or id. Raises `ValidationError` at `/plan` for one that the organization cannot have.

        With `only_public`, it has to be one that organizations may subscribe to by themselves.
        """
        plan = await self._plans.named(reference)
        if only_public and not plan.public:
            raise ValidationError.at("/plan", "is not public; the operator subscribes organizations to it")
        if plan.archived_at is not None:
            raise ValidationError.at("/plan", "is archived; see GET /billing/plans")
        version = await self._plans.version(plan.newest.id)
        if organization.currency not in version.prices:
            offered = ", ".join(sorted(version.prices))
            raise ValidationError.at("/plan", f"has prices in {offered}; the organization pays {organization.currency}")
        model_id = version.prices[organization.currency].model_id
        if any(model_id in agent.all_model_ids for agent in await self._agents.all(organization.id)):
            raise ValidationError.at("/plan", "an agent of the organization is, or was, on the plan's billing model")
        return plan

    async def trial(self, plan: Plan, days: int | None, *, had_one: bool) -> Trial | None:
        """The trial of a new subscription: the plan's, once at a place, or one of so many days; 0 for none."""
        trial = (await self._plans.version(plan.newest.id)).trial
        if days is not None:
            then = "active" if trial is None else trial.then
            return Trial(days=days, then=then) if days else None
        return None if had_one else trial

    async def moves_months(self, plan: Plan) -> bool:
        """Whether the plan itself says that billing months begin on the day on which it is first paid."""
        version = await self._plans.version(plan.newest.id)
        return version.interval == "month" and version.anchor == "anniversary"

    async def terms(self, subscription_id: str, organization: Organization, plan: Plan, had: Having) -> Terms:
        """The plan's newest version in the organization's currency. Raises `ValidationError`."""
        version = await self._plans.version(plan.newest.id)
        if plan.plan_kind == "base" and had.quantity != 1:
            raise ValidationError.at("/quantity", ONE_BASE_PLAN)
        return Terms(
            subscription_id=subscription_id,
            status="active",
            plan_id=plan.id,
            plan_key=plan.key,
            plan_version_id=version.id,
            charges_id=version.prices[organization.currency].version_id,
            interval=version.interval,
            anchor=had.anchor or version.anchor or "anniversary",
            resets_anchor=had.resets_anchor,
            quantity=had.quantity,
        )
