"""Outcomes: what becomes of the results that agents report.

The event says what was reported and never changes. Its outcome is pending until it is verified or rejected, and a
verified one can be reversed. Charges that ask for verification bill verified outcomes only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from shared.domain.kernel.audit import OWN_TRAIL, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.money import ZERO, ExactDecimal, plain, read_decimal
from shared.domain.kernel.times import Instant
from shared.domain.metering.gauges import Event
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.metering.stored_readings import document_of, read_reading
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.event_values import OUTCOME_TYPE, VALUE_PATH, with_amounts
from shared.domain.pricing.charges.outcome import OutcomeCharge, Verifier
from shared.domain.pricing.conversion import events_by_charge
from shared.domain.provider_costs.costs import CostedEvent
from shared.domain.provider_costs.exchange_rates import exchanged, reported_currency
from shared.domain.usage.events import AcceptedEvent, TotalKey
from shared.domain.usage.totals import Contribution, NamedReadings, measures

Status = Literal["pending", "verified", "rejected", "reversed"]
DecidedBy = Literal["rule", "operator", "organization"]

OUTSIDE_ATTRIBUTION_WINDOW = "outside_attribution_window"
OUTCOME_VALUE = "$outcome_value"
"""The system total of verified outcomes: their count and the sum of their values."""
SYSTEM_TOTAL_OF: Mapping[Status, str] = {
    "pending": "$outcome_pending",
    "verified": OUTCOME_VALUE,
    "rejected": "$outcome_rejected",
    "reversed": "$outcome_reversed",
}
"""The system total of the outcomes that have each status."""

_PREFIX, _EVENT_PREFIX = "out_", "evt_"
_VALUE = VALUE_PATH.removeprefix("data.")


class Outcome(Entity):
    kind: ClassVar[str] = "outcome"
    audit: ClassVar[Audit] = OWN_TRAIL

    event_id: str
    """As the event's sender chose it."""
    source: str
    type: str
    agent_id: str
    run: str | None = None
    time: str
    """Text of `times.to_text`."""
    period: Instant
    """The start of the period that it counts in, whenever it is decided."""
    version_id: str
    """The model version under which it counts: the one in force when it happened."""
    status: Status
    arrived_as: Status
    """Its status when its event was metered."""
    reason: str | None = None
    """Why it was rejected or reversed."""
    value: ExactDecimal | None = None
    """As reported, in `currency`."""
    verified_value: ExactDecimal | None = None
    """At most the reported value, in `currency`."""
    currency: str
    exchange_rate: ExactDecimal | None = None
    """From `currency` to the organization's, when its event was metered; None where they are the same, or where there
    was no rate.
    """
    verifier: Verifier
    """Who may verify it beside the operator: the organization, where all charges that wait for that name it."""
    reported_by: str | None = None
    """The user, or the root of the API key's line. Never shown."""
    decided_at: Instant | None = None
    decided_by: DecidedBy | None = None
    decided_by_id: str | None = None
    """The principal's id. Never shown."""
    note: str | None = None
    verification_evidence: str | None = None
    """JSON text."""
    on_arrival: dict[str, Any] = {}
    """Readings by gauge that it added to its total when its event was metered."""
    on_decision: dict[str, Any] = {}
    """Readings by gauge that it has counted as since it was verified.

    A reversal subtracts just those of outcome charges that count then, whatever else has changed meanwhile.
    """
    taken_back: dict[str, Any] = {}
    """Readings by gauge of the reported value that verification at a lower one took back; see `on_decision`."""

    @property
    def event_key(self) -> str:
        return event_key_of(self.id)

    @property
    def total(self) -> TotalKey:
        return TotalKey(self.period, self.agent_id, self.version_id)

    @property
    def counted_value(self) -> Decimal | None:
        """The verified value, else the reported one; in `currency`."""
        return self.value if self.verified_value is None else self.verified_value

    def value_in(self, currency: str) -> Decimal | None:
        """The same in the organization's currency; None without an exchange rate. Zero needs no rate."""
        if not self.counted_value or self.currency == currency:
            return self.counted_value
        return None if self.exchange_rate is None else exchanged(self.counted_value, self.exchange_rate)


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, in which role, and when."""

    at: datetime
    by: DecidedBy
    by_id: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verifier says. `value` replaces the reported value, in its currency, and cannot exceed it."""

    value: Decimal | None = None
    evidence: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """An outcome after a decision, and what the decision adds to its total."""

    outcome: Outcome
    contribution: Contribution


