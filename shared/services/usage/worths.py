"""What usage is worth to the caps of the wallet that pays: for which context, and by which price."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cachetools import LRUCache

from shared.domain.credits.counters import Context
from shared.domain.credits.grants import DEFAULT_KIND
from shared.domain.credits.windows import windows_at
from shared.domain.kernel.ids import is_id
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.rating.standalone import price_of_total
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.totals import Totals
from shared.ports.clock import Clock
from shared.ports.usage import Worth
from shared.services.agents.agents import Agents
from shared.services.tenancy.organizations import Organizations

_PRICES = 2_000


@dataclass(frozen=True, slots=True)
class UsedBy:
    """Whose usage it is, and when it was."""

    agent_id: str
    at: datetime
    run: str | None
    reporter: str | None
    """A user, or the first key of a line."""


class Worths:
    """Only where a credit of who pays has a value: without one usage is no credits, and no cap can be in money."""

    def __init__(self, clock: Clock, organizations: Organizations, agents: Agents) -> None:
        self._clock = clock
        self._organizations = organizations
        self._agents = agents
        self._prices: LRUCache[tuple[str, str, str, Period], Callable[[Totals], Decimal]] = LRUCache(_PRICES)

    async def of(
        self, organization: Organization, used_by: UsedBy, version: Version | None, period: Period
    ) -> Worth | None:
        """None where it counts in no cap."""
        if version is None:
            return None
        payer = await self._organizations.cached(organization.payer_at(self._clock.now()))
        value = payer.credit_value_at(used_by.at, DEFAULT_KIND)
        if value is None:
            return None
        agents = await self._agents.resolve(organization.id, {used_by.agent_id})
        return Worth(
            context=_context(organization, agents.get(used_by.agent_id), used_by),
            windows=windows_at(used_by.at, organization.calendars),
            credit_value=value,
            price=self._price(organization, version, used_by.agent_id, period),
            now=self._clock.now(),
        )

    def _price(
        self, organization: Organization, version: Version, agent_id: str, period: Period
    ) -> Callable[[Totals], Decimal]:
        key = (organization.id, version.id, agent_id, period)
        price = self._prices.get(key)
        if price is None:
            price = self._prices[key] = price_of_total(version, agent_id, period, organization.currency)
        return price


def _context(organization: Organization, agent: Agent | None, used_by: UsedBy) -> Context:
    reporter = used_by.reporter
    return Context(
        organization.id,
        None if agent is None else agent.project_id,
        None if agent is None else agent.department_id,
        used_by.agent_id,
        reporter if reporter is not None and is_id(reporter, "key") else None,
        used_by.run,
    )
