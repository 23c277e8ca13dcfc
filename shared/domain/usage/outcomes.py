"""Outcomes: what becomes of reported results. The event says what was reported and never changes; its outcome is
pending until it is verified or rejected, and what was verified can be reversed. Only verified ones are billed, where
the charge asks for verification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.money import ZERO, ExactDecimal, plain, read_decimal
from shared.domain.kernel.times import Instant
from shared.domain.metering.meters import Event
from shared.domain.metering.readings import CountAndSum, Reading, document_of, read_reading
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
"""The standing reading of verified outcomes: how many, and what they are worth together."""
SYSTEM_TOTAL_OF: Mapping[Status, str] = {
    "pending": "$outcome_pending",
    "verified": OUTCOME_VALUE,
    "rejected": "$outcome_rejected",
    "reversed": "$outcome_reversed",
}
"""The standing reading of the outcomes that are in each state."""

_PREFIX = "out_"
_EVENT_PREFIX = "evt_"
_VALUE = VALUE_PATH.removeprefix("data.")


class Outcome(Entity):
    kind: ClassVar[str] = "outcome"

    event_id: str
    """As its sender chose it."""
    source: str
    type: str
    agent_id: str
    run: str | None = None
    time: str
    """Text of `times.to_text`."""
    period: Instant
    """By its start. Where its contribution counts, with the version below: that in force when it happened."""
    version_id: str
    status: Status
    arrived_as: Status
    """What it was when it was rated."""
    reason: str | None = None
    """Why it was rejected or reversed."""
    value: ExactDecimal | None = None
    """As it was reported."""
    verified_value: ExactDecimal | None = None
    currency: str
    """Of the values."""
    exchange_rate: ExactDecimal | None = None
    """What one unit of it was worth in the organization's when it was rated; None where it is the organization's, or
    nobody knew.
    """
    verifier: Verifier
    """Who may verify it: the organization where all charges that wait for it say so, and always the operator."""
    reported_by: str | None = None
    """The principal, for nobody's eyes."""
    decided_at: Instant | None = None
    decided_by: DecidedBy | None = None
    decided_by_id: str | None = None
    """The principal, for nobody's eyes."""
    note: str | None = None
    verification_evidence: str | None = None
    """JSON as text."""
    on_arrival: dict[str, Any] = {}
    on_decision: dict[str, Any] = {}
    """What totals got from it when it was rated and when it was verified, by gauge; a reversal takes back just that,
    whatever has changed meanwhile.
    """

    @property
    def event_key(self) -> str:
        return event_key_of(self.id)

    @property
    def total(self) -> TotalKey:
        return TotalKey(self.period, self.agent_id, self.version_id)

    @property
    def counted_value(self) -> Decimal | None:
        """What it was verified as, else what was reported."""
        return self.value if self.verified_value is None else self.verified_value

    def value_in(self, currency: str) -> Decimal | None:
        """The same in the organization's currency, by the rate that it was rated with; None without one. Nothing is
        nothing in every currency.
        """
        if not self.counted_value or self.currency == currency:
            return self.counted_value
        return None if self.exchange_rate is None else exchanged(self.counted_value, self.exchange_rate)


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, as what, and when."""

    at: datetime
    by: DecidedBy
    by_id: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What the verifier says beside it. `value` is what the outcome is worth, where that is less than was reported, in
    the same currency.
    """

    value: Decimal | None = None
    evidence: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """An outcome as a decision leaves it, and what that adds to its total."""

    outcome: Outcome
    contribution: Contribution


def is_outcome(event_type: str) -> bool:
    return event_type.startswith(OUTCOME_TYPE)


def outcome_id(event_key: str) -> str:
    """The same 128 bits, so that either id leads to the partition of the event."""
    return _PREFIX + event_key.removeprefix(_EVENT_PREFIX)


def event_key_of(id_: str) -> str:
    return _EVENT_PREFIX + id_.removeprefix(_PREFIX)


