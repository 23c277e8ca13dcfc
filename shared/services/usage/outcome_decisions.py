"""Decisions about outcomes: verified, rejected, reversed; each changes the totals of the outcome's period."""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from shared.domain.access.identity import Principal
from shared.domain.kernel.errors import ConflictError, ForbiddenError, NotFoundError, UnavailableError, XyraError
from shared.domain.kernel.times import from_text
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage import outcomes as rules
from shared.domain.usage.outcomes import Decided, Decision, Outcome, Verification
from shared.ports.clock import Clock
from shared.ports.outcomes import OutcomeChange, OutcomeStore, StoredOutcome
from shared.services.periods.periods import Periods
from shared.services.periods.rebilling import Rebilling
from shared.services.storage import Outbox, StaleEtagError, look_twice, retry_lost_races
from shared.services.usage.metered_versions import MeteredVersions
from shared.services.usage.outcomes import Outcomes, not_found
from shared.services.usage.worths import UsedBy, Worths

MAXIMUM_DECIDED = 1000
"""Outcomes that one call may decide."""

Decide = Callable[[StoredOutcome, Decision], Awaitable[Decided | None]]
"""What an outcome becomes; None where it is so already. Raises what refuses the decision."""
Result = Outcome | XyraError
"""The outcome as it is now, or why it could not be decided."""

_DOUBTFUL = (Outcome, ConflictError, NotFoundError)
"""Results without a write that a stale read may explain."""


