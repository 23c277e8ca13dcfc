"""Places: where an organization's subscriptions stand, and by which plans they paid fees, pay them and will.

A place has one live subscription at most. Its fees are a history of terms, whichever subscription they belong to:
entries that have begun stay, and those ahead may be removed by the write that appends (docs/subscriptions.md).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, FieldError
from shared.domain.kernel.histories import Entry, History, Interval
from shared.domain.kernel.value import Value

MAXIMUM_PLACES = 20
MAXIMUM_ENTRIES = 2_000
"""Of an organization, over all places: they are one item."""
COMMANDS_KEPT = 100
_INSTANT = timedelta(microseconds=1)

CommandName = Literal["subscribe", "change", "cancel", "withdraw"]
SubscriptionStatus = Literal["scheduled", "active", "canceled"]


class Terms(Value):
    """What a subscription has agreed to from some time on."""

    subscription_id: str
    status: Literal["active", "canceled"]
    """`active`: the plan's fees are due. `canceled`: the subscription has ended."""
    plan_id: str
    plan_key: str
    plan_version_id: str
    charges_id: str
    """The version of a billing model that prices the plan in the organization's currency."""
    reason: str | None = None
    """Why it was canceled, as whoever did it said."""


class PlaceTakenError(ConflictError):
    """A second subscription at a place that has one."""

    code = "place_taken"
    title = "There is a subscription at this place"

    def __init__(self, place: str, subscription_id: str) -> None:
        detail = f"has the subscription {subscription_id}; change that one"
        super().__init__(f"The place {place} {detail}", errors=(FieldError("/plan", detail),))
        self.subscription_id = subscription_id


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it is at some time: its place, and its part of the place's history."""

    id: str
    place: str
    entries: tuple[Entry[Terms], ...]
    """Its own, in order."""
    now: datetime

    @property
    def begun(self) -> tuple[Entry[Terms], ...]:
        return tuple(entry for entry in self.entries if entry.effective_from <= self.now)

    @property
    def upcoming(self) -> tuple[Entry[Terms], ...]:
        return self.entries[len(self.begun) :]

    @property
    def terms(self) -> Terms:
        """What is in force, or before it begins what will be."""
        return (self.begun or self.entries[:1])[-1].value

    @property
    def status(self) -> SubscriptionStatus:
        """Computed from the history, and never stored."""
        return self.terms.status if self.begun else "scheduled"


def _verb(_before: Any, after: Any) -> str:  # noqa: ANN401  places
    return str(after.command)


class Places(Entity):
    """All places of an organization in one item, so that no two commands can decide beside each other."""

    kind: ClassVar[str] = "places"
    audit: ClassVar[Audit] = Audited(
        area="subscriptions", verb=_verb, ignored=frozenset({"revision", "command", "commands"})
    )

    id: str = "places"
    revision: int = 0
    """Counts the commands, so that what follows from one can tell whether it reads its result."""
    command: CommandName = "subscribe"
    """What the last command was."""
    commands: tuple[str, ...] = ()
    """The ids of the last ones: one that is repeated changes nothing."""
    fees: Mapping[str, History[Terms]] = {}
    """By place."""

    def subscription(self, subscription_id: str, now: datetime) -> Subscription | None:
        """None where there is none with this id."""
        return next((each for each in self.subscriptions(now) if each.id == subscription_id), None)

    def subscriptions(self, now: datetime) -> Iterator[Subscription]:
        """All of them, by place, oldest first."""
        for place, history in sorted(self.fees.items()):
            by_id: dict[str, list[Entry[Terms]]] = {}
            for entry in history.entries:
                by_id.setdefault(entry.value.subscription_id, []).append(entry)
            for subscription_id, entries in by_id.items():
                yield Subscription(subscription_id, place, tuple(entries), now)

    def subscribed(self, place: str, terms: Terms, start: datetime, now: datetime) -> "Places":
        """With a new subscription at a place.

        Raises `PlaceTakenError` where another one has not ended there, `ConflictError` for too many.
        """
        history = self.fees.get(place)
        if history is not None and not (history.last.status == "canceled" and history.last_start <= now):
            raise PlaceTakenError(place, history.last.subscription_id)
        if history is None and len(self.fees) >= MAXIMUM_PLACES:
            raise ConflictError(f"An organization has subscriptions at {MAXIMUM_PLACES} places at most")
        return self._with(place, () if history is None else history.entries, [(start, terms)])

    def changed_terms(self, subscription: Subscription, terms: Terms, start: datetime) -> "Places":
        """With other terms of a subscription from `start` on, in place of what lies ahead.

        What has not begun yet begins no earlier. Terms that are in force already only take what lies ahead away.
        """
        start = start if subscription.begun else max(start, subscription.entries[0].effective_from)
        kept = self._begun(subscription)
        unchanged = kept and kept[-1].value == terms
        return self._with(subscription.place, kept, [] if unchanged else [(start, terms)])

    def canceled(self, subscription: Subscription, end: datetime, reason: str | None = None) -> "Places":
        """With the end of a subscription, in place of what lies ahead. One that has not begun never does."""
        terms = subscription.terms.model_copy(update={"status": "canceled", "reason": reason})
        end = end if subscription.begun else subscription.now
        return self._with(subscription.place, self._begun(subscription), [(end, terms)])

    def withdrawn(self, subscription: Subscription) -> "Places":
        """Without what lies ahead of a subscription. One that has not begun never does."""
        if not subscription.begun:
            return self.canceled(subscription, subscription.now)
        return self._with(subscription.place, self._begun(subscription), [])

    def _begun(self, subscription: Subscription) -> tuple[Entry[Terms], ...]:
        """What stays at its place, whatever is decided now: also of subscriptions before it."""
        entries = self.fees[subscription.place].entries
        return tuple(entry for entry in entries if entry.effective_from <= subscription.now)

    def commanded(self, name: CommandName, command_id: str) -> "Places":
        """With the command that made it what it is."""
        commands = (*self.commands, command_id)[-COMMANDS_KEPT:]
        return self.changed(revision=self.revision + 1, command=name, commands=commands)

    def _with(self, place: str, kept: Sequence[Entry[Terms]], added: Sequence[tuple[datetime, Terms]]) -> "Places":
        """Each entry begins after the one before it, by a microsecond where both were decided in one instant."""
        entries = [*kept]
        for start, terms in added:
            after_last = entries[-1].effective_from + _INSTANT if entries else start
            entries.append(Entry[Terms](effective_from=max(start, after_last), value=terms))
        fees = {**self.fees, place: History[Terms](entries=tuple(entries))}
        if sum(len(history.entries) for history in fees.values()) > MAXIMUM_ENTRIES:
            raise ConflictError(f"An organization's subscriptions change at most {MAXIMUM_ENTRIES} times")
        return self.changed(fees=fees)

    def paying(self, start: datetime, end: datetime) -> Iterator[tuple[str, Interval[Terms]]]:
        """The times within [start, end) for which fees are due, with their place."""
        for place, history in sorted(self.fees.items()):
            for interval in history.within(start, end):
                if interval.value.status == "active":
                    yield place, interval
