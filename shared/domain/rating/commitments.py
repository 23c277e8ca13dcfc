"""Yearly commitments: which periods count for a year, and what their lines come to (docs/subscriptions.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from shared.domain.kernel.money import total
from shared.domain.pricing.charges.charge import Charge, LineSegment
from shared.domain.pricing.charges.yearly_commitment import CommitmentCharge
from shared.domain.pricing.lines import Line
from shared.domain.rating.charged_segments import ChargedSegment
from shared.domain.rating.facts import Cycle, Facts, Segment


def closing_commitments(facts: Facts) -> Iterator[Cycle]:
    """The years of places that end in this period and have a commitment."""
    for cycle in facts.place_cycles.get("year", ()):
        closes = facts.period.start < cycle.closes <= facts.period.end
        if closes and any(segment.version.commitments for segment in cycle.segments):
            yield cycle


def commitments_of(cycle: Cycle) -> dict[tuple[str, str], CommitmentCharge]:
    """By billing model and key, as its last version in the year says."""
    ordered = sorted(cycle.segments, key=lambda segment: segment.start)
    return {
        (segment.version.model_id, commitment.key): commitment.as_charge()
        for segment in ordered
        for commitment in segment.version.commitments
    }


def counts_for(facts: Facts, cycle: Cycle, place: str) -> bool:
    """Whether the first day of the period that is paid at a place lies in a year of that place."""
    first = _first_paid(facts, place)
    return first is not None and cycle.period.contains(first)


def counted_lines(lines: Sequence[Line], charge: CommitmentCharge, model_id: str) -> Decimal:
    """What the lines of a commitment's charges come to, rounded as they are."""
    return total(line.amount for line in lines if line.model_id == model_id and line.charge in charge.charges)


def with_counted(segments: Sequence[LineSegment[Charge]], counted: Decimal) -> list[LineSegment[Charge]]:
    first, *others = segments
    return [replace(first, counted=counted), *others]


def place_of(charged: Sequence[ChargedSegment]) -> str:
    """Where a commitment's plan stands."""
    return charged[0].segment.place or ""


def _first_paid(facts: Facts, place: str) -> datetime | None:
    starts = [max(segment.start, facts.period.start) for segment in facts.segments if _is_paid(segment, place)]
    return min(starts, default=None)


def _is_paid(segment: Segment, place: str) -> bool:
    return segment.place == place and segment.has_days and bool(segment.version.priced)
