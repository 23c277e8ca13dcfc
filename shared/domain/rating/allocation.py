"""Allocation of pooled lines to agents, to the last minor unit."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import exponent_of, round_to, total
from shared.domain.pricing.charges.charge import Charge, LineSegment, quantities
from shared.domain.pricing.lines import Line
from shared.domain.rating.rated_lines import RatedLine


@dataclass(frozen=True, slots=True)
class ChargeShare:
    """What a group of agents carries of one charge: `amount` out of `whole`, the sum of all its lines.

    `line` is any of the lines, for their description.
    """

    line: Line
    amount: Decimal
    whole: Decimal


def charge_shares(lines: Iterable[RatedLine], currency: str, agent_ids: AbstractSet[str]) -> list[ChargeShare]:
    """What these agents carry of each charge that concerns them, in the currency, rounded.

    Every line is allocated agent by agent, so the shares of any disjoint groups of agents add up to the lines.
    """
    by_charge: dict[tuple[str | None, str | None], list[RatedLine]] = {}
    for rated in lines:
        by_charge.setdefault((rated.line.model_id, rated.line.charge), []).append(rated)
    shares = []
    for of_charge in by_charge.values():
        amounts = [
            amount
            for rated in of_charge
            for agent_id, amount in amounts_by_agent(rated, currency).items()
            if agent_id in agent_ids
        ]
        if amounts:
            whole = total(rated.line.amount for rated in of_charge)
            shares.append(ChargeShare(of_charge[0].line, total(amounts), whole))
    return shares


def amounts_by_agent(rated: RatedLine, currency: str) -> dict[str, Decimal]:
    """A line's amount split by agent; the parts add up to it."""
    line = rated.line
    if line.agent_id is not None:
        return {line.agent_id: line.amount}
    return allocate(line.amount, currency, allocation_weights(rated.segments))


def allocate(amount: Decimal, currency: str, weights: Mapping[str, Fraction]) -> dict[str, Decimal]:
    """Split an amount by weights and largest remainder; the parts add up to it.

    The amount and all parts are rounded to the currency. Each part is truncated to the minor unit; the units left go to
    the parts that lost most, equal ones by name. Where all weights are 0 they count as equal. Raises `ValueError` for a
    negative weight.
    """
    if any(weight < 0 for weight in weights.values()):
        raise ValueError("a weight is negative")
    whole = sum(weights.values(), Fraction(0))
    places = exponent_of(currency)
    units = int(abs(Fraction(amount)) * 10**places)
    exact = {name: units * (weight / whole if whole else Fraction(1, len(weights))) for name, weight in weights.items()}
    parts = {name: int(share) for name, share in exact.items()}
    left = units - sum(parts.values())
    for name in sorted(exact, key=lambda name: (parts[name] - exact[name], name))[:left]:
        parts[name] += 1
    sign = -1 if amount < 0 else 1
    return {name: round_to(Fraction(sign * part, 10**places), places) for name, part in parts.items()}


def allocation_weights(segments: Sequence[LineSegment[Charge]]) -> Mapping[str, Fraction]:
    """Each agent's weight in a pooled line: what is priced, else quantity, else days."""
    for weights in (type(segments[0].charge).weights(segments), quantities(segments)):
        if any(weights.values()):
            return weights
    days = dict.fromkeys((segment.agent_id for segment in segments), Fraction(0))
    for segment in segments:
        days[segment.agent_id] += segment.agent_share
    return days
