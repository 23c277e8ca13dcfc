"""Service tiers: at what terms a provider answered a call, such as batch or priority."""

from collections.abc import Mapping
from typing import Any

STANDARD = "standard"

_STANDARD_NAMES = frozenset({"", "default", "auto", STANDARD, "on_demand"})


def service_tier_of(data: Mapping[str, Any]) -> str:
    """The tier that the data of an LLM call name, in lower case; `standard` for none."""
    tier = data.get("service_tier")
    if tier is None:
        return STANDARD
    name = str(tier).strip().lower()
    return STANDARD if name in _STANDARD_NAMES else name


def price_context(provider: str, tier: str) -> Mapping[str, str]:
    """How the price list says it: the request context in which a provider's prices of this tier are in force."""
    if tier == "batch":
        return {"processing": "batch"}
    if tier == "fast" and provider == "anthropic":
        return {"speed": "fast"}
    return {"service_tier": tier}
