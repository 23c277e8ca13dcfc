"""Prices of LLM models per million tokens, and what a call costs at them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, Self

import msgspec

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import EXACT, PLACES, ZERO, Currency, NonNegativeAmount, to_places
from shared.domain.kernel.value import Value
from shared.domain.provider_costs.model_names import ModelName

_MILLION = 10**6
_TO_PLACES = 10**6
"""Units of 10^-18 in the last of 12 decimal places."""
_HALF = _TO_PLACES // 2


@dataclass(frozen=True, slots=True)
class TieredPrice:
    """A price per million tokens that depends on the size of the context.

    The context are all input tokens of the call. The highest tier that the context exceeds holds for all its tokens.
    """

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    """(input tokens above which the tier holds, price), rising."""

    def at(self, context: int) -> Decimal:
        price = self.base
        for above, tier_price in self.tiers:
            if context <= above:
                break
            price = tier_price
        return price


class TokenCounts(msgspec.Struct, frozen=True):  # one per LLM call: much faster to make than a dataclass
    """The token counts of an LLM call."""

    input: int
    """Including cached input tokens."""
    cached_input: int
    output: int
    """Including reasoning tokens, but for some providers, where `reasoning` may be the greater number."""
    reasoning: int

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The counts in the data of an accepted event."""
        return cls(
            data.get("input_tokens", 0),
            data.get("cached_input_tokens", 0),
            data.get("output_tokens", 0),
            data.get("reasoning_tokens", 0),
        )

    @property
    def total(self) -> int:
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class _ContextTier:
    """The price of each kind of token for a context of more than `above` tokens.

    In units of 10^-18 per token.
    """

    above: int
    input: int | None
    cached_input: int | None
    output: int | None
    reasoning: int | None


@dataclass(frozen=True)
class TokenPrices:
    """The prices of one model per million tokens, in `currency`.

    Cached input tokens without a price cost as input tokens, reasoning tokens as output tokens.
    """

    currency: str
    input: TieredPrice | None
    output: TieredPrice | None
    cached_input: TieredPrice | None = None
    reasoning: TieredPrice | None = None
    request: Decimal = ZERO
    """Due for every call, whatever its tokens."""

    def cost(self, tokens: TokenCounts) -> Decimal | None:
        """What a call costs, rounded half up to 12 places.

        None where a kind of its tokens has no price. The cost is (input - cached) x input price + cached x cached price
        + (output - reasoning) x output price + reasoning x reasoning price + the price of the request.
        """
        context = tokens.input
        tier = self._context_tiers[0]
        for higher in self._context_tiers[1:]:
            if context > higher.above:
                tier = higher
        cached = 0 if tier.cached_input is None else tokens.cached_input
        reasoning = 0 if tier.reasoning is None else tokens.reasoning
        units = self._request_units
        # Integers are faster than decimals, and this is done for every call.
        for count, price in (
            (context - cached, tier.input),
            (cached, tier.cached_input),
            (max(0, tokens.output - reasoning), tier.output),
            (reasoning, tier.reasoning),
        ):
            if count:
                if price is None:
                    return None
                units += count * price
        return Decimal((units + _HALF) // _TO_PLACES).scaleb(-PLACES, context=EXACT)

    @cached_property
    def _context_tiers(self) -> tuple[_ContextTier, ...]:
        """Rising; the first holds from the first token on."""
        prices = (self.input, self.cached_input, self.output, self.reasoning)
        bounds = {above for price in prices if price is not None for above, _ in price.tiers}
        return tuple(
            _ContextTier(above, *(None if price is None else _units(price.at(above + 1)) for price in prices))
            for above in (-1, *sorted(bounds))
        )

    @cached_property
    def _request_units(self) -> int:
        return _units(self.request) * _MILLION


def _units(price: Decimal) -> int:
    return int(to_places(price).scaleb(PLACES, context=EXACT))


class ModelPrices(Value):
    """The operator's prices of a model, per million tokens."""

    currency: Currency = "USD"
    """Of all prices here."""
    input: NonNegativeAmount
    """Per million input tokens."""
    cached_input: NonNegativeAmount | None = None
    """Per million cached input tokens; null where they cost as other input tokens."""
    output: NonNegativeAmount
    """Per million output tokens."""
    reasoning: NonNegativeAmount | None = None
    """Per million reasoning tokens; null where they cost as other output tokens."""

    @cached_property
    def token_prices(self) -> TokenPrices:
        return TokenPrices(
            currency=self.currency,
            input=TieredPrice(self.input),
            output=TieredPrice(self.output),
            cached_input=None if self.cached_input is None else TieredPrice(self.cached_input),
            reasoning=None if self.reasoning is None else TieredPrice(self.reasoning),
        )


class PriceOverride(Entity):
    """The operator's prices of a model, which replace those of the price list."""

    kind: ClassVar[str] = "llm_price"

    provider: str | None
    model: str
    prices: History[ModelPrices | None]
    """None is from when on the price list holds again."""

    @property
    def name(self) -> ModelName:
        return ModelName(self.provider, self.model)


def override_id(name: ModelName) -> str:
    return named_id("llp", name.provider or "", name.model)
