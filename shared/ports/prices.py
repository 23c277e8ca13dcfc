"""What providers ask for LLM calls: a maintained price list.

Its calls do no input or output, so they are not `async`.
"""

from typing import Protocol

from shared.domain.provider_costs.model_names import ModelName
from shared.domain.provider_costs.price_lookup import PriceListEntry


class PriceList(Protocol):
    def find(self, name: ModelName) -> PriceListEntry | None:
        """The model of that name.

        Without a provider, that of the provider which is known by such names.
        """
        ...
