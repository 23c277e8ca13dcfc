"""Providers' own usage objects, read by the extractors of the package `genai-prices`."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shared.adapters.price_list.units import registry
from shared.domain.provider_costs.usage_counts import INPUT, OUTPUT, REASONING, Count, is_reasoning_beside
from shared.domain.provider_costs.usage_readings import UsageReading

if TYPE_CHECKING:
    from genai_prices.types import Provider, UsageExtractor

_COMMON = ("openai", "anthropic", "google", "aws", "mistral", "cohere", "x-ai", "perplexity")
"""Whose forms other providers and servers send, too."""
_BILLED_FIRST = frozenset({"cohere"})
"""Of these, the first form that fits holds: it has what is billed, the others have what was counted."""
_ON_REQUEST = frozenset({"ocr_annotated"})
"""Forms that look like others; they hold only where the sender names the API."""
_TOTALS = ("total_tokens", "totalTokens", "totalTokenCount")
_TIERS = ("service_tier", "serviceTier")
_LARGEST = 10**15


def read_usage_object(
    providers: "list[Provider]", provider: "Provider | None", api: str | None, usage: Mapping[str, Any]
) -> UsageReading | None:
    """The counts of a usage object by usage key; None where no form fits.

    The provider's own forms come first, then common ones. The form that finds most counts holds.
    """
    own = list(provider.extractors or ()) if provider is not None else []
    named = [extractor for extractor in own if extractor.api_flavor == api]
    own = named or [extractor for extractor in own if extractor.api_flavor not in _ON_REQUEST]
    is_billed_first = provider is not None and provider.id in _BILLED_FIRST
    for extractors in (own, list(_common(providers))):
        readings = [reading for each in extractors if (reading := _read(each, usage)) is not None]
        if readings:
            counts = readings[0] if is_billed_first else max(readings, key=len)
            return UsageReading(_with_reasoning_inside(counts, usage), _service_tier(usage))
    return None


def _common(providers: "list[Provider]") -> "Iterator[UsageExtractor]":
    by_id = {provider.id: provider for provider in providers}
    for provider_id in _COMMON:
        if provider_id in by_id:
            yield from by_id[provider_id].extractors or ()


def _read(extractor: "UsageExtractor", usage: Mapping[str, Any]) -> dict[str, Count] | None:
    """The counts that one form finds; None where the usage does not have this form."""
    root = [extractor.root] if isinstance(extractor.root, str) else list(extractor.root)
    if root[0] not in usage and not all(name in usage for name in _needed_by(extractor)):
        return None
    try:
        _, found = extractor.extract(_response(root, usage))
    except (ValueError, TypeError, AttributeError, LookupError):  # senders may put anything at any place
        return None
    units = registry().units
    counts = {key: _count(value) for key, value in vars(found).items() if key in units}
    for key, count in counts.items():
        is_whole = isinstance(count, int) or units[key].dimensions.get("family") != "tokens"
        if not is_whole or not 0 <= count < _LARGEST:
            return None
    return counts


def _needed_by(extractor: "UsageExtractor") -> Iterator[str]:
    """The fields that every usage object of this form has at its top level.

    Nearly all forms are told apart by them, ten times as fast as by trying to read them.
    """
    if isinstance(extractor.root, str) or len(extractor.root) == 1:
        for mapping in extractor.mappings:
            if mapping.required and isinstance(mapping.path, str):
                yield mapping.path


def _response(root: list[Any], usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer that the usage would come in, unless it is one already."""
    if isinstance(usage.get(root[0]), Mapping):
        return usage
    response: Mapping[str, Any] = usage
    for name in reversed(root):
        response = {name: response}
    if len(root) > 1 and isinstance(usage.get(root[-1]), Mapping):
        return {root[0]: usage}
    return response


def _count(value: float | Decimal) -> Count:
    number = Decimal(str(value))
    return int(number) if number == number.to_integral_value() else number


def _with_reasoning_inside(counts: dict[str, Count], usage: Mapping[str, Any]) -> dict[str, Count]:
    """Some forms add the reasoning to the output, some do not. Where the usage has a total, it decides."""
    reasoning = counts.get(REASONING, 0)
    if not reasoning:
        return counts
    total = next((usage[name] for name in _TOTALS if isinstance(usage.get(name), int)), None)
    input_, output = counts.get(INPUT, 0), counts.get(OUTPUT, 0)
    if is_reasoning_beside(input_, output, reasoning, total):
        return {**counts, OUTPUT: output + reasoning}
    if total == input_ + output - reasoning and total != input_ + output and output - reasoning >= reasoning:
        return {**counts, OUTPUT: output - reasoning}
    return counts


def _service_tier(usage: Mapping[str, Any]) -> str | None:
    """What the package's extractors leave out."""
    if usage.get("speed") == "fast":
        return "fast"
    for name in _TIERS:
        tier = usage.get(name)
        if isinstance(tier, Mapping):
            tier = tier.get("type")
        if isinstance(tier, str) and tier:
            return tier
    return None
