"""Verified outcomes that no finalized invoice has billed yet."""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION
from shared.domain.usage.outcomes import Outcome
from shared.ports.clock import Clock
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.settling import REPLICA_LAG
from shared.services.periods.periods import Periods
from shared.services.usage.outcomes import OutcomeQuery, Outcomes


class UnbilledOutcomes:
    def __init__(self, clock: Clock, periods: Periods, documents: BillingDocuments, outcomes: Outcomes) -> None:
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
        may have missed them. An outcome that no model prices is never billed. Raises `MalformedError` for a cursor that
        this query did not give.
        """
        now = self._clock.now()
        ended = {period.start for period in await self._periods.created(organization.id) if period.end <= now}
        unsettled = await self._periods.unsettled(organization.id, now, len(ended))
        billed_at = {item.start: await self._documents.last_billed_at(organization.id, item) for item, _ in unsettled}

        def is_unbilled(outcome: Outcome) -> bool:
            if outcome.version_id == NO_VERSION or (of_agents is not None and outcome.agent_id not in of_agents):
                return False
            if outcome.period not in ended:
                return True
            last = billed_at.get(outcome.period, now)
            return last is None or (outcome.decided_at or last) > last - REPLICA_LAG

        verified = replace(query, status="verified")
        return await self._outcomes.page(organization, verified, limit, cursor, is_unbilled)