def is_outcome(event_type: str) -> bool:
    return event_type.startswith(OUTCOME_TYPE)


def outcome_id(event_key: str) -> str:
    """Has the bits of the event's key, so that either leads to their partition."""
    return _PREFIX + event_key.removeprefix(_EVENT_PREFIX)


def event_key_of(id_: str) -> str:
    return _EVENT_PREFIX + id_.removeprefix(_PREFIX)


def new_outcome(  # noqa: PLR0913  what an event is metered by
    event: AcceptedEvent,
    total: TotalKey,
    charges: Sequence[Charge],
    counted: Contribution,
    currency: str,
    now: datetime,
    exchange_rate: Decimal | None = None,
) -> Outcome:
    """The outcome of an event that is being metered.

    `counted` is what the event adds to its total now. Rejected where the attribution windows of all its charges have
    passed; verified where no charge waits for a decision; else pending. Raises `UnmeterableError` where it could not
    count once it is verified, `NoExchangeRateError`.
    """
    reported = CostedEvent(event.type, event.data, event.time, event.key, exchange_rate=exchange_rate)
    wanting = [charge for charge in charges if isinstance(charge, OutcomeCharge) and charge.meter.matches(reported)]
    open_ = [charge for charge in wanting if charge.attributes(reported)]
    waiting = [
        (charge, seen) for charge, seen in events_by_charge(open_, reported, currency) if not charge.verifies(seen)
    ]
    measures(waiting)  # raises where one of them cannot be metered
    status: Status = "pending"
    if wanting and not waiting:
        status = "verified" if open_ else "rejected"
    in_data = event.data.get(_VALUE)
    value = None if in_data is None else read_decimal(in_data)
    gauges = {name for charge in open_ for name in charge.gauges}
    return Outcome(
        id=outcome_id(event.key),
        event_id=event.id,
        source=event.source,
        type=event.type,
        agent_id=event.agent,
        run=event.run,
        time=event.time,
        period=total.period,
        version_id=total.version_id,
        status=status,
        arrived_as=status,
        reason=OUTSIDE_ATTRIBUTION_WINDOW if status == "rejected" else None,
        value=value,
        verified_value=value if status == "verified" else None,
        currency=reported_currency(event.data, currency),
        exchange_rate=exchange_rate,
        verifier="organization" if waiting and all(c.verified_by == "organization" for c, _ in waiting) else "operator",
        reported_by=event.reporter,
        decided_at=None if status == "pending" else now,
        decided_by=None if status == "pending" else "rule",
        on_arrival={name: document_of(reading) for name, reading in counted.measures if name in gauges},
    )


def system_totals_of(outcome: Outcome, currency: str, *, sign: int = 1) -> NamedReadings:
    """What it adds to the system total of its status, or subtracts with -1.

    In the organization's currency; a value in another one without an exchange rate counts as zero.
    """
    value = outcome.value_in(currency) or ZERO
    return ((SYSTEM_TOTAL_OF[outcome.status], CountAndSum(sign, sign * value)),)


def verify(  # noqa: PLR0913  what a verification is made of
    outcome: Outcome,
    event: Event,
    charges: Sequence[Charge],
    currency: str,
    verification: Verification,
    decision: Decision,
) -> Decided | None:
    """None where it is verified already, with the same value.

    `event` is the recorded event that reported it; `charges` are those of its model version. Raises `ConflictError`
    where it is not pending, `ValidationError` for a value above the reported one, `UnmeterableError`,
    `NoExchangeRateError`.
    """
    if outcome.status == "verified" and verification.value in (None, outcome.counted_value):
        return None
    _require(outcome, "pending", "verified")
    if verification.value is not None and (outcome.value is None or verification.value > outcome.value):
        reported = "nothing" if outcome.value is None else plain(outcome.value)
        raise ValidationError.at("/value", f"is more than what was reported, which is {reported}")
    after = outcome.changed(
        status="verified",
        verified_value=outcome.value if verification.value is None else verification.value,
        note=verification.note,
        verification_evidence=verification.evidence,
        **_by(decision),
    )
    verified = event
    if verification.value is not None:
        verified = with_amounts(event, {VALUE_PATH: after.value_in(currency) or ZERO})
    seen_by_charges = list(events_by_charge(charges, event, currency))
    waiting = [charge for charge, seen in seen_by_charges if charge.awaits(seen)]
    counted = [charge for charge, seen in seen_by_charges if charge.counts_on_arrival(seen)]
    taken_back, replacing = _replaced(counted, event, verified, currency)
    added = dict(measures(events_by_charge(waiting, verified, currency))) | replacing
    after = after.changed(on_decision=_documents(added), taken_back=_documents(taken_back))
    return Decided(after, _change_of_total(outcome, after, _added_by_verification(after), currency))


