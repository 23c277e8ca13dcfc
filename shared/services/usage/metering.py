"""Metering: adds each accepted event once to the total of its period, agent and version."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared import correlation
from shared.domain.kernel.errors import MalformedError, UnavailableError, XyraError
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.times import from_text
from shared.domain.provider_costs.costs import CostRules
from shared.domain.provider_costs.exchange_rates import CurrencyPair, NoExchangeRateError
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION, AcceptedEvent
from shared.ports.clock import Clock
from shared.ports.parked_events import ParkedEventStore
from shared.ports.usage import MeteredEvent, Recorded, ShardCountChangedError, Usage
from shared.services.agents.activity import AgentActivities
from shared.services.agents.agents import Agents
from shared.services.provider_costs.costs import Costs
from shared.services.storage import Outbox, look_twice
from shared.services.tenancy.organizations import Organizations
from shared.services.usage.assigning import Assigners
from shared.services.usage.ingestion_counts import IngestionCounts
from shared.services.usage.messages import read_message
from shared.turns import Turns

UNKNOWN_ORGANIZATION = "unknown"
"""Stands for the organization of a message that cannot be read."""
_SHARD_RELOADS = 3
_ASSIGNED_AT_ONCE = 32
"""Events, before other requests of the process get their turn."""
_BUGS = (ArithmeticError, LookupError, TypeError, ValueError)
"""What code raises at data that it does not expect. Left to the broker, such an event would block its neighbours."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as it came from the broker."""

    body: bytes
    message_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class _Unmetered:
    event: AcceptedEvent
    reason: str
    missing_rate: CurrencyPair | None = None
    """The exchange rate that it lacks."""


