"""Verified outcomes that no finalized invoice has billed yet."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from shared.domain.pricing.charges.outcome import OutcomeCharge
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION
from shared.domain.usage.outcomes import Outcome
from shared.ports.clock import Clock
from shared.services.agents.agents import Agents
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.settling import REPLICA_LAG
from shared.services.periods.periods import Periods
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.outcomes import OutcomeQuery, Outcomes


class UnbilledOutcomes:
    def __init__(  # noqa: PLR0913  its neighbours
        self,
        clock: Clock,
        periods: Periods,
        documents: BillingDocuments,
        outcomes: Outcomes,
        agents: Agents,
        metered_versions: MeteredVersions,
    ) -> None:
        self._agents = agents
        self._metered_versions = metered_versions
        self._clock = clock
        self._periods = periods
        self._documents = documents
        self._outcomes = outcomes

    async def page(
        self,
        organization: Organization,
        query: OutcomeQuery,
        limit: int,
        cursor: str | None,
        of_agents: AbstractSet[str] | None = None,
    ) -> tuple[list[Outcome], str | None]:
        """Verified outcomes that the next invoice may bill, newest first.

        In an ended period these are the ones verified after its last invoice, or so shortly before it that the invoice
        may have missed them. An outcome that no model prices is never billed, nor one that a wallet pays: in a prepaid
        period until its close, where its charge does not settle by invoice. Raises `MalformedError` for a cursor that
        this query did not give.
        """
        now = self._clock.now()
        created = await self._periods.created(organization.id)
        ended = {period.start for period in created if period.end <= now}
        unsettled = await self._periods.unsettled(organization.id, now, len(ended))
        billed_at = {item.start: await self._documents.last_billed_at(organization.id, item) for item, _ in unsettled}
        drawn_from = {item.start for item, _ in unsettled if item.is_drawn_from}
        for period in created:
            if period.end > now and (await self._periods.item(organization.id, period.start)).entity.is_drawn_from:
                drawn_from.add(period.start)
        invoiced = await self._invoiced_versions(organization) if drawn_from else frozenset()

        def is_unbilled(outcome: Outcome) -> bool:
            if outcome.version_id == NO_VERSION or (of_agents is not None and outcome.agent_id not in of_agents):
                return False
            if outcome.period in drawn_from and outcome.version_id not in invoiced:
                return False
            if outcome.period not in ended:
                return True
            last = billed_at.get(outcome.period, now)
            return last is None or (outcome.decided_at or last) > last - REPLICA_LAG

        verified = replace(query, status="verified")
        return await self._outcomes.page(organization, verified, limit, cursor, is_unbilled)

    async def _invoiced_versions(self, organization: Organization) -> AbstractSet[str]:
        """The versions with a charge for outcomes that settles by invoice in prepaid periods, too."""
        histories = await self._metered_versions.histories(organization.id, await self._agents.all(organization.id))
        return {
            entry.value.id
            for history in histories.values()
            for entry in history.entries
            if any(isinstance(each, OutcomeCharge) and each.settles == "invoice" for each in entry.value.charges)
        }
