"""Rating: what is due for a billing period. No other module computes what is due (docs/billing.md).

`rate` takes the facts of a whole period and returns its lines. Where the rules are:

- A late event needs no rule here: it raises the usage totals of its own period, so rating that period again gives a
  higher amount, and `billing/invoicing.py` bills the difference to what was billed before.
- Proration, days and pooled lines: `charged_segments.py`; headcounts: `line_segments.py`; levels: `levels.py`.
- What is due once, by quarter or by year: `_is_due`, below.
- The price of usage over versions: `pricing/charges/metered_usage.py`; fees and bounds: `pricing/charges/modifiers.py`.
- Rounding, once per line: `_rated_line`, below.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from shared.domain.kernel.money import ZERO, add, round_half_up, truncate
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.charge import Charge, LineSegment, Recurrence
from shared.domain.pricing.charges.yearly_commitment import CommitmentCharge
from shared.domain.pricing.lines import Line, Timing, exact_sum, merged_steps, truncated_steps
from shared.domain.rating.charged_segments import ChargedSegment, LineKey, charged_segments
from shared.domain.rating.commitments import counted_lines, counts_for, place_of, with_counted
from shared.domain.rating.facts import Cycle, Facts, InconsistentFactsError
from shared.domain.rating.included_units import lent_units, with_lent_units
from shared.domain.rating.line_segments import line_segments
from shared.domain.rating.paid_usage import lines_beyond_payments
from shared.domain.rating.rated_lines import RatedLine
from shared.domain.usage.events import POOLED
from shared.domain.usage.totals import SYSTEM

RECURRENCES: tuple[Recurrence, ...] = ("period", "quarter", "year", "once")
CYCLES: tuple[Recurrence, ...] = ("quarter", "year")
"""Those whose lines may go on when their billing period is over."""


def rate(facts: Facts) -> list[Line]:
    """The lines that are due for a period, ordered by key.

    There is a line for every charge in force, also where its amount is zero; charges that are due once, by quarter or
    by year have one in the period in which they fall due. Amounts are in the currency of the facts, rounded half up.

    Raises `InconsistentFactsError` for usage of a version or a gauge that was not in force.
    """
    return [rated.line for rated in rate_by_segment(facts)]


def rate_charges(facts: Facts, charges: AbstractSet[tuple[str, str]]) -> list[Line]:
    """The lines of some charges, which are named by billing model and key; none of them a commitment."""
    due = _due_parts(facts)
    _lend_included_units(facts, due)
    wanted = {key: parts for key, parts in due.items() if (key.model_id, key.charge_key) in charges}
    return [_rated_line(facts, key, parts).line for key, parts in wanted.items()]


def rate_in_advance(facts: Facts, recurrences: Sequence[Recurrence] = RECURRENCES) -> list[RatedLine]:
    """The lines of `rate_by_segment` that are billed in advance, with these recurrences. They need no usage totals."""
    due = _due_parts(facts, recurrences, "advance")
    return sorted((_rated_line(facts, key, parts) for key, parts in due.items()), key=lambda each: each.line.key)


def rate_by_segment(facts: Facts) -> list[RatedLine]:
    """The lines of `rate`, each with its segments."""
    due = _due_parts(facts)
    _lend_included_units(facts, due)
    commitments = {key: due.pop(key) for key in [*due] if isinstance(due[key][0].charged[0].charge, CommitmentCharge)}
    rated = [_rated_line(facts, key, parts) for key, parts in due.items()]
    lines = [each.line for each in rated]
    rated += [_rated_line(facts, key, _counted(facts, key, parts, lines)) for key, parts in commitments.items()]
    return sorted([*rated, *lines_beyond_payments(facts)], key=lambda each: each.line.key)


def _due_parts(
    facts: Facts, recurrences: Sequence[Recurrence] = RECURRENCES, timing: Timing | None = None
) -> dict[LineKey, list["_DuePart"]]:
    """The parts of every line that is due, or only of those that are billed in advance or in arrears."""
    _refuse_unpriced_totals(facts)
    due: dict[LineKey, list[_DuePart]] = {}
    for recurrence in recurrences:
        for cycle in facts.cycles_by(recurrence):
            for key, charged in charged_segments(cycle, recurrence).items():
                is_wanted = timing is None or charged[0].charge.billing_timing == timing
                if is_wanted and _is_due(facts, cycle, key, charged):
                    segments = line_segments(facts, cycle, charged)
                    due.setdefault(key, []).append(_DuePart(cycle, charged, segments))
    return due


def _counted(facts: Facts, key: LineKey, parts: Sequence["_DuePart"], lines: Sequence[Line]) -> list["_DuePart"]:
    """A commitment's parts with what its charges come to in their year."""
    counted: list[_DuePart] = []
    for part in parts:
        charge = part.charged[-1].charge
        amount = facts.counted.get((key.model_id, key.charge_key, part.cycle.period.start), ZERO)
        if isinstance(charge, CommitmentCharge) and counts_for(facts, part.cycle, place_of(part.charged)):
            amount = add(amount, counted_lines(lines, charge, key.model_id))
        counted.append(_DuePart(part.cycle, part.charged, with_counted(part.segments, amount)))
    return counted