def _replaced(
    charges: Sequence[Charge], reported: Event, verified: Event, currency: str
) -> tuple[dict[str, Reading], dict[str, Reading]]:
    """The readings of the reported value, and those in their place.

    Both by gauge, where they differ and the reading can be taken back. An outcome that does not count any more has
    nothing in its place.
    """
    before = dict(measures(events_by_charge(charges, reported, currency)))
    after = dict(measures(events_by_charge(charges, verified, currency)))
    changed = {
        name: reading
        for name, reading in before.items()
        if reading != after.get(name) and reading.replacement(reading) is not None
    }
    return changed, {name: after[name] for name in changed if name in after}


def reject(outcome: Outcome, currency: str, reason: str, decision: Decision) -> Decided | None:
    """None where it is rejected already. Raises `ConflictError` where it is not pending."""
    if outcome.status == "rejected":
        return None
    _require(outcome, "pending", "rejected")
    after = outcome.changed(status="rejected", reason=reason, **_by(decision))
    return Decided(after, _change_of_total(outcome, after, _subtracted(outcome), currency))


def reverse(outcome: Outcome, currency: str, reason: str, decision: Decision) -> Decided | None:
    """None where it is reversed already. Raises `ConflictError` where it is not verified."""
    if outcome.status == "reversed":
        return None
    _require(outcome, "verified", "reversed")
    after = outcome.changed(status="reversed", reason=reason, **_by(decision))
    return Decided(after, _change_of_total(outcome, after, _subtracted(outcome), currency))


def contributions_of_decisions(outcome: Outcome, currency: str) -> list[Contribution]:
    """What each decision so far added to its total, beside what its event added."""
    added: list[Contribution] = []
    before = outcome.changed(status=outcome.arrived_as, verified_value=None)
    if before.status == "pending" and outcome.status in ("verified", "reversed"):
        after = outcome.changed(status="verified")
        added.append(_change_of_total(before, after, _added_by_verification(outcome), currency))
        before = after
    if before.status != outcome.status:
        added.append(_change_of_total(before, outcome, _subtracted(outcome), currency))
    return added


def _require(outcome: Outcome, status: Status, wanted: Status) -> None:
    if outcome.status != status:
        raise ConflictError(f"The outcome is {outcome.status}; only one that is {status} can be {wanted}")


def _by(decision: Decision) -> dict[str, Any]:
    return {"decided_at": decision.at, "decided_by": decision.by, "decided_by_id": decision.by_id}


def _subtracted(outcome: Outcome) -> NamedReadings:
    """What outcome charges count of it, taken back. Other charges price the report, whatever becomes of it."""
    on_arrival = [(name, reading) for name, reading in _readings(outcome.on_arrival) if name not in outcome.taken_back]
    on_decision = [
        (name, reading)
        for name, reading in _readings(outcome.on_decision)
        if name in outcome.on_arrival or name not in outcome.taken_back
    ]
    return tuple((name, reading.inverse()) for name, reading in (*on_arrival, *on_decision))


def _added_by_verification(outcome: Outcome) -> NamedReadings:
    """What its verification added to its total."""
    added = dict(_readings(outcome.on_decision))
    for name, before in _readings(outcome.taken_back):
        after = added.get(name)
        change = before.inverse() if after is None else before.replacement(after)
        if change is not None:
            added[name] = change
    return tuple(added.items())


def _documents(readings: Mapping[str, Reading]) -> dict[str, Any]:
    return {name: document_of(reading) for name, reading in readings.items()}


def _readings(documents: Mapping[str, Any]) -> NamedReadings:
    return tuple((name, read_reading(document)) for name, document in documents.items())


def _change_of_total(before: Outcome, after: Outcome, readings: NamedReadings, currency: str) -> Contribution:
    """From one status to another. It counts no event, as the outcome's event has been counted already."""
    by_status = (*system_totals_of(before, currency, sign=-1), *system_totals_of(after, currency))
    return Contribution(after.type, after.time, readings, events=0, system_totals=by_status)
