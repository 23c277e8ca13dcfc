"""The units of the price list's registry: which includes which, and which need a price of their own."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from shared.domain.provider_costs.usage_counts import Count

if TYPE_CHECKING:
    from genai_prices.units import UnitDef, UnitRegistry

REQUESTS = "requests"

_PRICED_APART = frozenset({"audio", "image", "video"})
"""Modalities whose tokens never cost what text costs, unless the prices say so."""
_INSIDE = frozenset({None, "cache_read", "cache_write", "reasoning", "tool"})
"""Types of tokens that cost what the including unit costs, where they have no price of their own."""


class UnclearCountsError(ValueError):
    """Counts that cannot all be true, or leave open how much costs which price."""


@cache
def registry() -> "UnitRegistry":
    """Made where it is needed: importing the package takes an eighth of a second."""
    from genai_prices.data_units import unit_data  # noqa: PLC0415  see above
    from genai_prices.units import UnitRegistry  # noqa: PLC0415  see above

    return UnitRegistry(unit_data)


@cache
def units_by_price_key() -> "dict[str, UnitDef]":
    return {unit.price_key: unit for unit in registry().units.values()}


def including(key: str) -> frozenset[str]:
    """The usage keys of all units that include this one."""
    return registry().ancestor_usage_keys(key)


def largest_inside(key: str, names: Collection[str]) -> list[str]:
    """The named units directly inside a unit: none of them is inside another."""
    inside = [name for name in names if key in including(name)]
    return [name for name in inside if including(name).isdisjoint(inside)]


def needs_own_price(unit: "UnitDef", priced: Collection[str]) -> bool:
    """Whether a call with this unit has no price unless the unit has one."""
    kind = unit.dimensions
    if kind.get("family") == "durations":
        return "direction" not in kind
    if kind.get("family") != "tokens" or kind.get("token_type") not in _INSIDE:
        return True
    if kind.get("cache_ttl") == "1h":
        return any(registry().units[key].dimensions.get("token_type") == "cache_write" for key in priced)
    return kind.get("token_type") is None and kind.get("modality") in _PRICED_APART


def with_including(counts: Mapping[str, Count]) -> dict[str, Count]:
    """The counts, and those of the units that include them, where they are not said: the sum of what is inside.

    Raises `UnclearCountsError` where a unit is larger than one that includes it.
    """
    complete = dict(counts)
    missing = {key for name in counts for key in including(name)} - counts.keys()
    for key in missing:
        complete[key] = sum((counts[name] for name in largest_inside(key, counts)), start=0)
    for name, count in counts.items():
        for key in including(name):
            if count > complete[key]:
                raise UnclearCountsError(f"{name} are more than {key}, which include them")
    _check_modalities(complete)
    return complete


def _check_modalities(counts: Mapping[str, Count]) -> None:
    for direction in ("input", "output"):
        names = [f"{direction}_{modality}_tokens" for modality in ("text", "audio", "image", "video")]
        named = [name for name in names if name in counts]
        if named and sum(counts[name] for name in named) > counts[f"{direction}_tokens"]:
            raise UnclearCountsError(f"{' and '.join(named)} are more than {direction}_tokens, which include them")


Join = tuple["UnitDef", "UnitDef", "UnitDef"]
"""A unit that is two others at once, such as cached audio, and these two."""


def missing_joins(names: Collection[str], priced: Iterable[str]) -> list[Join]:
    """The joins of two named units that have a price and are not named."""
    units = registry().units
    joins: list[Join] = []
    for key in sorted(priced):
        if key not in names:
            parents = [units[name] for name in sorted(names) if name in including(key)]
            joins += [
                (units[key], left, right)
                for left, right in combinations(parents, 2)
                if {**left.dimensions, **right.dimensions} == dict(units[key].dimensions)
            ]
    return joins


def size_of_join(join: Join, counts: Mapping[str, Count]) -> Count | None:
    """How much two units have in common; None where the other counts leave more than one possibility."""
    _, left, right = join
    around = min(counts[key] for key in including(left.usage_key) & including(right.usage_key))
    least = max(0, counts[left.usage_key] + counts[right.usage_key] - around)
    most = max(0, min(_outside(left, right, counts), _outside(right, left, counts)))
    return least if least == most else None


def _outside(whole: "UnitDef", other: "UnitDef", counts: Mapping[str, Count]) -> Count:
    """What is left of a unit without its named parts that cannot be the other unit."""
    units = registry().units
    apart = [
        name for name in counts if whole.usage_key in including(name) and not units[name].is_compatible_with(other)
    ]
    return counts[whole.usage_key] - sum(counts[name] for name in apart if including(name).isdisjoint(apart))
