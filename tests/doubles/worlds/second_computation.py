"""What a charge comes to in October, worked out anew from the list of events, in plain fractions: event by event, day
by day and head by head where that can be. It knows the words of billing models and nothing of the code that rates.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.doubles.worlds.generated_models import HEADCOUNTS, OCTOBER, Assignment, Json, Reported, to_text

ZERO = Fraction(0)
BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHTS = [datetime(2026, 10, day, tzinfo=BERLIN) for day in range(1, 32)] + [datetime(2026, 11, 1, tzinfo=BERLIN)]
DAYS = range(31)
COUNTING = ("per_unit", "graduated", "volume", "package")


@dataclass
class LineSegment:
    """An agent under a version: its events, its days, and those of the days that count for the line."""

    agent: str
    version: int
    events: list[Reported]
    own_days: set[int]
    line_days: set[int]


def share(days: Iterable[object]) -> Fraction:
    return Fraction(len(list(days)), len(DAYS))


def segments_by_line(
    assignments: Sequence[Assignment], pooled: bool, events: Sequence[Reported]
) -> dict[str, list[LineSegment]]:
    found: dict[str, dict[tuple[str, int], LineSegment]] = {}
    taken: dict[str, set[int]] = {}
    for assignment in sorted(assignments, key=lambda each: (each.start, each.agent)):
        line = "-" if pooled else assignment.agent
        segment = found.setdefault(line, {}).setdefault(
            (assignment.agent, assignment.version), LineSegment(assignment.agent, assignment.version, [], set(), set())
        )
        start, end = to_text(assignment.start), to_text(assignment.end)
        segment.events += [each for each in events if each.agent == assignment.agent and start <= each.time < end]
        days = {day for day in DAYS if last_of_day(day, assignment.agent, assignments) is assignment}
        segment.own_days |= days
        segment.line_days |= days - taken.setdefault(line, set())
        taken[line] |= days
    return {line: list(own.values()) for line, own in found.items()}


def last_of_day(day: int, agent: str, assignments: Sequence[Assignment]) -> Assignment | None:
    there = [
        assignment
        for assignment in assignments
        if assignment.agent == agent and assignment.start < MIDNIGHTS[day + 1] and assignment.end > MIDNIGHTS[day]
    ]
    return max(there, key=lambda assignment: assignment.start, default=None)


# Prices


def of_units(pricing: Json, quantity: Fraction, total: Fraction) -> Fraction:
    """What that many cost without flat amounts, where all of the line is `total`."""
    match pricing["type"]:
        case "per_unit":
            return quantity * Fraction(pricing["unit_amount"])
        case "volume":
            return quantity * Fraction(tier_of(pricing, total)["unit_amount"])
        case "graduated":
            return sum((inside * Fraction(tier["unit_amount"]) for tier, inside in spread(pricing, quantity)), ZERO)
        case _:
            packages = max(ZERO, quantity - Fraction(pricing["free_units"])) / Fraction(pricing["package_size"])
            begun = packages.denominator > 1 and pricing["rounding"] == "up"
            return (int(packages) + begun) * Fraction(pricing["package_amount"])


def flat_amounts(pricing: Json, quantity: Fraction) -> Fraction:
    """Of the tiers that the quantity reaches; the first is always reached."""
    lower = ZERO
    found = ZERO
    for tier in pricing["tiers"]:
        if quantity > lower or lower == 0:
            found += Fraction(tier["flat_amount"])
        lower = Fraction(tier["up_to"] or 0)
    return found


def tier_of(pricing: Json, total: Fraction) -> Json:
    return next(tier for tier in pricing["tiers"] if tier["up_to"] is None or total <= Fraction(tier["up_to"]))


def spread(pricing: Json, quantity: Fraction) -> list[tuple[Json, Fraction]]:
    lower = ZERO
    found = []
    for tier in pricing["tiers"]:
        upper = quantity if tier["up_to"] is None else min(quantity, Fraction(tier["up_to"]))
        found.append((tier, max(ZERO, upper - lower)))
        lower = Fraction(tier["up_to"] or 0)
    return found


def flat_between(pricing: Json, start: Fraction, end: Fraction, total: Fraction, first: bool) -> Fraction:
    if "volume" in pricing["type"]:
        return Fraction(tier_of(pricing, total)["flat_amount"]) if first else ZERO
    if "graduated" in pricing["type"]:
        return flat_amounts(pricing, end) - (ZERO if first else flat_amounts(pricing, start))
    return ZERO


# What is measured


def number(event: Reported, path: str) -> Fraction:
    return Fraction(str(event.data[path.removeprefix("data.")]))


def measured(meter: Json, events: Sequence[Reported]) -> Fraction:
    """What the events of a whole month come to."""
    path = meter.get("value")
    match meter.get("aggregation", "count"):
        case "count":
            return Fraction(len(events))
        case "sum":
            return converted(meter, sum((number(each, path) for each in events), ZERO))
        case "max":
            return max((number(each, path) for each in events), default=ZERO)
        case "last":
            last = max(events, key=lambda each: (each.time, each.key), default=None)
            return ZERO if last is None else number(last, path)
        case "unique":
            return Fraction(len({each.data["user"] for each in events}))
        case _:
            whole = OCTOBER.end - OCTOBER.start
            lasted = ((number(each, path), OCTOBER.end - datetime.fromisoformat(each.time)) for each in events)
            return max(ZERO, sum((change * in_seconds(left) for change, left in lasted), ZERO) / in_seconds(whole))


def in_seconds(time: timedelta) -> Fraction:
    return Fraction(time // timedelta(microseconds=1), 10**6)


def converted(meter: Json, quantity: Fraction) -> Fraction:
    unit = meter.get("unit", {})
    quantity /= Fraction(unit.get("divide_by", 1))
    match unit.get("rounding"):
        case "up":
            return Fraction(-(-quantity // 1))
        case "down":
            return Fraction(quantity // 1)
        case "half_up":
            return Fraction((2 * quantity + 1) // 2)
        case _:
            return quantity


# Usage of one thing, by the versions of its price


@dataclass
class Thing:
    """What is priced: its meter, its price under each version, and which events it is about, with their values.
    `priced_by_value` are the versions under which that is known.
    """

    meter: Json
    prices: dict[int, Json]
    events: Callable[[LineSegment], list[Reported]]
    value_of: Callable[[Reported], Fraction]
    priced_by_value: set[int]


def usage(thing: Thing, segments: Sequence[LineSegment]) -> dict[int, Fraction]:
    """What each version's part of it costs. Its versions follow each other in time."""
    having = [segment for segment in segments if segment.version in thing.prices]
    included = sum(
        (
            Fraction(thing.prices[segment.version].get("included_units", 0)) * share(segment.line_days)
            for segment in having
        ),
        ZERO,
    )
    due = dict.fromkeys(sorted({segment.version for segment in having}), ZERO)
    add_units(thing, having, included, due)
    add_values(thing, having, due)
    return due


