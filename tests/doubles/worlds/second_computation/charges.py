"""What a charge comes to in October, computed anew from the list of events.

It is computed in plain fractions: event by event, day by day and agent by agent where that can be. It
knows the words of billing models and nothing of the code that rates.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

from tests.doubles.worlds.generated_usage import HEADCOUNTS, Assignment, Json, Reported
from tests.doubles.worlds.second_computation.days import DAYS, MIDNIGHTS, ZERO, LineSegment, segments_by_line, share
from tests.doubles.worlds.second_computation.lines import discounted, line
from tests.doubles.worlds.second_computation.meters import measured_over, number
from tests.doubles.worlds.second_computation.prices import flat_between, of_units
from tests.doubles.worlds.second_computation.usage import PricedMeter, usage


def activity(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    meter = charges[0]["meter"]

    def matching(segment: LineSegment) -> list[Reported]:
        wanted = meter.get("filter", {}).get("data.status")
        return [
            each
            for each in segment.events
            if each.type == "step" and (wanted is None or each.data["status"] in ("ok", True))
        ]

    value_of = (lambda each: number(each, meter["value"])) if meter.get("aggregation") == "sum" else (lambda _: ZERO)
    if meter.get("unit"):
        value_of = lambda _: ZERO  # noqa: E731  values of converted meters are not priced here
    priced = PricedMeter(meter, dict(enumerate(charges)), matching, value_of, set(range(len(charges))))
    quantity = measured_over(meter, segments, matching)
    return line(charges, segments, usage(priced, segments), quantity, fee_apart=False)


def outcome(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    meter = charges[0]["meter"]
    path = meter.get("value", "data.value")

    def counting(segment: LineSegment) -> list[Reported]:
        least = Fraction(charges[segment.version].get("minimum_value", 0))
        return [each for each in segment.events if each.type == "outcome.sale" and number(each, path) >= least]

    versions = set(range(len(charges)))
    priced = PricedMeter(meter, dict(enumerate(charges)), counting, lambda each: number(each, path), versions)
    due = usage(priced, segments)
    values = {
        version: sum(
            (number(each, path) for segment in segments if segment.version == version for each in counting(segment)),
            ZERO,
        )
        for version in due
    }
    for version in due:
        due[version] *= 1 + Fraction(charges[version].get("risk_premium_percent", 0)) / 100
        bonus = charges[version].get("success_bonus")
        if bonus is not None and sum(values.values(), ZERO) >= Fraction(bonus["from_value"]):
            due[version] += values[version] * Fraction(bonus["percent"]) / 100
    quantity = measured_over(meter, segments, counting)
    return line(charges, segments, due, quantity, fee_apart=True)


def workflow(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    due = dict.fromkeys(sorted({segment.version for segment in segments}), ZERO)
    quantity = ZERO
    for kind in dict.fromkeys(kind for version in due for kind in charges[version]["workflows"]):
        number_of_it, of_kind = workflows_of(kind, charges, segments)
        quantity += number_of_it
        for version, own in of_kind.items():
            due[version] += own
    for version in due:
        commitment = charges[version].get("commitment")
        if commitment is not None and quantity > Fraction(commitment["quantity"]):
            due[version] *= Fraction(commitment["overage_multiplier"])
    return line(charges, segments, due, quantity, fee_apart=False)


def workflows_of(
    kind: str, charges: Sequence[Json], segments: Sequence[LineSegment]
) -> tuple[Fraction, dict[int, Fraction]]:
    """How many workflows of a type there are, and what those under each version cost.

    What a minimum or maximum of the type changes is added to the first version that has it.
    """
    prices = {
        version: charge["workflows"][kind] for version, charge in enumerate(charges) if kind in charge["workflows"]
    }
    by_value = {version for version, priced in prices.items() if "percentage" in priced["pricing"]["type"]}

    def of_kind(segment: LineSegment) -> list[Reported]:
        return [each for each in segment.events if each.type == f"workflow.{kind}"]

    having = [segment for segment in segments if segment.version in prices]
    meter = {"aggregation": "sum", "value": "data.quantity"}
    due = usage(PricedMeter(meter, prices, of_kind, lambda each: number(each, "data.value"), by_value), having)
    quantity = measured_over(meter, having, of_kind)
    days = {
        version: share(day for segment in having if segment.version == version for day in segment.line_days)
        for version in due
    }
    capped = [version for version in due if "maximum" in prices[version]]
    above = sum((due[version] - Fraction(prices[version]["maximum"]) * days[version] for version in capped), ZERO)
    lifted = [version for version in due if "minimum" in prices[version] and quantity]
    minimum = sum((Fraction(prices[version]["minimum"]) * days[version] for version in lifted), ZERO)
    total = sum(due.values(), ZERO)
    bounded = max(total - max(ZERO, above), minimum)
    due[having[0].version] += bounded - total
    return quantity, due


def cost(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    categories = charges[0].get("categories", ["llm", "tools"])
    amounts: dict[int, Fraction] = {}
    for segment in segments:
        found = (
            number(each, "data.amount") for each in segment.events if each.type.removeprefix("cost.") in categories
        )
        amounts[segment.version] = amounts.get(segment.version, ZERO) + sum(found, ZERO)
    due = {
        version: amount * (1 + Fraction(charges[version]["markup_percent"]) / 100)
        for version, amount in amounts.items()
    }
    return line(charges, segments, due, sum(amounts.values(), ZERO), fee_apart=False)


def agent(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    """Each day is priced by the agents that are there at its end."""
    groups = []
    for day in DAYS:
        there = [segment for segment in segments if day in segment.ended_days]
        if there:
            groups.append(on_day(charges[there[0].version], day, Fraction(len(there))))
    return discounted_sum(groups)


def on_day(charge: Json, day: int, heads: Fraction) -> tuple[Json, Fraction, Fraction, Fraction]:
    pricing = charge["pricing"]
    whole = of_units(pricing, heads, heads) + flat_between(pricing, ZERO, heads, heads, first=True)
    return charge, whole * share([day]), share([day]), heads


def discounted_sum(groups: Sequence[tuple[Json, Fraction, Fraction, Fraction]]) -> Fraction:
    """What is left after discounts.

    Each group has its charge, amount, days and number of agents or seats.
    """
    found = [(charge.get("discount"), due, days, total) for charge, due, days, total in groups]
    return sum(discounted(found, {index: due for index, (_, due, _, _) in enumerate(found)}).values(), ZERO)


def seat(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    """Each day is priced by the seats of that day."""
    groups = []
    for segment in segments:
        charge = charges[segment.version]
        for day in sorted(segment.line_days):
            said = charge["quantity"]
            seats = seats_on(day, said) if said in HEADCOUNTS else Fraction(said)
            groups.append(on_day(charge, day, seats))
    return discounted_sum(groups)


def seats_on(day: int, headcount: str) -> Fraction:
    entries = [each for each in HEADCOUNTS[headcount].entries if each.effective_from < MIDNIGHTS[day + 1]]
    return Fraction(entries[-1].value)


def flat_fee(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    return sum((Fraction(charges[segment.version]["amount"]) * share(segment.line_days) for segment in segments), ZERO)


def setup_fee(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    return Fraction(charges[segments[0].version]["amount"])


COMPUTED: dict[str, Callable[[Sequence[Json], Sequence[LineSegment]], Fraction]] = {
    "activity": activity,
    "outcome": outcome,
    "workflow": workflow,
    "cost": cost,
    "agent": agent,
    "seat": seat,
    "flat_fee": flat_fee,
    "setup_fee": setup_fee,
}


def computed(
    charges: Sequence[Json], assignments: Sequence[Assignment], events: Sequence[Reported]
) -> dict[str, Fraction]:
    """The amount of each line, by its agent or `-`.

    `charges` is the charge under each version of the model.
    """
    pooled = charges[0].get("scope", "organization") == "organization"
    found = segments_by_line(assignments, pooled, events)
    return {name: COMPUTED[charges[0]["type"]](charges, segments) for name, segments in found.items()}
