"""The figures of runs, worked out from their events when they are read."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from shared.domain.pricing.billing_models import Version
from shared.domain.rating.standalone import standalone_price
from shared.domain.runs.run_figures import RunFigures, contributions
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import TotalKey
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Totals
from shared.ports.clock import Clock
from shared.ports.outcomes import OutcomeStore
from shared.ports.usage import EventFilter, Usage
from shared.services.periods.periods import Periods
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.recorded_events import outcomes_of

MAXIMUM_EVENTS_OF_RUN = 10_000
"""From how many events of a run its figures are worked out, the newest."""
_EVENTS_PER_PAGE = 200
"""How many of them are in memory at a time: each may have 32 KiB."""

TotalsOfVersions = Mapping[tuple[str, str], Totals]
"""By agent and version."""


class RunFiguresReader:
    def __init__(
        self,
        usage: Usage,
        outcomes: OutcomeStore,
        clock: Clock,
        metered_versions: MeteredVersions,
        periods: Periods,
    ) -> None:
        self._usage = usage
        self._outcomes = outcomes
        self._clock = clock
        self._metered_versions = metered_versions
        self._periods = periods

    async def of_key(self, organization: Organization, key: str) -> RunFigures:
        """The figures of the metered events that name this key.

        As in bills, each period has a price of its own: quantities begin anew in it, and averages are over it. Raises
        `UnavailableError`.
        """
        figures = RunFigures(organization.currency)
        versions: dict[str, Version] = {}
        totals: dict[datetime, dict[tuple[str, str], Totals]] = {}
        async for events in self._pages(organization, key):
            if figures.events.total() >= MAXIMUM_EVENTS_OF_RUN:
                figures.is_complete = False
                break
            outcomes = await outcomes_of(self._outcomes, organization, events, self._clock.now())
            for event in events:
                costed, outcome = event.costed(), outcomes.get(event.key)
                figures.count(costed)
                if outcome is not None:
                    figures.count_outcome(outcome)
                version = await self._version(organization.id, event.total, versions)
                if version is not None:
                    by_version = totals.setdefault(event.total.period, {})
                    added_to = by_version.setdefault((event.total.agent_id, version.id), Totals())
                    if event.is_paid:
                        figures.add_price(event.beyond_payment)
                        continue
                    for added in contributions(costed, outcome, version.charges, organization.currency):
                        added_to.add(added)
        for start, by_version in totals.items():
            await self._add_price(figures, organization, start, by_version, versions)
        return figures

    async def _version(self, organization_id: str, total: TotalKey, known: dict[str, Version]) -> Version | None:
        """The version that an event was metered for; None where none prices it."""
        version = known.get(total.version_id) or await self._metered_versions.of(
            organization_id, total.agent_id, total.version_id
        )
        if version is not None:
            known[version.id] = version
        return version

    async def _add_price(
        self,
        figures: RunFigures,
        organization: Organization,
        start: datetime,
        totals: TotalsOfVersions,
        versions: Mapping[str, Version],
    ) -> None:
        """What the run's usage in the period that starts then would cost on its own."""
        period = await self._periods.would_contain(organization, start)
        used = [versions[version_id] for version_id in {version_id for _, version_id in totals}]
        figures.add_price(standalone_price(used, totals, period, organization.currency))

    async def _pages(self, organization: Organization, key: str) -> AsyncIterator[list[RecordedEvent]]:
        """The newest events first."""
        shards = organization.largest_shard_count
        page: list[RecordedEvent] = []
        async for event in self._usage.events(organization.id, shards, EventFilter(run=key), page=_EVENTS_PER_PAGE):
            page.append(event)
            if len(page) == _EVENTS_PER_PAGE:
                yield page
                page = []
        if page:
            yield page