@dataclass(slots=True)
class _DuePart:
    """What one cycle has of a line. There are two where a cycle of a place began and was cut in one period."""

    cycle: Cycle
    charged: Sequence[ChargedSegment]
    segments: Sequence[LineSegment[Charge]]


def _lend_included_units(facts: Facts, due: Mapping[LineKey, Sequence[_DuePart]]) -> None:
    """Plans that end inside the period include what was used of their units; those after them include less."""
    (period,) = facts.cycles_by("period")
    of_period = {key: parts[0] for key, parts in due.items() if parts[0].charged[0].charge.recurrence == "period"}
    lines = {key: (part.charged, part.segments) for key, part in of_period.items()}
    for key, units in lent_units(period, lines).items():
        of_period[key].segments = with_lent_units(of_period[key].segments, units)


def _refuse_unpriced_totals(facts: Facts) -> None:
    """Usage that no segment would price must not go unbilled unnoticed."""
    if not facts.totals:
        return
    gauges = {
        (segment.agent_id, segment.version.id): {name for charge in segment.version.charges for name in charge.gauges}
        for segment in facts.segments
    }
    for (agent_id, version_id), readings in facts.totals.items():
        priced = gauges.get((agent_id, version_id))
        if priced is None:
            raise InconsistentFactsError(
                f"Agent {agent_id} has usage under {version_id}, which was not in force for it"
            )
        unpriced = {name for name in readings.meters() if not name.startswith(SYSTEM)} - priced
        if unpriced:
            raise InconsistentFactsError(
                f"Agent {agent_id} has usage of {sorted(unpriced)}, which {version_id} does not price"
            )


def _is_due(facts: Facts, cycle: Cycle, key: LineKey, charged: Sequence[ChargedSegment]) -> bool:
    """Whether the line falls due in this period.

    Once: where the model was first used. In arrears: where the cycle closes. In advance: where the cycle starts, or
    the charge is first in force in it. A cycle of one period starts and closes in it.
    """
    charge = charged[0].charge
    if charge.recurrence == "once":
        return facts.period.contains(_first_start(facts, key))
    if charge.billing_timing == "arrears":
        return facts.period.start < cycle.closes <= facts.period.end
    return facts.period.contains(_begins(cycle, charged))


def _begins(cycle: Cycle, charged: Sequence[ChargedSegment]) -> datetime:
    """When a line is first in force in a cycle."""
    first_start = min(charged_segment.segment.start for charged_segment in charged)
    return max(first_start, cycle.period.start)


def _first_start(facts: Facts, key: LineKey) -> datetime:
    start = facts.first_starts.get((key.model_id, key.agent_id))
    if start is None:
        raise InconsistentFactsError(f"When the model {key.model_id} was first used is missing")
    return start


def _rated_line(facts: Facts, key: LineKey, parts: Sequence[_DuePart]) -> RatedLine:
    charge = parts[0].charged[0].charge
    rated = [type(charge).rated(part.segments) for part in parts]
    steps = merged_steps(step for of_part in rated for step in of_part.steps)
    due = exact_sum(steps)
    covers = Span(start=parts[0].cycle.period.start, end=parts[-1].cycle.period.end)
    line = Line(
        key=str(key),
        type=charge.type,
        model_id=key.model_id,
        model_name=facts.names.get(key.model_id),
        charge=charge.key,
        agent_id=None if key.agent_id == POOLED else key.agent_id,
        agent_name=facts.names.get(key.agent_id),
        description=_description(charge),
        quantity=truncate(rated[-1].quantity),
        unit=rated[-1].unit,
        unit_amount=rated[-1].unit_amount,
        steps=truncated_steps(steps),
        exact_amount=truncate(due),
        amount=round_half_up(due, facts.currency),
        period=facts.period.span,
        covers=covers if charge.recurrence in ("quarter", "year") else None,
        timing=charge.billing_timing,
        settles=charge.settles,
    )
    segments = [segment for part in parts for segment in part.segments]
    return RatedLine(line, segments, _first_day(parts[0]))


def _first_day(part: _DuePart) -> datetime:
    """When the local day begins on which the line is first in force."""
    days = part.cycle.period.days()
    index = bisect_right(days, _begins(part.cycle, part.charged), key=lambda day: day.start) - 1
    return days[index].start


def _description(charge: Charge) -> str:
    """The charge's key as words, and what it is for: `Cached input (per 1,000,000 cached input tokens)`."""
    words = charge.key.replace("_", " ").replace("-", " ").strip() or charge.key
    return f"{words[0].upper()}{words[1:]} ({charge.purpose})"