def arrived(  # noqa: PLR0913  what an event is rated by
    event: AcceptedEvent,
    total: TotalKey,
    charges: Sequence[Charge],
    counted: Contribution,
    currency: str,
    now: datetime,
    exchange_rate: Decimal | None = None,
) -> Outcome:
    """What becomes of an outcome when it is rated, and `counted` is what it adds to its total on arrival. Rejected
    where every charge for it is closed by its attribution window; verified where no charge waits for anything.

    Raises `UnmeterableError` where it could not count once it is verified, `NoExchangeRateError`.
    """
    reported = CostedEvent(event.type, event.data, event.time, event.key, exchange_rate=exchange_rate)
    wanting = [charge for charge in charges if isinstance(charge, OutcomeCharge) and charge.meter.matches(reported)]
    open_ = [charge for charge in wanting if charge.attributes(reported)]
    waiting = [
        (charge, seen) for charge, seen in events_by_charge(open_, reported, currency) if not charge.verifies(seen)
    ]
    measures(waiting)
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
    """What it adds as one of those in its state. A value in another currency without an exchange rate is left out of
    the sum.
    """
    value = outcome.value_in(currency) or ZERO
    return ((SYSTEM_TOTAL_OF[outcome.status], CountAndSum(sign, sign * value)),)


def verified(  # noqa: PLR0913  what a verification is made of
    outcome: Outcome,
    event: Event,
    charges: Sequence[Charge],
    currency: str,
    verification: Verification,
    decision: Decision,
) -> Decided | None:
    """None where it is verified already, and just so. `event` is as it was recorded, with the exchange rate that it was
    rated with; `charges` are those of its version.

    Raises `ConflictError` where it is not pending, `ValidationError` for a value that is more than was reported,
    `UnmeterableError`, `NoExchangeRateError`.
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
    waiting = [charge for charge, seen in events_by_charge(charges, event, currency) if charge.awaits(seen)]
    found = event
    if verification.value is not None:
        found = with_amounts(event, {VALUE_PATH: after.value_in(currency) or ZERO})
    counted = measures(events_by_charge(waiting, found, currency))
    after = after.changed(on_decision={name: document_of(reading) for name, reading in counted})
    return Decided(after, _moved(outcome, after, counted, currency))


def rejected(outcome: Outcome, currency: str, reason: str, decision: Decision) -> Decided | None:
    """None where it is rejected already. Raises `ConflictError` where it is not pending."""
    if outcome.status == "rejected":
        return None
    _require(outcome, "pending", "rejected")
    after = outcome.changed(status="rejected", reason=reason, **_by(decision))
    return Decided(after, _moved(outcome, after, _counted_back(outcome), currency))


def taken_back(outcome: Outcome, currency: str, reason: str, decision: Decision) -> Decided | None:
    """None where it is reversed already. Raises `ConflictError` where it is not verified."""
    if outcome.status == "reversed":
        return None
    _require(outcome, "verified", "reversed")
    after = outcome.changed(status="reversed", reason=reason, **_by(decision))
    return Decided(after, _moved(outcome, after, _counted_back(outcome), currency))


def decided_since_arrival(outcome: Outcome, currency: str) -> list[Contribution]:
    """All that decisions have added to its total, one after the other, beside what its event added when it was
    rated.
    """
    added: list[Contribution] = []
    before = outcome.changed(status=outcome.arrived_as, verified_value=None)
    if before.status == "pending" and outcome.status in ("verified", "reversed"):
        after = outcome.changed(status="verified")
        added.append(_moved(before, after, _readings(outcome.on_decision), currency))
        before = after
    if before.status != outcome.status:
        added.append(_moved(before, outcome, _counted_back(outcome), currency))
    return added


def _require(outcome: Outcome, status: Status, wanted: Status) -> None:
    if outcome.status != status:
        raise ConflictError(f"The outcome is {outcome.status}; only one that is {status} can be {wanted}")


def _by(decision: Decision) -> dict[str, Any]:
    return {"decided_at": decision.at, "decided_by": decision.by, "decided_by_id": decision.by_id}


def _counted_back(outcome: Outcome) -> NamedReadings:
    counted = [*_readings(outcome.on_arrival), *_readings(outcome.on_decision)]
    return tuple((name, reading.taken_back()) for name, reading in counted)


def _readings(documents: Mapping[str, Any]) -> NamedReadings:
    return tuple((name, read_reading(document)) for name, document in documents.items())


def _moved(before: Outcome, after: Outcome, counted: Sequence[tuple[str, Reading]], currency: str) -> Contribution:
    states = (*system_totals_of(before, currency, sign=-1), *system_totals_of(after, currency))
    return _contribution(after, tuple(counted), states)


def _contribution(outcome: Outcome, counted: NamedReadings, states: NamedReadings) -> Contribution:
    """Of an event that has been counted before."""
    return Contribution(outcome.type, outcome.time, counted, events=0, system_totals=states)
