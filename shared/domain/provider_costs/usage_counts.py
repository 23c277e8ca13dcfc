"""The counts of an LLM call by usage key.

A usage key is the name that the price list's registry has for a unit.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from shared.domain.kernel.money import read_decimal

Count = int | Decimal
Counts = Mapping[str, Count]
"""By usage key, none of them 0. What is inside a unit is counted in it, too."""

INPUT, OUTPUT, REASONING = "input_tokens", "output_tokens", "output_reasoning_tokens"

USAGE_KEYS: Mapping[str, str] = {
    "input_tokens": INPUT,
    "cached_input_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "output_tokens": OUTPUT,
    "reasoning_tokens": REASONING,
}
"""By field of an LLM call's data. All other units are in `data.units`, by their usage keys."""

_FIELDS = tuple(USAGE_KEYS.items())


class CallCounts(msgspec.Struct, frozen=True):  # one per LLM call: much faster to make than a dataclass
    """What an LLM call used, with the reasoning inside the output."""

    counts: Counts
    are_known: bool
    """Whether the call says any count, be it 0."""


def counts_of(data: Mapping[str, Any]) -> CallCounts:
    """The counts in the data of an accepted LLM call.

    Providers differ in whether the output includes the reasoning. The total decides; without one, more reasoning than
    output proves that it came beside it.
    """
    counts: dict[str, Count] = {}
    are_known = False
    for field, key in _FIELDS:
        count = data.get(field)
        if count is not None:
            are_known = True
            if count:
                counts[key] = count
    units = data.get("units")
    if type(units) is dict:
        for key, count in units.items():
            number = count if type(count) is int else _number(count)
            are_known = True
            if number:
                counts[key] = number
    reasoning = counts.get(REASONING)
    if reasoning:
        output = counts.get(OUTPUT, 0)
        if is_reasoning_beside(counts.get(INPUT, 0), output, reasoning, data.get("total_tokens")):
            counts[OUTPUT] = output + reasoning
    return CallCounts(counts, are_known)


def reported_tokens(data: Mapping[str, Any]) -> int:
    """Input and output tokens of an LLM call, as they were reported."""
    return int(data.get("input_tokens", 0)) + int(data.get("output_tokens", 0))


def is_reasoning_beside(input_: Count, output: Count, reasoning: Count, total: Count | None) -> bool:
    """Whether the output leaves the reasoning out."""
    return reasoning > output or (
        total is not None and total != input_ + output and total == input_ + output + reasoning
    )


def _number(count: object) -> Count:
    number = read_decimal(count)
    return int(number) if number == number.to_integral_value() else number