class Metering:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        usage: Usage,
        parked_events: ParkedEventStore,
        clock: Clock,
        organizations: Organizations,
        agents: Agents,
        agent_activities: AgentActivities,
        costs: Costs,
        assigners: Assigners,
        outbox: Outbox,
        counts: IngestionCounts,
        turns: Turns,
    ) -> None:
        self._usage = usage
        self._parked_events = parked_events
        self._clock = clock
        self._organizations = organizations
        self._agents = agents
        self._agent_activities = agent_activities
        self._costs = costs
        self._assigners = assigners
        self._outbox = outbox
        self._counts = counts
        self._turns = turns

    async def meter(self, messages: Sequence[Delivered]) -> None:
        """Count every event of these messages exactly once, or park it with its reason.

        No event blocks another. Raises `UnavailableError`; repeating is safe.
        """
        events: dict[str, list[AcceptedEvent]] = {}
        replayed: set[str] = set()
        for message in messages:
            try:
                sent = read_message(message.body)
            except MalformedError as error:
                await self._park_message(message, error.detail)
            else:
                events.setdefault(sent.organization_id, []).extend(sent.events)
                if sent.is_replay:
                    replayed |= {event.key for event in sent.events}
        with correlation.correlated(_correlation_ids(messages)):
            for organization_id, of_organization in events.items():
                recorded = await self._record(organization_id, of_organization, replayed)
                await self._follow_up(organization_id, recorded, replayed)

    async def park_dead(self, message: Delivered) -> None:
        """Park the events of a message that the broker gave up on.

        Some of them may have been recorded in spite of that: a replay finds it out.
        """
        try:
            sent = read_message(message.body)
        except MalformedError as error:
            await self._park_message(message, error.detail)
            return
        reason = "the message could not be handled in all its deliveries"
        with correlation.correlated(message.correlation_id):
            await self._park(sent.organization_id, [_Unmetered(event, reason) for event in sent.events], set())

    async def _record(self, organization_id: str, events: list[AcceptedEvent], replayed: set[str]) -> Recorded:
        for attempt in range(_SHARD_RELOADS):
            organization = await self._organizations.cached(organization_id, reload=attempt > 0)
            metered, unmetered = await self._meter(organization, events, replayed)
            await self._park(organization_id, unmetered, replayed)
            try:
                return await self._usage.record(
                    organization_id, organization.shard_counts_until(self._clock.now()), metered
                )
            except ShardCountChangedError:
                _log.info("the shard history is read again", extra={"organization_id": organization_id})
        raise UnavailableError("The shard history of the organization is not current yet")

    async def _follow_up(self, organization_id: str, recorded: Recorded, replayed: set[str]) -> None:
        """Park what was not recorded, and do what follows from the rest.

        The outbox sweep and the next delivery do what is cut short here.
        """
        self._count(organization_id, recorded, replayed)
        not_recorded = _not_recorded(recorded)
        await self._park(organization_id, not_recorded, replayed)
        for entry in sorted(recorded.outbox_entries):
            await self._outbox.attempt(*entry)
        latest: dict[str, str] = {}
        for metered in recorded.recorded:
            event = metered.event
            latest[event.agent] = max(event.time, latest.get(event.agent, ""))
        await self._agent_activities.note(organization_id, {agent: from_text(at) for agent, at in latest.items()})
        differing = _differing(recorded)
        if differing:
            self._counts.warn(organization_id, "differing_repetition", count=len(differing))
        for metered in differing:
            _log.warning("a repetition differs from the event that stands", extra={"event": metered.event.key})
        # The repeats of an event are duplicates also where the event itself was not recorded.
        parked = {_parked_id(each.event) for each in not_recorded}
        known = (*recorded.recorded, *recorded.duplicates, *differing)
        unparked = [metered.event for metered in known if metered.id in replayed]
        if unparked:
            await self._parked_events.close(organization_id, {_parked_id(event) for event in unparked} - parked)
        _log.info(
            "metered",
            extra={
                "organization_id": organization_id,
                "recorded": len(recorded.recorded),
                "duplicates": len(recorded.duplicates),
                "conflicting": len(recorded.conflicting) - len(differing),
                "differing": len(differing),
                "discarded": len(recorded.discarded),
                "refused": len(recorded.refused),
                "over_limit": len(recorded.over_limit),
            },
        )

    async def _meter(
        self, organization: Organization, events: Sequence[AcceptedEvent], replayed: set[str]
    ) -> tuple[list[MeteredEvent], list[_Unmetered]]:
        """Looks twice at what cannot be metered: a read may miss what is new.

        That is an agent, a model or an exchange rate. A rate that was missing a moment ago is not looked for again,
        save for events that are replayed because of it.
        """
        metered: list[MeteredEvent] = []
        unmetered: list[_Unmetered] = []
        doubtful: list[_Unmetered] = []
        waiting = events

        async def look() -> list[_Unmetered]:
            nonlocal doubtful, waiting
            lacks_rates = any(each.missing_rate is not None for each in doubtful)
            costs = await (self._costs.rules() if lacks_rates else self._costs.cached())
            assigned, failed = await self._assign(organization, waiting, costs)
            metered.extend(assigned)
            doubtful = []
            for each in failed:
                is_known = each.missing_rate is not None and self._costs.is_missed(each.missing_rate)
                (unmetered if is_known and each.event.key not in replayed else doubtful).append(each)
            waiting = [each.event for each in doubtful]
            return doubtful

        for each in await look_twice(look, is_doubtful=bool):
            unmetered.append(each)
            if each.missing_rate is not None:
                self._costs.miss(each.missing_rate)
        return metered, unmetered

    async def _assign(
        self, organization: Organization, events: Iterable[AcceptedEvent], costs: CostRules
    ) -> tuple[list[MeteredEvent], list[_Unmetered]]:
        agents = await self._agents.resolve(organization.id, {event.agent for event in events})
        assigner = self._assigners.of(organization, costs, self._clock.now())
        metered: list[MeteredEvent] = []
        failed: list[_Unmetered] = []
        for number, event in enumerate(events, 1):
            if number % _ASSIGNED_AT_ONCE == 0:
                await self._turns.one()
            try:
                agent = agents.get(event.agent)
                metered.append(await assigner.assign(agent, _of_agent(agent, event)))
            except UnavailableError:
                raise
            except NoExchangeRateError as error:
                failed.append(_Unmetered(event, error.detail, error.pair))
            except XyraError as error:
                failed.append(_Unmetered(event, error.detail))
            except _BUGS as error:
                _log.exception("metering an event fails", extra={"event": event.key})
                failed.append(_Unmetered(event, f"rating it fails: {error!r}"))
        return metered, failed

    def _count(self, organization_id: str, recorded: Recorded, replayed: set[str]) -> None:
        counted = {
            "duplicates": (
                each.event for each in (*recorded.duplicates, *_differing(recorded)) if each.id not in replayed
            ),
            "unpriced": (each.event for each in recorded.recorded if each.cost.unpriced is not None),
            "priced_at_0": (each.event for each in recorded.recorded if each.cost.is_zero),
            "without_model": (each.event for each in recorded.recorded if each.total.version_id == NO_VERSION),
        }
        for name, events in counted.items():
            self._counts.count(organization_id, _senders(events), name)

    async def _park(self, organization_id: str, unmetered: Sequence[_Unmetered], replayed: set[str]) -> None:
        new = (each.event for each in unmetered if each.event.key not in replayed)
        self._counts.count(organization_id, _senders(new), "parked")
        for each in unmetered:
            event, reason = each.event, each.reason
            subject: dict[str, Any] = msgspec.structs.asdict(event)
            _log.warning("parked", extra={"organization_id": organization_id, "event": event.key, "reason": reason})
            await self._parked_events.park(organization_id, _parked_id(event), reason, subject)

    async def _park_message(self, message: Delivered, reason: str) -> None:
        with correlation.correlated(message.correlation_id):
            _log.error(
                "a message that cannot be read is parked", extra={"message_id": message.message_id, "reason": reason}
            )
        subject = {"message": message.body.decode("utf-8", "replace"), "message_id": message.message_id}
        parked_id = named_id("park", fingerprint(message.body))
        await self._parked_events.park(UNKNOWN_ORGANIZATION, parked_id, reason, subject)


