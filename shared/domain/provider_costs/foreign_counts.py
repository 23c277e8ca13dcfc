"""Counts of an LLM call under other names than ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shared.domain.kernel.errors import FieldError
from shared.domain.kernel.money import read_decimal
from shared.domain.kernel.validation import pointer
from shared.domain.provider_costs.foreign_names import FOREIGN_FIELDS, FOREIGN_NAMES, INCLUSIVE, OWN_NAMES, ForeignName
from shared.domain.provider_costs.usage_counts import USAGE_KEYS, Count

_FIELD_OF = {key: name for name, key in USAGE_KEYS.items()}
_LARGEST = 10**15
REQUESTS = "requests"
"""No count of an LLM call unless it stands in its units: senders may call anything so."""


@dataclass(slots=True)
class ForeignCounts:
    counts: dict[str, tuple[Count, str]] = field(default_factory=dict)
    """By our name (a unit as `units.` and its usage key): the count, and the path that said it."""
    renamed: list[str] = field(default_factory=list)
    """The fields of the data whose names are replaced."""
    summed: set[str] = field(default_factory=set)
    """Our names that stood for a part only, and now have the sum."""
    errors: list[FieldError] = field(default_factory=list)

    def add(self, name: str, count: Count, path: str) -> None:
        """Raise no error for the same count said twice."""
        known = self.counts.setdefault(name, (count, path))
        if known[0] != count:
            self.errors.append(
                FieldError(pointer(("data", *path.split("."))), f"says {count}, but {known[1]} is {known[0]}")
            )

    def merge(self, other: "ForeignCounts", path: str) -> None:
        for name, (count, source) in other.counts.items():
            self.add(name, count, f"{path}.{source}")

    def replaces(self, name: str) -> bool:
        return name in self.summed


def foreign_counts(data: Mapping[str, Any], is_unit: Callable[[str], bool]) -> ForeignCounts:
    """The counts that the data have under foreign names and under usage keys."""
    found = ForeignCounts()
    if not data.keys().isdisjoint(FOREIGN_FIELDS):
        _find_foreign(data, found)
    for key in data.keys() - OWN_NAMES:
        if is_unit(key) and key != REQUESTS:
            count = _count_at(data, key, found)
            if count is not None:
                found.add(_FIELD_OF.get(key, f"units.{key}"), count, key)
                found.renamed.append(key)
    return found


def _find_foreign(data: Mapping[str, Any], found: ForeignCounts) -> None:
    beside: list[tuple[ForeignName, Count]] = []
    for name in FOREIGN_NAMES:
        count = _count_at(data, name.path, found)
        if count is None:
            continue
        if not isinstance(count, int) and not name.means.startswith("units."):
            found.errors.append(FieldError(pointer(("data", *name.path.split("."))), "is not a whole number of tokens"))
            continue
        found.add(name.means, count, name.path)
        if "." not in name.path:
            found.renamed.append(name.path)
        if name.place != "inside":
            beside.append((name, count))
    _add_beside(data, found, beside)


def _add_beside(data: Mapping[str, Any], found: ForeignCounts, beside: list[tuple[ForeignName, Count]]) -> None:
    """Add to input and output what came beside them."""
    for place, field_name in (("beside_input", "input_tokens"), ("beside_output", "output_tokens")):
        added: dict[str, Count] = {name.means: count for name, count in beside if name.place == place}
        said, path = found.counts.get(field_name, (data.get(field_name), field_name))
        if not added or path in INCLUSIVE:
            continue
        base = said if isinstance(said, int) and not isinstance(said, bool) else 0
        found.counts[field_name] = (base + sum(added.values()), path)
        found.summed.add(field_name)


def _count_at(data: Mapping[str, Any], path: str, found: ForeignCounts) -> Count | None:
    value: Any = data
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return None
    try:
        count = read_decimal(value)
    except ValueError:
        count = Decimal(-1)
    if isinstance(value, str) or not 0 <= count < _LARGEST:
        found.errors.append(FieldError(pointer(("data", *path.split("."))), "is not a number from 0 on"))
        return None
    return int(count) if count == count.to_integral_value() else count
