"""Whether LLM calls have a price, without computing it for each of them."""

from collections.abc import Mapping
from datetime import datetime
from operator import not_
from types import NoneType
from typing import Any

from shared.domain.provider_costs.costs import TRUSTED, CostRules, CostTerms
from shared.domain.provider_costs.findings import Unpriced

_MAXIMUM_REMEMBERED = 4096
_MAY_NEED_NO_PRICE = frozenset({"byok", "cost"})


class PriceChecks:
    """Remembers for which kinds of calls there is a price.

    Calls are of one kind where they have the same model, service tier and names of data, the same of them with 0, in
    the same hour: the prices of lists begin and end at full hours. The operator's and aliases begin at any time, so
    they are looked up for each call. Calls with other units than tokens of text are priced one by one.
    """

    def __init__(self, rules: CostRules) -> None:
        self.rules = rules
        self._remembered: dict[tuple[object, ...], Unpriced | None] = {}

    def unpriced(
        self, data: Mapping[str, Any], at: datetime, terms: CostTerms = TRUSTED, organization_id: str | None = None
    ) -> Unpriced | None:
        """Why the call, given by its canonical data, will have no price; None where it has one."""
        if not _MAY_NEED_NO_PRICE.isdisjoint(data) and not terms.needs_price(data):
            return None
        if "units" in data:
            return self._of_call(data, at, terms, organization_id)
        provider, model = data.get("provider"), data.get("model")
        kind: tuple[object, ...] = (provider, model, at.toordinal(), at.hour, *data, *map(not_, data.values()))
        if "service_tier" in data:
            kind = (*kind, data["service_tier"], terms.takes_terms)
        try:
            return self._remembered[kind]
        except (KeyError, TypeError):  # new, or with names that are no texts
            found = self._of_call(data, at, terms, organization_id)
        if (
            type(model) is str
            and type(provider) in (str, NoneType)
            and self._is_the_same_always(provider or None, model)
        ):
            if len(self._remembered) >= _MAXIMUM_REMEMBERED:
                self._remembered.clear()
            self._remembered[kind] = found
        return found

    def _is_the_same_always(self, provider: str | None, model: str) -> bool:
        """Whether neither the operator's prices nor aliases decide, which differ by time and organization."""
        prices = self.rules.prices
        return not prices.of(provider, model).overrides and not prices.aliases.may_know(provider, model)

    def _of_call(
        self, data: Mapping[str, Any], at: datetime, terms: CostTerms, organization_id: str | None
    ) -> Unpriced | None:
        cost = self.rules.priced(data, at, terms, organization_id).cost
        return cost if isinstance(cost, Unpriced) else None