def add_units(thing: Thing, segments: Sequence[LineSegment], included: Fraction, due: dict[int, Fraction]) -> None:
    ends = [
        max(
            ZERO,
            measured(thing.meter, [each for segment in segments[: index + 1] for each in thing.events(segment)])
            - included,
        )
        for index in range(len(segments))
    ]
    before = ZERO
    for index, segment in enumerate(segments):
        priced = thing.prices[segment.version]
        pricing, commitment = priced["pricing"], priced.get("commitment")
        lasts = min(ends[index:])
        total = ends[-1]
        if pricing["type"] in COUNTING:
            due[segment.version] += of_units(pricing, lasts, total) - of_units(pricing, before, total)
            due[segment.version] += flat_between(pricing, before, lasts, total, index == 0)
            if commitment is not None:
                agreed = max(ZERO, Fraction(commitment["quantity"]) - included, before)
                above = of_units(pricing, max(agreed, lasts), total) - of_units(pricing, agreed, total)
                due[segment.version] += above * (Fraction(commitment["overage_multiplier"]) - 1)
        before = lasts


def add_values(thing: Thing, segments: Sequence[LineSegment], due: dict[int, Fraction]) -> None:
    """Event by event, in their order."""
    found = sorted(
        ((segment.version, each) for segment in segments for each in thing.events(segment)),
        key=lambda each: (each[0], each[1].time, each[1].key),
    )
    known = [thing.value_of(each) if version in thing.priced_by_value else ZERO for version, each in found]
    total = sum(known, ZERO)
    first = thing.prices[segments[0].version]["pricing"] if segments else {"type": ""}
    if "tiers" in first and "percentage" in first["type"]:
        due[segments[0].version] += flat_between(first, ZERO, ZERO, total, first=True)
    before = ZERO
    for place, ((version, event), value) in enumerate(zip(found, known, strict=True)):
        pricing = thing.prices[version]["pricing"]
        if pricing["type"] == "dynamic":
            due[version] += number(event, "data.price")
        elif pricing["type"] not in COUNTING:
            due[version] += of_event(pricing, place, before, value, total)
        before += value


