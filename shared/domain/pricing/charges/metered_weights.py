"""Weights by which a pooled line of metered usage is allocated to its agents."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from shared.domain.metering.readings import CountAndSum, Reading, merge_all
from shared.domain.periods.periods import Span
from shared.domain.pricing.charges.metered_usage import MeteredSegment, usage_steps
from shared.domain.pricing.lines import exact_sum
from shared.domain.pricing.rules.rule import EVENT_PRICES


def metered_weights(segments: Sequence[MeteredSegment], span: Span) -> dict[str, Fraction]:
    """Each agent's weight: its units, its events' values or its events' prices, whichever is priced.

    Where versions price different ones of these, each version's amount is split by its own and the weights are money.
    """
    if all(_is_weighed_alike(segments[0], segment) for segment in segments):
        return _weights_of_one_basis(segments, span)
    weights = {segment.agent_id: Fraction(0) for segment in segments}
    steps = usage_steps(segments, span)
    for version in dict.fromkeys(segment.version for segment in segments):
        of_version = [index for index, segment in enumerate(segments) if segment.version == version]
        amount = sum((exact_sum(steps[index]) for index in of_version), Fraction(0))
        by_agent = _weights_of_one_basis([segments[index] for index in of_version], span)
        for agent_id, share in split_exactly(amount, by_agent).items():
            weights[agent_id] += share
    return weights


def split_exactly(amount: Fraction, weights: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """Split an amount by weights, without rounding; empty where all weights are 0."""
    whole = sum(weights.values(), Fraction(0))
    return {name: amount * weight / whole for name, weight in weights.items()} if whole else {}


def _is_weighed_alike(one: MeteredSegment, other: MeteredSegment) -> bool:
    return _has_event_prices(one) == _has_event_prices(other) and one.meter == other.meter


def _has_event_prices(segment: MeteredSegment) -> bool:
    return segment.pricing.BASIS == "event_prices"


def _weights_of_one_basis(segments: Sequence[MeteredSegment], span: Span) -> dict[str, Fraction]:
    """The weights of segments that are all weighed alike, 0 or more.

    Where no event has a value or a price, the number of events takes its place.
    """
    readings = _readings_by_agent(segments)
    pricing, meter = segments[0].pricing, segments[0].meter
    if pricing.BASIS == "units":
        return {agent_id: max(Fraction(0), meter.quantity(reading, span)) for agent_id, reading in readings.items()}
    sums = {agent_id: reading for agent_id, reading in readings.items() if isinstance(reading, CountAndSum)}
    factor = meter.factor if pricing.BASIS == "values" else Fraction(1)
    values = {agent_id: max(Fraction(0), Fraction(reading.sum) * factor) for agent_id, reading in sums.items()}
    if any(values.values()):
        return values
    return {agent_id: max(Fraction(0), Fraction(reading.count)) for agent_id, reading in sums.items()}


def _readings_by_agent(segments: Sequence[MeteredSegment]) -> dict[str, Reading]:
    """What is weighed of each agent, merged over its segments."""
    by_agent: dict[str, list[Reading]] = {}
    for segment in segments:
        weighed = segment.pricing_readings[EVENT_PRICES] if _has_event_prices(segment) else segment.reading
        by_agent.setdefault(segment.agent_id, []).append(weighed)
    return {agent_id: merge_all(readings) for agent_id, readings in by_agent.items()}
