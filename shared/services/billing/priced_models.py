"""Priced models: the billing models of an organization's agents and plans, and what their charges need."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from shared.domain.kernel.histories import History
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges.charge import Charge, HeadcountName, Recurrence
from shared.services.pricing.places import PlanPrices


@dataclass(frozen=True, slots=True)
class PricedModels:
    """What prices an organization's usage and fees."""

    versions: Mapping[str, History[Version]]
    """By billing model."""
    names: Mapping[str, str]
    """By billing model."""
    agent_charges: Sequence[Charge]
    plan_versions: Mapping[str, Version] = field(default_factory=dict)
    """By their own id: what prices the plans at places."""

    @property
    def charges(self) -> Sequence[Charge]:
        """Those of agents and of plans."""
        of_plans = [charge for version in self.plan_versions.values() for charge in version.priced]
        return [*self.agent_charges, *of_plans]

    @property
    def recurrences(self) -> AbstractSet[Recurrence]:
        return {charge.recurrence for charge in self.charges}

    @property
    def agent_recurrences(self) -> AbstractSet[Recurrence]:
        """Those of the billing models of agents."""
        return {charge.recurrence for charge in self.agent_charges}

    @property
    def headcounts(self) -> AbstractSet[HeadcountName]:
        return {charge.headcount for charge in self.charges if charge.headcount is not None}

    def with_plans(self, prices: PlanPrices) -> "PricedModels":
        return replace(self, names={**self.names, **prices.names}, plan_versions=prices.versions)
