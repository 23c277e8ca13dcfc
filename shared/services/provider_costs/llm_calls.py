"""Reads LLM calls in the forms in which senders report them."""

from collections.abc import Mapping
from typing import Any

from shared.domain.provider_costs.llm_calls import LlmCall, PriceListUnits, read_llm_call
from shared.ports.prices import PriceList


class LlmCallReader:
    def __init__(self, price_list: PriceList) -> None:
        self._units = PriceListUnits(price_list.read_usage, price_list.is_unit, price_list.contradiction)

    def read(self, data: Mapping[str, Any]) -> LlmCall:
        """The canonical data of a call, with what is wrong or noteworthy about them."""
        return read_llm_call(data, self._units)