def of_event(pricing: Json, place: int, before: Fraction, value: Fraction, total: Fraction) -> Fraction:
    fixed = Fraction(pricing.get("fixed_per_event", 0))
    match pricing["type"]:
        case "volume_percentage":
            return value * Fraction(tier_of(pricing, total)["rate"]) / 100 + fixed
        case "graduated_percentage":
            return (
                rates(pricing, before + value)
                - rates(pricing, before)
                + flat_between(pricing, before, before + value, total, first=False)
                + fixed
            )
    if place < pricing.get("free_events", 0):
        return ZERO
    free = Fraction(pricing.get("free_amount", 0))
    paying = max(ZERO, before + value - free) - max(ZERO, before - free)
    price = paying * Fraction(pricing["rate"]) / 100 + fixed
    least, most = pricing.get("minimum_per_event"), pricing.get("maximum_per_event")
    price = price if least is None else max(price, Fraction(least))
    return price if most is None else min(price, Fraction(most))


def rates(pricing: Json, value: Fraction) -> Fraction:
    return sum((inside * Fraction(tier["rate"]) / 100 for tier, inside in spread(pricing, value)), ZERO)


# What stands around usage


def line(
    charges: Sequence[Json],
    segments: Sequence[LineSegment],
    due: dict[int, Fraction],
    quantity: Fraction,
    *,
    fee_apart: bool,
) -> Fraction:
    fees = dict.fromkeys(due, ZERO)
    for segment in segments:
        fee = charges[segment.version].get("base_fee")
        if fee is not None:
            days = segment.own_days if fee["per"] == "agent" else segment.line_days
            fees[segment.version] += Fraction(fee["amount"]) * share(days)
    in_force = {
        version: share(day for segment in segments if segment.version == version for day in segment.line_days)
        for version in due
    }
    due = {version: own + fees[version] for version, own in due.items()}
    due = discounted(
        [(charges[version].get("discount"), due[version], in_force[version], quantity) for version in due], due
    )
    capped = {
        version: in_force[version] * Fraction(charges[version]["maximum"])
        for version in due
        if "maximum" in charges[version]
    }
    maximum, fee = sum(capped.values(), ZERO), sum((fees[version] for version in capped), ZERO)
    of_capped = sum((due[version] for version in capped), ZERO)
    most = fee + max(ZERO, maximum - fee) if fee_apart else maximum
    total = sum(due.values(), ZERO) - (max(ZERO, of_capped - most) if capped else ZERO)
    minimum = sum(
        (
            Fraction(charges[version]["minimum"]) * in_force[version]
            for version in due
            if "minimum" in charges[version] and (quantity or when_unused(charges[version]))
        ),
        ZERO,
    )
    return max(total, minimum)


def when_unused(charge: Json) -> bool:
    return charge.get("minimum_when_unused", charge["type"] != "workflow")


def discounted(
    found: Sequence[tuple[Json | None, Fraction, Fraction, Fraction]], due: dict[Any, Fraction]
) -> dict[Any, Fraction]:
    """(discount, due, share of the month, the quantity that decides) of each part of a line."""
    reached = [
        discount if discount is not None and quantity >= Fraction(discount["from_quantity"]) else None
        for discount, _, _, quantity in found
    ]
    wanted = [
        Fraction(discount["amount"]) * days if discount is not None and "amount" in discount else ZERO
        for discount, (_, _, days, _) in zip(reached, found, strict=True)
    ]
    room = sum(
        (own for discount, (_, own, _, _) in zip(reached, found, strict=True) if discount and "amount" in discount),
        ZERO,
    )
    asked = sum(wanted, ZERO)
    result = {}
    for (key, own), discount, amount in zip(due.items(), reached, wanted, strict=True):
        percent = Fraction(discount["percent"]) if discount is not None and "percent" in discount else ZERO
        granted = amount * min(room, asked) / asked if asked else ZERO
        result[key] = own * (1 - percent / 100) - granted
    return result


