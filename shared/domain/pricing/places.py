"""Places: where an organization's subscriptions stand, and by which plans they paid fees, pay them and will.

A place has one live subscription at most. Its fees are a history of terms, whichever subscription they belong to:
entries that have begun stay, and those ahead may be removed by the write that appends (docs/subscriptions.md).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar, Literal

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, FieldError
from shared.domain.kernel.histories import Entry, History, Interval
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value
from shared.domain.pricing.plan_intervals import CycleAnchor, PlanInterval
from shared.domain.pricing.usage_terms import UsageTerms, following_terms

MAXIMUM_PLACES = 20
MAXIMUM_ENTRIES = 2_000
"""Of an organization, over all places: they are one item."""
COMMANDS_KEPT = 100
_INSTANT = timedelta(microseconds=1)

CommandName = Literal["subscribe", "change", "cancel", "pause", "resume", "withdraw"]
TermsStatus = Literal["trialing", "active", "paused", "canceled"]
SubscriptionStatus = Literal["scheduled", TermsStatus]


class TrialTerms(Value):
    """When a trial ends, and what the subscription is then."""

    ends_at: Instant
    then: Literal["active", "canceled", "paused"]


class Terms(Value):
    """What a subscription has agreed to from some time on."""

    subscription_id: str
    status: TermsStatus
    """`active`: the plan's fees are due. `trialing`: none are. `paused`: there is no plan, and no fees. `canceled`: the
    subscription has ended.
    """
    plan_id: str
    plan_key: str
    plan_version_id: str
    charges_id: str
    """The version of a billing model that prices the plan in the organization's currency."""
    interval: PlanInterval = "month"
    """How often the plan's fees are due."""
    anchor: CycleAnchor = "anniversary"
    """From where the place's quarters and years are counted, where they begin with these terms."""
    resets_anchor: bool = False
    """Whether they begin with these terms in any case."""
    quantity: int = 1
    """How often the plan is had: it multiplies flat fees and setup fees."""
    reason: str | None = None
    """Why it was canceled, as whoever did it said."""
    trial: TrialTerms | None = None
    """Of `trialing` terms."""

    @property
    def has_plan(self) -> bool:
        """Whether a plan is in force; in a trial without fees."""
        return self.status in ("trialing", "active")

    @property
    def usage(self) -> UsageTerms:
        """What prices usage under these terms."""
        if not self.has_plan:
            return UsageTerms()
        return UsageTerms(charges_id=self.charges_id, is_free=self.status == "trialing")

    def as_status(self, status: TermsStatus, reason: str | None = None) -> "Terms":
        """The same plan in another state, which begins no cycle by itself."""
        return self.model_copy(update={"status": status, "reason": reason, "trial": None, "resets_anchor": False})


