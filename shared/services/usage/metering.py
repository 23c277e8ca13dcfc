"""Rating: each accepted event is metered exactly once into the totals of its period, agent and model version."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from shared import correlation, json
from shared.domain.kernel.errors import MalformedError, UnavailableError, ValidationError, XyraError
from shared.domain.kernel.ids import fingerprint, named_id
from shared.domain.kernel.times import from_text
from shared.domain.pricing.billing_models import Version
from shared.domain.provider_costs.costs import CostedEvent, CostRules
from shared.domain.provider_costs.exchange_rates import CurrencyPair, NoExchangeRateError, reported_currency
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.events import NO_VERSION, AcceptedEvent, TotalKey
from shared.domain.usage.outcomes import arrived, is_outcome, system_totals_of
from shared.domain.usage.totals import contribution, unpriced_contribution
from shared.ports.clock import Clock
from shared.ports.usage import MeteredEvent, Recorded, ShardCountChangedError, Usage
from shared.services.agents.activity import AgentActivities
from shared.services.agents.agents import Agents
from shared.services.periods import rebilling
from shared.services.periods.periods import Periods
from shared.services.pricing.billing_models import BillingModels
from shared.services.provider_costs.costs import Costs
from shared.services.storage.outbox import Outbox
from shared.services.storage.retrying import SECOND_LOOK_SECONDS
from shared.services.tenancy.organizations import Organizations

UNKNOWN_ORGANIZATION = "unknown"
_SHARD_RELOADS = 3
_BROKEN = (ArithmeticError, LookupError, TypeError, ValueError)
"""How code fails at data that it does not expect. Left to the broker, it would take its neighbours along."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as it came from the broker."""

    body: bytes
    message_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class _Parked:
    event: AcceptedEvent
    reason: str
    lacks: CurrencyPair | None = None
    """What it needs an exchange rate for."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a message holds."""

    organization_id: str
    events: list[AcceptedEvent]
    is_replay: bool
    """They were parked and are sent again."""


class CannotBeMeteredError(XyraError):
    """Why an accepted event is parked instead of rated."""

    code = "unrateable"
    title = "The event cannot be rated"