class OutcomeDecisions:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: OutcomeStore,
        clock: Clock,
        outcomes: Outcomes,
        metered_versions: MeteredVersions,
        periods: Periods,
        rebilling: Rebilling,
        worths: Worths,
        outbox: Outbox,
    ) -> None:
        self._worths = worths
        self._store = store
        self._clock = clock
        self._outcomes = outcomes
        self._metered_versions = metered_versions
        self._periods = periods
        self._rebilling = rebilling
        self._outbox = outbox

    async def verify(
        self, organization: Organization, outcome_ids: Iterable[str], verification: Verification, by: Principal
    ) -> dict[str, Result]:
        """Each by itself, by id; one that is verified already is left as it is.

        Raises `UnavailableError`; repeat it then.
        """

        async def decide(stored: StoredOutcome, decision: Decision) -> Decided | None:
            _check_may_decide(stored.outcome, by)
            if stored.outcome.reported_by == by.root_id:
                raise ForbiddenError("The credential that reported an outcome cannot verify it")
            if stored.event is None:
                raise ConflictError("The event that reported the outcome is no longer kept")
            outcome, event = stored.outcome, stored.event.costed()
            version = await self._metered_versions.of(organization.id, outcome.agent_id, outcome.version_id)
            charges = () if version is None else version.charges
            return rules.verify(outcome, event, charges, organization.currency, verification, decision)

        return await self._decide(organization, outcome_ids, decide, by)

    async def reject(self, organization: Organization, outcome_id: str, reason: str, by: Principal) -> Result:
        async def decide(stored: StoredOutcome, decision: Decision) -> Decided | None:
            _check_may_decide(stored.outcome, by)
            return rules.reject(stored.outcome, organization.currency, reason, decision)

        return (await self._decide(organization, [outcome_id], decide, by))[outcome_id]

    async def reverse(self, organization: Organization, outcome_id: str, reason: str, by: Principal) -> Result:
        async def decide(stored: StoredOutcome, decision: Decision) -> Decided | None:
            _check_may_decide(stored.outcome, by)
            if not by.is_operator:
                await self._check_organization_may_reverse(organization, stored.outcome, by)
            return rules.reverse(stored.outcome, organization.currency, reason, decision)

        return (await self._decide(organization, [outcome_id], decide, by))[outcome_id]

    async def _check_organization_may_reverse(
        self, organization: Organization, outcome: Outcome, by: Principal
    ) -> None:
        """An organization may reverse what it verified itself, until the period ends.

        After that a reversal is a credit, which only the operator gives. Raises `ForbiddenError`.
        """
        if outcome.reported_by == by.root_id:
            raise ForbiddenError("The credential that reported an outcome cannot reverse it")
        if outcome.status == "verified" and outcome.decided_by != "organization":
            raise ForbiddenError("Only the operator reverses what the organization has not verified itself")
        period = await self._periods.containing(organization, from_text(outcome.time))
        if period.end <= self._clock.now():
            raise ForbiddenError("Only the operator reverses an outcome of a period that has ended")

    async def _decide(
        self, organization: Organization, outcome_ids: Iterable[str], decide: Decide, by: Principal
    ) -> dict[str, Result]:
        """Results without a write are decided once more, since their read may have been stale."""
        results: dict[str, Result] = {}
        waiting = list(dict.fromkeys(outcome_ids))

        async def look() -> list[str]:
            nonlocal waiting
            decided, unwritten = await self._decide_and_commit(organization, waiting, decide, by)
            results.update(decided | unwritten)
            waiting = [outcome_id for outcome_id, result in unwritten.items() if isinstance(result, _DOUBTFUL)]
            return waiting

        await look_twice(look, is_doubtful=bool)
        return results

    async def _decide_and_commit(
        self, organization: Organization, outcome_ids: Sequence[str], decide: Decide, by: Principal
    ) -> tuple[dict[str, Result], dict[str, Result]]:
        """Optimistic concurrency: what was superseded by another decision is read and decided again.

        The results of writes, and those that needed none.
        """
        written: dict[str, Result] = {}
        unwritten: dict[str, Result] = {}
        waiting = outcome_ids

        async def attempt() -> None:
            nonlocal waiting
            changes, without_change = await self._changes(organization, waiting, decide, self._decision(by))
            unwritten.update(without_change)
            result = await self._store.commit(changes)
            written.update({change.id: change.decided.outcome for change in result.committed})
            for change, reason in result.refused:
                written[change.id] = ConflictError(f"The decision cannot be kept: {reason}")
            for entry in sorted(result.outbox_entries):
                await self._outbox.attempt(*entry)
            waiting = [change.id for change in result.superseded]
            if waiting:
                raise StaleEtagError("The outcomes have been decided meanwhile")

        await retry_lost_races(attempt, UnavailableError("The outcomes are being decided by many at once"))
        return written, unwritten

    async def _changes(
        self, organization: Organization, outcome_ids: Sequence[str], decide: Decide, decision: Decision
    ) -> tuple[list[OutcomeChange], dict[str, Result]]:
        """The changes of these outcomes, and the results of those that do not change."""
        stored_outcomes = await self._outcomes.find(organization, outcome_ids)
        changes: list[OutcomeChange] = []
        unchanged: dict[str, Result] = {}
        for outcome_id in outcome_ids:
            stored = stored_outcomes.get(outcome_id)
            if stored is None:
                unchanged[outcome_id] = not_found()
                continue
            try:
                decided = await decide(stored, decision)
            except UnavailableError:
                raise
            except XyraError as error:
                unchanged[outcome_id] = error
                continue
            if decided is None:
                unchanged[outcome_id] = stored.outcome
            else:
                changes.append(await self._change(organization, stored, decided))
        return changes, unchanged

    def _decision(self, by: Principal) -> Decision:
        return Decision(self._clock.now(), "operator" if by.is_operator else "organization", by.id)

    async def _change(self, organization: Organization, stored: StoredOutcome, decided: Decided) -> OutcomeChange:
        outcome = stored.outcome
        at = from_text(outcome.time)
        period = await self._periods.containing(organization, at)
        version = await self._metered_versions.of(organization.id, outcome.agent_id, outcome.version_id)
        used_by = UsedBy(outcome.agent_id, at, outcome.run, outcome.reported_by)
        worth = await self._worths.of(organization, used_by, version, period)
        rebilling = self._rebilling.entry(organization, period, self._clock.now())
        return OutcomeChange(stored, decided, rebilling, worth)


def _check_may_decide(outcome: Outcome, by: Principal) -> None:
    """Raises `ForbiddenError`."""
    if not by.is_operator and outcome.verifier != "organization":
        raise ForbiddenError("Only the operator decides about this outcome: its charge does not name the organization")
