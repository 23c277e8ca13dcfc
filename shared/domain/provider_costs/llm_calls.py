"""Reads reported LLM calls into the one form that is stored, metered and priced."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shared.domain.kernel.errors import FieldError
from shared.domain.kernel.money import read_rounded
from shared.domain.kernel.validation import pointer
from shared.domain.provider_costs.findings import Finding, Unpriced
from shared.domain.provider_costs.foreign_counts import ForeignCounts, foreign_counts
from shared.domain.provider_costs.foreign_names import KNOWN_NAMES, OWN_NAMES
from shared.domain.provider_costs.model_names import reported_model
from shared.domain.provider_costs.service_tiers import STANDARD, service_tier_of
from shared.domain.provider_costs.usage_counts import USAGE_KEYS, Count, Counts, counts_of, is_reasoning_beside
from shared.domain.provider_costs.usage_readings import ReadUsage

COUNT_FIELDS = (*USAGE_KEYS, "total_tokens")
_OTHER_FIELDS = frozenset({"service_tier", "api", "byok", "usage", "units"})
MAXIMUM_UNITS = 50
MAXIMUM_TEXT = 64
"""Characters of a service tier and of an API."""

_INSIDE = (
    ("cached_input_tokens", "input_tokens", "which include the cached ones"),
    ("cache_write_tokens", "input_tokens", "which include those written to the cache"),
    ("cache_write_1h_tokens", "cache_write_tokens", "which include those written for an hour"),
)
_FIELD_OF = {key: name for name, key in USAGE_KEYS.items()}
_LIKE_A_COUNT = re.compile(r"(?i)token|character|pages?$|images?$|search|pixel|audio|^seconds?$")
_NO_COUNT = re.compile(r"(?i)max|limit|budget|time|latency|per_|price|cost|rate|ratio|index|_ms$")
"""Numbers about a call that are no counts of what it used."""
_LARGEST = 10**15


@dataclass(frozen=True, slots=True)
class PriceListUnits:
    """What a price list knows of units, as acceptance needs it."""

    read_usage: ReadUsage
    is_unit: Callable[[str], bool]
    contradiction: Callable[[Counts], Unpriced | None]


@dataclass(slots=True)
class LlmCall:
    """The data of an LLM call in canonical form, with errors and findings."""

    data: dict[str, Any]
    errors: list[FieldError] = field(default_factory=list)
    """Pointers are relative to the event."""
    findings: list[Finding] = field(default_factory=list)


def read_llm_call(data: Mapping[str, Any], units: PriceListUnits) -> LlmCall:
    """The data of an LLM call in canonical form; reading that again changes nothing.

    Counts under our own names stay as they were sent. Other names and the provider's usage object become ours: cached
    and written tokens inside the input, reasoning inside the output.
    """
    call = LlmCall(_without_nulls(data))
    call.errors += _errors_in_fields(call.data)
    if call.errors:
        return call
    _round(call.data)
    if "usage" in call.data or not OWN_NAMES.issuperset(call.data):  # most calls say all by our names
        foreign = foreign_counts(call.data, units.is_unit)
        call.errors += foreign.errors
        if not call.errors:
            _take_usage(call, foreign, units.read_usage)
            _take_foreign(call, foreign)
    if not call.errors:
        call.errors += _errors_inside(call.data)
    if not call.errors and call.data.get("units"):
        contradiction = units.contradiction(counts_of(call.data).counts)
        if contradiction is not None:
            call.errors.append(FieldError("/data/units", contradiction.detail))
    if not call.errors:
        call.findings += _findings(call.data, units.is_unit)
    return call


def _without_nulls(data: Mapping[str, Any]) -> dict[str, Any]:
    """Under names with a meaning, null is absent."""
    canonical = dict(data)
    if None in data.values():
        canonical = {name: value for name, value in data.items() if value is not None or name not in OWN_NAMES}
    units = canonical.get("units")
    if isinstance(units, dict) and None in units.values():
        canonical["units"] = {name: count for name, count in units.items() if count is not None}
    return canonical


STANDARD_PRICE = Finding("standard_price", "service_tier and byok do not count: the operator has not allowed them")


def has_terms(data: Mapping[str, Any]) -> bool:
    """Whether the call says that it does not cost the operator the standard price."""
    return data.get("byok") is True or service_tier_of(data) != STANDARD


def _errors_in_fields(data: Mapping[str, Any]) -> Iterator[FieldError]:
    for name in COUNT_FIELDS:
        count = data.get(name, 0)
        if type(count) is not int or not 0 <= count < _LARGEST:
            yield FieldError(f"/data/{name}", "is not a whole number of tokens from 0 on")
    if not _OTHER_FIELDS.isdisjoint(data):
        yield from _errors_in_other_fields(data)


def _errors_in_other_fields(data: Mapping[str, Any]) -> Iterator[FieldError]:
    for name in ("service_tier", "api"):
        text = data.get(name, "")
        if not isinstance(text, str) or len(text) > MAXIMUM_TEXT:
            yield FieldError(f"/data/{name}", f"is not a text of at most {MAXIMUM_TEXT} characters")
    if not isinstance(data.get("byok", False), bool):
        yield FieldError("/data/byok", "is not true or false")
    if not isinstance(data.get("usage", {}), dict):
        yield FieldError("/data/usage", "is not an object, such as the usage in a provider's answer")
    yield from _errors_in_units(data.get("units", {}))


def _errors_in_units(units: object) -> Iterator[FieldError]:
    if not isinstance(units, dict) or len(units) > MAXIMUM_UNITS:
        yield FieldError("/data/units", f"is not an object of at most {MAXIMUM_UNITS} counts, by usage key")
        return
    for name, count in units.items():
        try:
            is_valid = read_rounded(count) >= 0
        except ValueError:
            is_valid = False
        if not is_valid:
            yield FieldError(pointer(("data", "units", name)), "is not a number from 0 on")


def _round(data: dict[str, Any]) -> None:
    units, cost = data.get("units"), data.get("cost")
    if units:
        data["units"] = {name: _as_count(read_rounded(count)) for name, count in units.items()}
    if cost is not None:
        with suppress(ValueError):  # what is no amount is refused with all other amounts
            rounded = read_rounded(cost)
            if rounded != Decimal(cost):
                data["cost"] = rounded


def _as_count(number: Count) -> Count:
    return int(number) if number == int(number) else number


def _take_usage(call: LlmCall, foreign: ForeignCounts, read_usage: ReadUsage) -> None:
    usage = call.data.get("usage")
    if usage is None:
        return
    api = call.data.get("api")
    reading = read_usage(*reported_model(call.data), api, usage)
    if reading is None:
        nested = foreign_counts(usage, lambda _: False)
        if nested.errors or not nested.counts:
            call.findings.append(Finding("unknown_count", "usage has no form in which a provider is known to send it"))
            return
        foreign.merge(nested, "usage")
        return
    for key, count in reading.counts.items():
        name = _FIELD_OF.get(key, f"units.{key}")
        if count or not name.startswith("units."):
            foreign.add(name, count, "usage")
    if reading.service_tier is not None:
        call.data.setdefault("service_tier", reading.service_tier)


def _take_foreign(call: LlmCall, foreign: ForeignCounts) -> None:
    if not foreign.counts:
        return
    for name in foreign.renamed:
        call.data.pop(name, None)
    units = dict(call.data.get("units", {}))
    for name, (count, source) in foreign.counts.items():
        group, _, key = name.rpartition(".")
        known = units.get(key) if group else call.data.get(key)
        if (
            known is not None
            and not foreign.replaces(key)
            and Decimal(known) != count
            and not _is_completed(call, key, count)
        ):
            call.errors.append(
                FieldError(pointer(("data", *source.split("."))), f"says {count}, but {name} is {known}")
            )
        elif group:
            units[key] = count
        else:
            call.data[key] = int(count)
    if units:
        call.data["units"] = units
    _put_reasoning_inside(call.data)


def _is_completed(call: LlmCall, name: str, count: Count) -> bool:
    """Whether an output differs only by the reasoning that an earlier reading put inside it."""
    return name == "output_tokens" and call.data[name] == count + call.data.get("reasoning_tokens", 0)


def _put_reasoning_inside(data: dict[str, Any]) -> None:
    reasoning, output = data.get("reasoning_tokens", 0), data.get("output_tokens", 0)
    if reasoning and is_reasoning_beside(data.get("input_tokens", 0), output, reasoning, data.get("total_tokens")):
        data["output_tokens"] = output + reasoning


def _errors_inside(data: Mapping[str, Any]) -> Iterator[FieldError]:
    for name, including, why in _INSIDE:
        if name in data and (including in data or including == "input_tokens") and data[name] > data.get(including, 0):
            yield FieldError(f"/data/{name}", f"is more than {including}, {why}")
    cached, written = data.get("cached_input_tokens", 0), data.get("cache_write_tokens", 0)
    if cached and written and cached + written > data.get("input_tokens", 0):
        yield FieldError(
            "/data/cache_write_tokens", "and cached_input_tokens are more than input_tokens, which include both"
        )


def _findings(data: Mapping[str, Any], is_unit: Callable[[str], bool]) -> Iterator[Finding]:
    if "total_tokens" in data:
        yield from _total_mismatch(data, data["total_tokens"])
    if not KNOWN_NAMES.issuperset(data):
        for name in data.keys() - KNOWN_NAMES:
            if _is_number(data[name]) and _LIKE_A_COUNT.search(name) and not _NO_COUNT.search(name):
                yield Finding("unknown_count", f"{name[:MAXIMUM_TEXT]} looks like a count, but its name is not known")
    for name in data.get("units", ()):
        if not is_unit(name):
            yield Finding("unknown_count", f"units.{name[:MAXIMUM_TEXT]} is no unit of the price list")


def _total_mismatch(data: Mapping[str, Any], total: Count) -> Iterator[Finding]:
    """Where the call has input or output, and the total is neither their sum nor that with the reasoning."""
    split = data.get("input_tokens", 0) + data.get("output_tokens", 0)
    is_split = "input_tokens" in data or "output_tokens" in data
    if is_split and total not in (split, split + data.get("reasoning_tokens", 0)):
        yield Finding("total_mismatch", f"total_tokens is {total}, but input and output are {split}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and value > 0