def _differing(recorded: Recorded) -> list[MeteredEvent]:
    """Repetitions with other content than the event that stands, which are no conflict."""
    return [metered for metered in recorded.conflicting if metered.event.first_stands]


def _of_agent(agent: Agent | None, event: AcceptedEvent) -> AcceptedEvent:
    """The event with the id of its agent, which may not have existed when it was accepted."""
    return event if agent is None or agent.id == event.agent else msgspec.structs.replace(event, agent=agent.id)


def _senders(events: Iterable[AcceptedEvent]) -> Sequence[tuple[str | None, str, str]]:
    return [(event.reporter, event.source, event.type) for event in events]


def _not_recorded(recorded: Recorded) -> list[_Unmetered]:
    other_content = "the same identity was used for an event with other content"
    # Discarding it again closes its entry, where a discard was cut short before that.
    discarded = "it has been discarded; discard it again"
    return [
        *(
            _Unmetered(metered.event, other_content)
            for metered in recorded.conflicting
            if not metered.event.first_stands
        ),
        *(_Unmetered(metered.event, discarded) for metered in recorded.discarded),
        *(_Unmetered(metered.event, f"the store refuses it: {reason}") for metered, reason in recorded.refused),
        *(_Unmetered(metered.event, reason) for metered, reason in recorded.over_limit),
    ]


def _correlation_ids(messages: Sequence[Delivered]) -> str:
    """Of all messages that are metered together."""
    return ",".join(dict.fromkeys(message.correlation_id for message in messages if message.correlation_id))


def _parked_id(event: AcceptedEvent) -> str:
    return named_id("park", event.key, event.content)
