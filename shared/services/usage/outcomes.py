"""Outcomes: listed, verified, rejected, reversed, and what they come to."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from shared.domain.access.identity import Principal
from shared.domain.kernel.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
    XyraError,
)
from shared.domain.kernel.ids import is_id
from shared.domain.kernel.money import truncate
from shared.domain.kernel.times import from_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.periods.periods import Period
from shared.domain.rating.figures import ratio
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage import outcomes
from shared.domain.usage.outcomes import SYSTEM_TOTAL_OF, Decided, Decision, Outcome, Status, Verification
from shared.ports.clock import Clock
from shared.ports.outcomes import Change, KeptOutcome, OutcomeFilter, OutcomeStore
from shared.ports.store import Document, Place
from shared.ports.usage import Usage
from shared.services.agents.agents import Agents
from shared.services.periods import rebilling
from shared.services.periods.periods import Periods
from shared.services.storage.cursors import cursor_to, place_behind, shape_of
from shared.services.storage.outbox import Outbox
from shared.services.storage.retrying import SECOND_LOOK_SECONDS
from shared.services.usage.rated_versions import RatedVersions
from shared.services.usage.recorded_events import metered

MAXIMUM_DECIDED = 1000
LOOKED_AT = 2000
"""How many outcomes one page looks at most, where it filters by what has no index."""
_ATTEMPTS = 20
_BACK_OFF_SECONDS = 0.05
_DOUBTFUL = (Outcome, ConflictError, NotFoundError)
"""Answers that a late read may be the reason of."""

Decide = Callable[[KeptOutcome, Decision], Awaitable[Decided | None]]
"""What an outcome becomes; None where it is so already. Raises what refuses it."""


@dataclass(frozen=True, slots=True)
class OutcomeQuery:
    """Which outcomes are wanted; None is any. `agent` is an id or an external id."""

    status: Status | None = None
    agent: str | None = None
    type: str | None = None
    period: Period | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutcomeDetails:
    outcome: Outcome
    event_data: str | None
    """JSON text, as long as the event is kept."""


@dataclass(frozen=True, slots=True)
class InState:
    """How many outcomes are in a state, and what they are worth in the organization's currency, but for those that had
    no exchange rate.
    """

    count: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Statistics:
    states: Mapping[Status, InState]

    @property
    def count(self) -> int:
        return sum(state.count for state in self.states.values())

    @property
    def success_rate(self) -> Decimal:
        """Verified / all, as all ratios are rounded; 0 where there are none."""
        return ratio(self.states["verified"].count, self.count)


class Outcomes:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        kept: OutcomeStore,
        usage: Usage,
        clock: Clock,
        agents: Agents,
        rated_versions: RatedVersions,
        periods: Periods,
        outbox: Outbox,
    ) -> None:
        self._kept = kept
        self._usage = usage
        self._clock = clock
        self._agents = agents
        self._rated_versions = rated_versions
        self._periods = periods
        self._outbox = outbox

    async def get(self, organization: Organization, outcome_id: str) -> OutcomeDetails:
        """Raises `NotFoundError`, also while its event is still on its way."""
        found = await self._find(organization, [outcome_id])
        if outcome_id not in found:
            await asyncio.sleep(SECOND_LOOK_SECONDS)
            found = await self._find(organization, [outcome_id])
        if outcome_id not in found:
            raise _not_found()
        return _details(found[outcome_id].outcome, found[outcome_id].event)

    async def details(self, organization: Organization, outcome: Outcome) -> OutcomeDetails:
        """Of an outcome as it has just been decided, which a read may not show yet."""
        shard_counts = organization.counts_until(self._clock.now())
        return _details(outcome, await self._usage.find(organization.id, shard_counts, outcome.event_key))

    # Decisions

    async def verify(
        self, organization: Organization, outcome_ids: Iterable[str], verification: Verification, by: Principal
    ) -> dict[str, Outcome | XyraError]:
        """What each of them is now, or why it could not be verified; what is verified already is left as it is.

        Raises `UnavailableError`; repeat it then.
        """

        async def decide(kept: KeptOutcome, decision: Decision) -> Decided | None:
            _check_may_decide(kept.outcome, by)
            if kept.outcome.reported_by == by.id:
                raise ForbiddenError("The credential that reported an outcome cannot verify it")
            if kept.event is None:
                raise ConflictError("The event that reported the outcome is no longer kept")
            outcome, event = kept.outcome, metered(kept.event)
            version = await self._rated_versions.of(organization.id, outcome.agent_id, outcome.version_id)
            charges = () if version is None else version.charges
            return outcomes.verified(outcome, event, charges, organization.currency, verification, decision)

        return await self._decide(organization, outcome_ids, decide, by)

    async def reject(
        self, organization: Organization, outcome_id: str, reason: str, by: Principal
    ) -> Outcome | XyraError:
        async def decide(kept: KeptOutcome, decision: Decision) -> Decided | None:
            _check_may_decide(kept.outcome, by)
            return outcomes.rejected(kept.outcome, organization.currency, reason, decision)

        return (await self._decide(organization, [outcome_id], decide, by))[outcome_id]

    async def reverse(
        self, organization: Organization, outcome_id: str, reason: str, by: Principal
    ) -> Outcome | XyraError:
        async def decide(kept: KeptOutcome, decision: Decision) -> Decided | None:
            _check_may_decide(kept.outcome, by)
            if not by.is_operator:
                await self._check_own_to_reverse(organization, kept.outcome, by)
            return outcomes.taken_back(kept.outcome, organization.currency, reason, decision)

        return (await self._decide(organization, [outcome_id], decide, by))[outcome_id]

    async def _check_own_to_reverse(self, organization: Organization, outcome: Outcome, by: Principal) -> None:
        """What the organization has verified itself it may take back as long as that credits nothing: crediting is the
        operator's (AC-20). Raises `ForbiddenError`.
        """
        if outcome.reported_by == by.id:
            raise ForbiddenError("The credential that reported an outcome cannot reverse it")
        if outcome.status == "verified" and outcome.decided_by != "organization":
            raise ForbiddenError("Only the operator reverses what the organization has not verified itself")
        period = await self._periods.containing(organization, from_text(outcome.time))
        if period.end <= self._clock.now():
            raise ForbiddenError("Only the operator reverses an outcome of a period that has ended")

    def _decision(self, by: Principal) -> Decision:
        return Decision(self._clock.now(), "operator" if by.is_operator else "organization", by.id)

    async def _decide(
        self, organization: Organization, outcome_ids: Iterable[str], decide: Decide, by: Principal
    ) -> dict[str, Outcome | XyraError]:
        """By guarded writes; what was outrun by another decision is read and decided again. So is, once, what would be
        answered without a write, as no guard shows that it was read late.
        """
        results: dict[str, Outcome | XyraError] = {}
        waiting = list(dict.fromkeys(outcome_ids))
        looked_twice = False
        for attempt in range(_ATTEMPTS):
            if not waiting:
                return results
            await asyncio.sleep(random.uniform(0, _BACK_OFF_SECONDS) * attempt)  # noqa: S311  jitter
            changes, answers = await self._look(organization, waiting, decide, self._decision(by))
            changed = await self._kept.decide(changes)
            results |= answers
            results |= {change.before.outcome.id: change.decided.outcome for change in changed.committed}
            for change, detail in changed.refused:
                results[change.before.outcome.id] = ConflictError(f"The decision cannot be kept: {detail}")
            for entry in sorted(changed.entries):
                await self._outbox.attempt(*entry)
            waiting = [change.before.outcome.id for change in changed.outrun]
            doubtful = [id_ for id_, answer in answers.items() if isinstance(answer, _DOUBTFUL)]
            if doubtful and not looked_twice:
                looked_twice = True
                waiting += doubtful
                await asyncio.sleep(SECOND_LOOK_SECONDS)
        if waiting:
            raise UnavailableError("The outcomes are being decided by many at once")
        return results

    async def _look(
        self, organization: Organization, outcome_ids: Sequence[str], decide: Decide, decision: Decision
    ) -> tuple[list[Change], dict[str, Outcome | XyraError]]:
        """What becomes of them as they are read now, and what is answered for those that stay as they are."""
        found = await self._find(organization, outcome_ids)
        changes: list[Change] = []
        answers: dict[str, Outcome | XyraError] = {}
        for outcome_id in outcome_ids:
            kept = found.get(outcome_id)
            if kept is None:
                answers[outcome_id] = _not_found()
                continue
            try:
                decided = await decide(kept, decision)
            except UnavailableError:
                raise
            except XyraError as error:
                answers[outcome_id] = error
                continue
            if decided is None:
                answers[outcome_id] = kept.outcome
            else:
                changes.append(Change(kept, decided, await self._moves(organization, kept.outcome)))
        return changes, answers

    async def _find(self, organization: Organization, outcome_ids: Sequence[str]) -> dict[str, KeptOutcome]:
        wanted = [outcome_id for outcome_id in outcome_ids if is_id(outcome_id, "out")]
        return await self._kept.find(organization.id, organization.counts_until(self._clock.now()), wanted)

    async def _moves(self, organization: Organization, outcome: Outcome) -> Document | None:
        """As of a late event, where the period has ended."""
        period = await self._periods.containing(organization, from_text(outcome.time))
        return rebilling.entry_of(self._outbox, organization.id, period, self._clock.now())

    # Lists

    async def page(
        self,
        organization: Organization,
        query: OutcomeQuery,
        limit: int,
        cursor: str | None,
        wanted: Callable[[Outcome], bool] = lambda _: True,
    ) -> tuple[list[Outcome], str | None]:
        """The wanted ones, newest first, over all shards. A page ends early where few of those looked at are wanted.

        Raises `MalformedError` for a cursor that this query did not give.
        """
        shape = shape_of(organization.id, query)
        place = None if cursor is None else place_behind(cursor, shape)
        agent_id = None
        if query.agent is not None:
            agent = (await self._agents.resolve(organization.id, {query.agent})).get(query.agent)
            if agent is None:
                return [], None
            agent_id = agent.id
        period = query.period.start if query.period is not None else None
        filtered = OutcomeFilter(query.status, agent_id, period, query.start, query.end)
        found: list[Outcome] = []
        looked_at = 0
        shards = organization.largest_shard_count
        async for outcome in self._kept.listed(organization.id, shards, filtered, place, page=limit):
            if len(found) == limit or looked_at == max(LOOKED_AT, limit):
                break
            looked_at += 1
            place = Place(outcome.time, outcome.id)
            if query.type in (None, outcome.type) and wanted(outcome):
                found.append(outcome)
        else:
            place = None
        return found, None if place is None else cursor_to(place, shape)

    async def statistics(self, organization: Organization, agent: str | None, period: Period | None) -> Statistics:
        """From totals alone, so that it costs the same however many outcomes there are. `agent` is an id or an external
        id; without a period, of all.
        """
        agent_id = None
        if agent is not None:
            found = (await self._agents.resolve(organization.id, {agent})).get(agent)
            if found is None:
                raise NotFoundError("There is no such agent")
            agent_id = found.id
        created = [period] if period is not None else await self._periods.created(organization.id)
        shards = organization.largest_shard_count
        sums = dict.fromkeys(SYSTEM_TOTAL_OF, CountAndSum())
        for each in created:
            for total in await self._usage.totals(organization.id, shards, each.start, distinct=False):
                if agent_id in (None, total.key.agent_id):
                    for status, name in SYSTEM_TOTAL_OF.items():
                        reading = total.totals.reading(name)
                        if isinstance(reading, CountAndSum):
                            sums[status] = sums[status].merge(reading)
        return Statistics(
            {status: InState(int(tally.count), truncate(Fraction(tally.sum))) for status, tally in sums.items()}
        )


def _details(outcome: Outcome, event: Document | None) -> OutcomeDetails:
    return OutcomeDetails(outcome, None if event is None else event["data"])


def _check_may_decide(outcome: Outcome, by: Principal) -> None:
    """Raises `ForbiddenError`."""
    if not by.is_operator and outcome.verifier != "organization":
        raise ForbiddenError("Only the operator decides about this outcome: its charge does not name the organization")


def _not_found() -> NotFoundError:
    return NotFoundError("There is no such outcome, its event is still on its way, or it is parked: see /events/parked")