class Metering:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        usage: Usage,
        clock: Clock,
        organizations: Organizations,
        agents: Agents,
        agent_activities: AgentActivities,
        billing_models: BillingModels,
        periods: Periods,
        costs: Costs,
        outbox: Outbox,
    ) -> None:
        self._usage = usage
        self._clock = clock
        self._organizations = organizations
        self._agents = agents
        self._agent_activities = agent_activities
        self._billing_models = billing_models
        self._periods = periods
        self._costs = costs
        self._outbox = outbox

    async def meter(self, messages: Sequence[Delivered]) -> None:
        """Count every event of these messages exactly once, or park it with its reason; nothing blocks its neighbours.

        Raises `UnavailableError`; repeating is safe.
        """
        events: dict[str, list[AcceptedEvent]] = {}
        replayed: set[str] = set()
        for message in messages:
            try:
                sent = _read(message.body)
            except MalformedError as error:
                await self._park_message(message, error.detail)
            else:
                events.setdefault(sent.organization_id, []).extend(sent.events)
                if sent.is_replay:
                    replayed |= {event.key for event in sent.events}
        with correlation.correlated(_together(messages)):
            for organization_id, members in events.items():
                recorded = await self._meter_organization(organization_id, members, replayed)
                await self._close(organization_id, recorded, replayed)

    async def park_dead(self, message: Delivered) -> None:
        """A message that the broker gave up on: its events are parked, those that were rated after all as well as the
        others; a replay finds the difference.
        """
        try:
            sent = _read(message.body)
        except MalformedError as error:
            await self._park_message(message, error.detail)
            return
        with correlation.correlated(message.correlation_id):
            for event in sent.events:
                await self._park(
                    sent.organization_id, _Parked(event, "the message could not be handled in all its deliveries")
                )

    async def _meter_organization(
        self, organization_id: str, events: list[AcceptedEvent], replayed: set[str]
    ) -> Recorded:
        recorded = await self._record(organization_id, events, replayed)
        for metered in recorded.conflicting:
            await self._park(
                organization_id, _Parked(metered.event, "the same identity was used for an event with other content")
            )
        for metered in recorded.discarded:  # which is said where its entry has not been closed yet
            await self._park(organization_id, _Parked(metered.event, "it has been given up; discard it again"))
        for metered, reason in recorded.refused:
            await self._park(organization_id, _Parked(metered.event, f"the store refuses it: {reason}"))
        await self._after(organization_id, recorded)
        _log.info(
            "rated",
            extra={
                "organization_id": organization_id,
                "recorded": len(recorded.recorded),
                "duplicates": len(recorded.duplicates),
                "conflicting": len(recorded.conflicting),
                "discarded": len(recorded.discarded),
                "refused": len(recorded.refused),
            },
        )
        return recorded

    async def _close(self, organization_id: str, recorded: Recorded, replayed: set[str]) -> None:
        """The entries of parked events that were sent again and have been found rated, by this or an earlier try."""
        rated = [each.event for each in (*recorded.recorded, *recorded.duplicates) if each.event.key in replayed]
        if rated:
            await self._usage.close_parked(organization_id, {_parked_id(event) for event in rated})

    async def _record(self, organization_id: str, events: list[AcceptedEvent], replayed: set[str]) -> Recorded:
        for attempt in range(_SHARD_RELOADS):
            organization = await self._organizations.cached(organization_id, reload=attempt > 0)
            metered, parked = await self._meter(organization, events, replayed)
            for each in parked:
                await self._park(organization_id, each)
            try:
                return await self._usage.record(organization_id, organization.counts_until(self._clock.now()), metered)
            except ShardCountChangedError:
                _log.info("the shard history is read again", extra={"organization_id": organization_id})
        raise UnavailableError("The shard history of the organization is not current yet")

    async def _meter(
        self, organization: Organization, events: list[AcceptedEvent], replayed: set[str]
    ) -> tuple[list[MeteredEvent], list[_Parked]]:
        """Looks twice at what cannot be rated: a read may miss an agent, a model or an exchange rate that was made a
        moment ago. Not so where the same rate was missed just before, save for what is sent again because of it.
        """
        metered, refused = await self._look(organization, events, await self._costs.cached())
        parked: list[_Parked] = []
        doubtful: list[_Parked] = []
        for each in refused:
            missed = each.lacks is not None and self._costs.is_missed(each.lacks)
            (parked if missed and each.event.key not in replayed else doubtful).append(each)
        if not doubtful:
            return metered, parked
        await asyncio.sleep(SECOND_LOOK_SECONDS)
        lack_rates = any(each.lacks is not None for each in doubtful)
        costs = await (self._costs.rules() if lack_rates else self._costs.cached())
        more, refused = await self._look(organization, [each.event for each in doubtful], costs)
        for each in refused:
            if each.lacks is not None:
                self._costs.miss(each.lacks)
        return metered + more, parked + refused

    async def _look(
        self, organization: Organization, events: list[AcceptedEvent], costs: CostRules
    ) -> tuple[list[MeteredEvent], list[_Parked]]:
        agents = await self._agents.resolve(organization.id, {event.agent for event in events})
        now = self._clock.now()
        metered: list[MeteredEvent] = []
        parked: list[_Parked] = []
        for event in events:
            try:
                metered.append(await self._assign(organization, agents.get(event.agent), event, costs, now))
            except UnavailableError:
                raise
            except NoExchangeRateError as error:
                parked.append(_Parked(event, error.detail, error.pair))
            except XyraError as error:
                parked.append(_Parked(event, error.detail))
            except _BROKEN as error:
                _log.exception("an event breaks the rater", extra={"event": event.key})
                parked.append(_Parked(event, f"rating it fails: {error!r}"))
        return metered, parked

    async def _assign(
        self,
        organization: Organization,
        agent: Agent | None,
        event: AcceptedEvent,
        costs: CostRules,
        now: datetime,
    ) -> MeteredEvent:
        """Where the event counts and how much: period, agent and version by its own time, always."""
        at = from_text(event.time)
        if agent is None or agent.ended_by(at):
            raise CannotBeMeteredError("the agent was deleted before the event happened")
        period = await self._periods.containing(organization, at)
        version = await self._version(organization.id, agent, at)
        cost = costs.of(event.type, event.data, at, organization.currency)
        rate = costs.rates.rate(reported_currency(event.data, organization.currency), organization.currency, at)
        costed = CostedEvent(event.type, event.data, event.time, event.key, cost.amount, cost.category, rate)
        if version is None:
            added = unpriced_contribution(costed, cost.readings())
        else:
            added = contribution(costed, version.charges, organization.currency, cost.readings())
        total = TotalKey(period.start, agent.id, version.id if version else NO_VERSION)
        outcome = None
        if is_outcome(event.type):
            charges = version.charges if version else ()
            outcome = arrived(event, total, charges, added, organization.currency, now, rate)
            added = replace(
                added, system_totals=(*added.system_totals, *system_totals_of(outcome, organization.currency))
            )
        return MeteredEvent(
            event=event,
            total=total,
            contribution=added,
            cost=cost,
            outcome=outcome,
            exchange_rate=rate,
            rebilling=rebilling.entry_of(self._outbox, organization.id, period, now),
        )

    async def _version(self, organization_id: str, agent: Agent, at: datetime) -> Version | None:
        model_id = agent.models.at(at)
        if model_id is None:
            return None
        model = await self._billing_models.cached(organization_id, model_id)
        reference = model.versions.at(at)
        return await self._billing_models.version(model, reference) if reference else None

    async def _after(self, organization_id: str, recorded: Recorded) -> None:
        """What follows from what was recorded; whatever is cut short here is swept later."""
        for entry in sorted(recorded.entries):
            await self._outbox.attempt(*entry)
        latest: dict[str, str] = {}
        for each in recorded.recorded:
            latest[each.event.agent] = max(each.event.time, latest.get(each.event.agent, ""))
        await self._agent_activities.note(organization_id, {agent: from_text(at) for agent, at in latest.items()})

    async def _park(self, organization_id: str, parked: _Parked) -> None:
        event = parked.event
        subject: dict[str, Any] = msgspec.structs.asdict(event)
        _log.warning("parked", extra={"organization_id": organization_id, "event": event.key, "reason": parked.reason})
        await self._usage.park(organization_id, _parked_id(event), parked.reason, subject)

    async def _park_message(self, message: Delivered, reason: str) -> None:
        with correlation.correlated(message.correlation_id):
            _log.error(
                "a message that cannot be read is parked", extra={"message_id": message.message_id, "reason": reason}
            )
        subject = {"message": message.body.decode("utf-8", "replace"), "message_id": message.message_id}
        await self._usage.park(UNKNOWN_ORGANIZATION, named_id("park", fingerprint(message.body)), reason, subject)


def _together(messages: Sequence[Delivered]) -> str:
    """The correlation ids of what is rated in one batch."""
    return ",".join(dict.fromkeys(message.correlation_id for message in messages if message.correlation_id))


def _parked_id(event: AcceptedEvent) -> str:
    return named_id("park", event.key, event.content)


def _read(body: bytes) -> _Sent:
    """Raises `MalformedError` for what the accepting side cannot have written."""
    try:
        value = json.decode(body)
        events = msgspec.convert(value["events"], list[AcceptedEvent])
        return _Sent(str(value["organization"]), events, is_replay="replay" in value)
    except (KeyError, TypeError, ValidationError, msgspec.ValidationError) as error:
        raise MalformedError(f"The message is not one of ours: {error}") from error