class PlaceTakenError(ConflictError):
    """A second subscription at a place that has one."""

    status = HTTPStatus.CONFLICT
    code = "place_taken"
    title = "There is a subscription at this place"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = (), subscription_id: str = "") -> None:
        super().__init__(detail, errors=errors)
        self.subscription_id = subscription_id

    @classmethod
    def by(cls, subscription_id: str, place: str) -> "PlaceTakenError":
        detail = f"has the subscription {subscription_id}; change that one"
        errors = (FieldError("/plan", f"its place {detail}"),)
        return cls(f"The place {place} {detail}", errors=errors, subscription_id=subscription_id)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as it is at some time: its place, and its part of the place's history."""

    id: str
    place: str
    entries: tuple[Entry[Terms], ...]
    """Its own, in order."""
    now: datetime
    usage: History[UsageTerms] | None = None
    """What prices usage at the place."""

    def usage_from(self, entry: Entry[Terms]) -> datetime | None:
        """From when on its plan prices usage; None where another one takes its place before."""
        terms, start = entry.value.usage, entry.effective_from
        if self.usage is None:
            return None
        if self.usage.at(start) == terms:
            return start
        later = (other for other in self.usage.entries if other.effective_from > start and other.value == terms)
        return next((other.effective_from for other in later), None)

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
    def trial(self) -> TrialTerms | None:
        """The trial that is in force, or before it begins will be."""
        return self.terms.trial

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
        area="subscriptions",
        verb=_verb,
        ignored=frozenset({"revision", "command", "commands", "commanded_at", "usage"}),
    )

    id: str = "places"
    revision: int = 0
    """Counts the commands, so that what follows from one can tell whether it reads its result."""
    command: CommandName = "subscribe"
    """What the last command was."""
    commands: tuple[str, ...] = ()
    """The ids of the last ones: one that is repeated changes nothing."""
    commanded_at: Instant | None = None
    """When the last one was. A host whose clock is behind decides no earlier: else what began then would lie ahead."""
    fees: Mapping[str, History[Terms]] = {}
    """By place."""
    usage: Mapping[str, History[UsageTerms]] = {}
    """What prices usage, by place: it follows the fees. Missing in those that were stored before plans priced any."""

    @property
    def begins_at(self) -> datetime:
        """When the first plan begins at any of them. There has to be one."""
        return min(history.entries[0].effective_from for history in self.fees.values())

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
                yield Subscription(subscription_id, place, tuple(entries), now, self.usage.get(place))

    def has_had_trial(self, place: str) -> bool:
        history = self.fees.get(place)
        return history is not None and any(entry.value.trial is not None for entry in history.entries)

    def subscribed(self, place: str, terms: Terms, start: datetime, now: datetime) -> "Places":
        """With a new subscription at a place.

        Raises `PlaceTakenError` where another one has not ended there, `ConflictError` for too many.
        """
        history = self.fees.get(place)
        if history is not None and not (history.last.status == "canceled" and history.last_start <= now):
            raise PlaceTakenError.by(history.last.subscription_id, place)
        if history is None and len(self.fees) >= MAXIMUM_PLACES:
            raise ConflictError(f"An organization has subscriptions at {MAXIMUM_PLACES} places at most")
        return self._with(place, () if history is None else history.entries, _with_trial_end(start, terms))

    def changed_terms(self, subscription: Subscription, terms: Terms, start: datetime) -> "Places":
        """With other terms of a subscription from `start` on, in place of what lies ahead.

        What has not begun yet begins no earlier. Terms that are in force already only take what lies ahead away.
        """
        start = start if subscription.begun else max(start, subscription.entries[0].effective_from)
        kept = self.begun(subscription)
        ahead = _trial_end(subscription, start)
        unchanged = kept and not ahead and kept[-1].value.model_copy(update={"resets_anchor": False}) == terms
        return self._with(subscription.place, kept, ahead + ([] if unchanged else _with_trial_end(start, terms)))

    def paused(self, subscription: Subscription, start: datetime, until: datetime | None) -> "Places":
        """With a pause of a subscription from `start` on, in place of what lies ahead."""
        terms = subscription.terms
        resumed = [] if until is None else [(until, terms.as_status("active"))]
        return self._with(subscription.place, self.begun(subscription), [(start, terms.as_status("paused")), *resumed])

    def resumed(self, subscription: Subscription) -> "Places":
        """With the end of a pause now."""
        active = subscription.terms.as_status("active")
        return self._with(subscription.place, self.begun(subscription), [(subscription.now, active)])

    def canceled(self, subscription: Subscription, end: datetime, reason: str | None = None) -> "Places":
        """With the end of a subscription, in place of what lies ahead. One that has not begun never does."""
        terms = subscription.terms.as_status("canceled", reason)
        end = end if subscription.begun else subscription.now
        ahead = _trial_end(subscription, end)
        has_ended = bool(ahead) and ahead[-1][1].status == "canceled"
        return self._with(subscription.place, self.begun(subscription), ahead if has_ended else [*ahead, (end, terms)])

    def withdrawn(self, subscription: Subscription) -> "Places":
        """Without what lies ahead of a subscription, but the end of its trial. One that has not begun never does."""
        if not subscription.begun:
            return self.canceled(subscription, subscription.now)
        return self._with(subscription.place, self.begun(subscription), _trial_end(subscription, None))

    def begun(self, subscription: Subscription) -> tuple[Entry[Terms], ...]:
        """What stays at its place, whatever is decided now: also of subscriptions before it."""
        entries = self.fees[subscription.place].entries
        return tuple(entry for entry in entries if entry.effective_from <= subscription.now)

    def commanded(self, name: CommandName, command_id: str, now: datetime) -> "Places":
        """With the command that made it what it is, and with the usage terms that follow from it."""
        commands = (*self.commands, command_id)[-COMMANDS_KEPT:]
        usage = {
            place: terms
            for place, history in self.fees.items()
            if (terms := following_terms(self.usage.get(place), _of_usage(history), now)) is not None
        }
        _check_number(usage.values())
        return self.changed(revision=self.revision + 1, command=name, commands=commands, commanded_at=now, usage=usage)

    def no_earlier(self, now: datetime) -> datetime:
        """A host's time, or that of the last command where its clock is behind."""
        return now if self.commanded_at is None else max(now, self.commanded_at)

    def _with(self, place: str, kept: Sequence[Entry[Terms]], added: Sequence[tuple[datetime, Terms]]) -> "Places":
        """Each entry begins after the one before it, by a microsecond where both were decided in one instant."""
        entries = [*kept]
        for start, terms in added:
            after_last = entries[-1].effective_from + _INSTANT if entries else start
            entries.append(Entry[Terms](effective_from=max(start, after_last), value=terms))
        fees = {**self.fees, place: History[Terms](entries=tuple(entries))}
        _check_number(fees.values())
        return self.changed(fees=fees)

    def in_force(self, place: str, start: datetime, end: datetime) -> Iterator[Interval[Terms]]:
        """The times within [start, end) in which a plan is in force at a place; in a trial without fees."""
        for interval in self.fees[place].within(start, end):
            if interval.value.has_plan:
                yield interval


def _of_usage(fees: History[Terms]) -> list[Entry[UsageTerms]]:
    """The same entries as usage terms."""
    return [
        Entry[UsageTerms](
            effective_from=entry.effective_from,
            value=entry.value.usage,
        )
        for entry in fees.entries
    ]


def _check_number(histories: Iterable[History[Any]]) -> None:
    """Raises `ConflictError` for more entries than an item holds."""
    if sum(len(history.entries) for history in histories) > MAXIMUM_ENTRIES:
        raise ConflictError(f"An organization's subscriptions change at most {MAXIMUM_ENTRIES} times")


def _with_trial_end(start: datetime, terms: Terms) -> list[tuple[datetime, Terms]]:
    """Terms from their start on; those of a trial with what follows it."""
    if terms.trial is None:
        return [(start, terms)]
    return [(start, terms), (terms.trial.ends_at, terms.as_status(terms.trial.then))]


def _trial_end(subscription: Subscription, before: datetime | None) -> list[tuple[datetime, Terms]]:
    """What follows the trial that is in force, where nothing else takes its place before: that never moves."""
    trial = subscription.trial
    if trial is None or not subscription.begun or (before is not None and before <= trial.ends_at):
        return []
    return [(trial.ends_at, subscription.terms.as_status(trial.then))]
