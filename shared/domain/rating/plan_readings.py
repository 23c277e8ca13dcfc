"""Readings of plans: what each plan's billing model reads of totals that several of them share."""

from collections.abc import Collection, Mapping, Sequence

from shared.domain.metering.readings import Reading, merge_all
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.plan_versions import is_of_plans, parts_of, prefix_of
from shared.domain.rating.facts import MeterReadings
from shared.domain.usage.totals import SYSTEM


class ReadingsOfPlan:
    """What one billing model reads of an agent, by the names of its own gauges (`MeterReadings`).

    `of_system` are the totals whose system totals it has, too: those of several plans are had by the first of them.
    """

    def __init__(self, prefix: str, totals: Sequence[MeterReadings], of_system: Sequence[MeterReadings]) -> None:
        self._prefix = prefix
        self._totals = totals
        self._of_system = of_system

    def meters(self) -> Collection[str]:
        names = {name for totals in self._totals for name in totals.meters()}
        return {name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)}

    def reading(self, name: str) -> Reading | None:
        if name.startswith(SYSTEM):
            found = [totals.reading(name) for totals in self._of_system]
        else:
            found = [totals.reading(self._prefix + name) for totals in self._totals]
        readings = [reading for reading in found if reading is not None]
        return merge_all(readings) if readings else None


def by_version(
    totals: Mapping[tuple[str, str], MeterReadings], versions: Mapping[str, Version]
) -> dict[tuple[str, str], MeterReadings]:
    """The totals by agent and version, where those of plans are taken apart; what is used in trials is left out.

    `versions` are those of plans by their id. Raises `KeyError` for one that is missing.
    """
    own: dict[tuple[str, str], MeterReadings] = {}
    of_plans: dict[tuple[str, str], list[MeterReadings]] = {}
    of_system: dict[tuple[str, str], list[MeterReadings]] = {}
    for (agent_id, version_id), readings in totals.items():
        if not is_of_plans(version_id):
            own[agent_id, version_id] = readings
            continue
        paid = [part for part in parts_of(version_id) if not part.is_free]
        for part in paid:
            of_plans.setdefault((agent_id, part.version_id), []).append(readings)
        if paid:
            of_system.setdefault((agent_id, paid[0].version_id), []).append(readings)
    return own | {
        key: ReadingsOfPlan(prefix_of(versions[key[1]].model_id), readings, of_system.get(key, ()))
        for key, readings in of_plans.items()
    }
