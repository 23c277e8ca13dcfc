"""LLM calls that get a cost after they were metered without one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec

from shared.domain.metering.readings import Reading
from shared.domain.pricing.charges.charge import Charge
from shared.domain.provider_costs.costs import EventCost
from shared.domain.usage.recomputation import added_by
from shared.domain.usage.recorded_events import RecordedEvent
from shared.domain.usage.totals import Contribution, NamedReadings


def added_by_price(
    event: RecordedEvent, cost: EventCost, charges: Sequence[Charge] | None, currency: str
) -> Contribution:
    """What changes in the total of an unpriced call when it gets a cost.

    `charges` are those of its model version; None is usage without a billing model.
    """
    before = added_by(event, charges, currency)
    return changed_contribution(before, added_by(msgspec.structs.replace(event, cost=cost), charges, currency))


def changed_contribution(before: Contribution, after: Contribution) -> Contribution:
    """What changes in the total of an event that is counted already. Raises `TypeError` as `_changed`."""
    return replace(
        after,
        measures=_changes(before.measures, after.measures),
        system_totals=_changes(before.system_totals, after.system_totals),
        events=0,
        matched_late=not before.measures and not before.awaited and bool(after.measures),
    )


def _changes(before: NamedReadings, after: NamedReadings) -> NamedReadings:
    return tuple(_changed(dict(before), dict(after)))


def _changed(before: Mapping[str, Reading], after: Mapping[str, Reading]) -> Iterator[tuple[str, Reading]]:
    """Raises `TypeError` for readings that cannot be taken back: none of those depends on a cost."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        added = new if old is None else old.replacement(type(old)() if new is None else new)
        if added is None:
            raise TypeError(f"{name} depends on the cost of an event, and cannot take it back")
        yield name, added
