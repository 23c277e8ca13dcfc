"""Yearly commitments: what their charges came to in the periods of the year that ends."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from shared.domain.kernel.money import ZERO, add
from shared.domain.periods.periods import Period
from shared.domain.rating.commitments import closing_commitments, commitments_of, counted_lines, counts_for
from shared.domain.rating.facts import CountedKey, Cycle, Facts
from shared.domain.rating.rating import rate_charges

ReadFacts = Callable[[Sequence[Period]], Awaitable[list[Facts]]]
"""The facts of periods, without what their own commitments count."""


async def with_counted(facts: Facts, created: Callable[[], Awaitable[list[Period]]], read: ReadFacts) -> Facts:
    """The facts of a period with what the periods before it count for the commitments that end in it.

    Raises as `read`.
    """
    counted = dict[CountedKey, Decimal]()
    for cycle in closing_commitments(facts):
        commitments = commitments_of(cycle)
        counted_charges = {(model_id, key) for (model_id, _), charge in commitments.items() for key in charge.charges}
        in_year = [period for period in await created() if _is_before(period, facts.period, cycle)]
        for facts_before in await read(in_year):
            if not counts_for(facts_before, cycle, cycle.segments[0].place or ""):
                continue
            lines = rate_charges(facts_before, counted_charges)
            for (model_id, key), charge in commitments.items():
                name = (model_id, key, cycle.period.start)
                counted[name] = add(counted.get(name, ZERO), counted_lines(lines, charge, model_id))
    return replace(facts, counted=counted) if counted else facts


def _is_before(period: Period, closing: Period, cycle: Cycle) -> bool:
    """Whether it has a part of the year, and is not the one in which that ends."""
    return cycle.period.start < period.end and period.start < closing.start
