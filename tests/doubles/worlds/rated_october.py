"""A month that is rated: charges, versions, segments and usage in short notation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.times import BEGINNING
from shared.domain.metering.readings import CountAndSum, Reading
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
TIERS = [{"up_to": "10", "unit_amount": "1"}, {"up_to": None, "unit_amount": "0.5"}]


def october(day: int, hour: int = 0) -> datetime:
    """A moment of the month, counted from day 1."""
    return OCTOBER.start + timedelta(days=day - 1, hours=hour)


def flat_fee(amount: str = "310", **more: Any) -> dict[str, Any]:
    return {"key": "platform", "type": "flat_fee", "amount": amount, **more}


def activity(pricing: Any = "1", **more: Any) -> dict[str, Any]:
    """`pricing` is the price of a unit, or a list of tiers."""
    priced = (
        {"type": "per_unit", "unit_amount": pricing}
        if isinstance(pricing, str)
        else {"type": "graduated", "tiers": pricing}
    )
    return {"key": "commands", "type": "activity", "meter": {"event_type": "command"}, "pricing": priced, **more}


def version(number: int, *charges: dict[str, Any], start: datetime = BEGINNING, model: str = "bm_1") -> Version:
    return Version.model_validate(
        {"id": f"{model}_v{number}", "model_id": model, "number": number, "effective_from": start, "charges": charges}
    )


@dataclass(frozen=True)
class Used:
    """Usage totals that hold a sum for each of some meters."""

    sums: Mapping[str, Fraction]

    def meters(self) -> list[str]:
        return list(self.sums)

    def reading(self, meter: str) -> Reading | None:
        value = self.sums.get(meter)
        return None if value is None else CountAndSum(count=value, sum=value)


def used(count: int | str | Fraction, meter: str = "commands") -> Used:
    return Used({meter: Fraction(count)})


def rated(
    *found: Segment,
    totals: Mapping[tuple[str, str], Any] | None = None,
    period: Period = OCTOBER,
    currency: str = "USD",
) -> dict[str, Line]:
    """The rated lines by their keys; `totals` by agent and version."""
    return {line.key: line for line in rate(Facts(period, currency, found, totals or {}))}


def whole(agent: str, of: Version) -> Segment:
    """The agent is priced by this version for the whole month."""
    return Segment(agent, of, OCTOBER.start, OCTOBER.end)


def steps(line: Line) -> list[tuple[str, str]]:
    """The kind and the amount of each step of the line's arithmetic."""
    return [(step.kind, str(step.amount)) for step in line.steps]


def assigned(*entries: tuple[datetime, str | None]) -> History[str | None]:
    """An agent's billing models, each from its time on."""
    return History[str | None](
        entries=tuple(Entry[str | None](effective_from=start, value=model) for start, model in entries)
    )
