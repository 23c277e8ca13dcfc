"""What a provider's own usage object says."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from shared.domain.provider_costs.usage_counts import Count


class UsageReading(msgspec.Struct, frozen=True):
    """The counts of a usage object, by usage key; reasoning, cached and written are inside."""

    counts: Mapping[str, Count]
    service_tier: str | None = None


ReadUsage = Callable[[str | None, str, str | None, Mapping[str, Any]], UsageReading | None]
"""Reads the usage object of a provider, for a model and, where the provider has several, an API.

None where it has no form that is known.
"""