# Charges


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
    thing = Thing(meter, dict(enumerate(charges)), matching, value_of, set(range(len(charges))))
    quantity = measured(meter, [each for segment in segments for each in matching(segment)])
    return line(charges, segments, usage(thing, segments), quantity, fee_apart=False)


def outcome(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    meter = charges[0]["meter"]
    path = meter.get("value", "data.value")

    def counting(segment: LineSegment) -> list[Reported]:
        least = Fraction(charges[segment.version].get("minimum_value", 0))
        return [each for each in segment.events if each.type == "outcome.sale" and number(each, path) >= least]

    versions = set(range(len(charges)))
    thing = Thing(meter, dict(enumerate(charges)), counting, lambda each: number(each, path), versions)
    due = usage(thing, segments)
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
    quantity = measured(meter, [each for segment in segments for each in counting(segment)])
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
    """How many of a type, and what each version's cost; what its bounds change goes to the first version with it."""
    prices = {
        version: charge["workflows"][kind] for version, charge in enumerate(charges) if kind in charge["workflows"]
    }
    by_value = {version for version, priced in prices.items() if "percentage" in priced["pricing"]["type"]}

    def of_kind(segment: LineSegment) -> list[Reported]:
        return [each for each in segment.events if each.type == f"workflow.{kind}"]

    having = [segment for segment in segments if segment.version in prices]
    meter = {"aggregation": "sum", "value": "data.quantity"}
    due = usage(Thing(meter, prices, of_kind, lambda each: number(each, "data.value"), by_value), having)
    quantity = measured(meter, [each for segment in having for each in of_kind(segment)])
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
    agents = list(
        dict.fromkeys(
            segment.agent for segment in segments if any(p.own_days for p in segments if p.agent == segment.agent)
        )
    )
    groups = [
        (
            charges[segment.version],
            agents.index(segment.agent),
            Fraction(len(agents)),
            share(segment.own_days),
            share(segment.line_days),
        )
        for segment in segments
        if segment.agent in agents
    ]
    return of_heads(
        [
            (charge, of_head(charge["pricing"], place, total) * days, line_days, total)
            for charge, place, total, days, line_days in groups
        ]
    )


def of_head(pricing: Json, place: int, total: Fraction) -> Fraction:
    before = Fraction(place)
    units = of_units(pricing, before + 1, total) - of_units(pricing, before, total)
    return units + flat_between(pricing, before, before + 1, total, first=place == 0)


def of_heads(groups: Sequence[tuple[Json, Fraction, Fraction, Fraction]]) -> Fraction:
    """(charge, due, share of the line's days, number of agents or seats) of each group."""
    found = [(charge.get("discount"), due, days, total) for charge, due, days, total in groups]
    return sum(discounted(found, {index: due for index, (_, due, _, _) in enumerate(found)}).values(), ZERO)


def seat(charges: Sequence[Json], segments: Sequence[LineSegment]) -> Fraction:
    """Day by day."""
    groups = []
    for segment in segments:
        charge = charges[segment.version]
        for day in sorted(segment.line_days):
            said = charge["quantity"]
            seats = seats_on(day, said) if said in HEADCOUNTS else Fraction(said)
            pricing = charge["pricing"]
            whole = of_units(pricing, seats, seats) + flat_between(pricing, ZERO, seats, seats, first=True)
            groups.append((charge, whole * share([day]), share([day]), seats))
    return of_heads(groups)


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
    """What each line of a charge comes to, by its agent: the charge under each version of the model."""
    pooled = charges[0].get("scope", "organization") == "organization"
    found = segments_by_line(assignments, pooled, events)
    return {name: COMPUTED[charges[0]["type"]](charges, segments) for name, segments in found.items()}
