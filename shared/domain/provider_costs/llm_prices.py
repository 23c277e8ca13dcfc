"""What an LLM call costs at its provider: exact decimals, from token counts and prices per million tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, ClassVar, Protocol, Self

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import EXACT, PLACES, ZERO, Currency, NonNegativeAmount, to_places

MAXIMUM_NAME = 200
"""Characters of a provider's or model's name; a longer one has no price."""

UNNAMED = "unnamed"
"""Stands for the model of a call that names none."""

_MILLION = 10**6
_TO_PLACES = 10**6
"""Units of 10^-18 in the last of 12 places."""
_HALF = _TO_PLACES // 2


@dataclass(frozen=True, slots=True)
class TieredPrice:
    """A price per million tokens that depends on the size of the context, the input tokens of the call. The highest
    tier that begins below it holds for all of them.
    """

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()
    """(input tokens above which it holds, price), rising."""

    def at(self, context: int) -> Decimal:
        price = self.base
        for start, tier in self.tiers:
            if context <= start:
                break
            price = tier
        return price


class TokenCounts(msgspec.Struct, frozen=True):  # one for each LLM call: by far quicker to make than a dataclass
    input: int
    """Includes the cached ones."""
    cached_input: int
    output: int
    """Includes the reasoning ones; some providers leave them out, and then there may be more of those."""
    reasoning: int

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Those of an LLM call that was accepted."""
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
class _Level:
    """What each kind of tokens costs from some size of the context on, in units of 10^-18 per token."""

    above: int
    input: int | None
    cached_input: int | None
    output: int | None
    reasoning: int | None


@dataclass(frozen=True)
class TokenPrices:
    """Of one model, per million tokens in `currency`. Kinds of tokens without a price of their own cost what the kind
    costs that includes them.
    """

    currency: str
    input: TieredPrice | None
    output: TieredPrice | None
    cached_input: TieredPrice | None = None
    reasoning: TieredPrice | None = None
    request: Decimal = ZERO
    """Of each call, whatever its tokens."""

    def cost(self, tokens: TokenCounts) -> Decimal | None:
        """(input - cached) x input + cached x cached + output x output, and where reasoning is priced apart, its tokens
        at that price and the rest of the output at the other. Exact up to 12 places, then rounded half up. None where
        it has tokens of a kind that has no price.
        """
        context = tokens.input
        level = self._levels[0]
        for each in self._levels[1:]:
            if context > each.above:
                level = each
        cached, reasoning = tokens.cached_input, tokens.reasoning
        if level.cached_input is None:
            cached = 0
        if level.reasoning is None:
            reasoning = 0
        units = self._request
        # Whole numbers, because this is done for each call.
        for count, price in (
            (context - cached, level.input),
            (cached, level.cached_input),
            (max(0, tokens.output - reasoning), level.output),
            (reasoning, level.reasoning),
        ):
            if count:
                if price is None:
                    return None
                units += count * price
        return Decimal((units + _HALF) // _TO_PLACES).scaleb(-PLACES, context=EXACT)

    @cached_property
    def _levels(self) -> tuple[_Level, ...]:
        """Rising, the first from no tokens on."""
        kinds = (self.input, self.cached_input, self.output, self.reasoning)
        starts = {start for kind in kinds if kind is not None for start, _ in kind.tiers}
        return tuple(
            _Level(above, *(None if kind is None else _units(kind.at(above + 1)) for kind in kinds))
            for above in (-1, *sorted(starts))
        )

    @cached_property
    def _request(self) -> int:
        return _units(self.request) * _MILLION


def _units(price: Decimal) -> int:
    return int(to_places(price).scaleb(PLACES, context=EXACT))


class Listing(Protocol):
    """A model on a price list."""

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    def at(self, time: datetime) -> TokenPrices:
        """What was asked for it then."""
        ...


class ModelPrices(BaseModel):
    """What the operator says a model costs, per million tokens. Cached input tokens without a price cost as the others,
    reasoning tokens as the output that includes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Currency = "USD"
    input: NonNegativeAmount
    cached_input: NonNegativeAmount | None = None
    output: NonNegativeAmount
    reasoning: NonNegativeAmount | None = None

    @cached_property
    def token_prices(self) -> TokenPrices:
        return TokenPrices(
            currency=self.currency,
            input=TieredPrice(self.input),
            output=TieredPrice(self.output),
            cached_input=None if self.cached_input is None else TieredPrice(self.cached_input),
            reasoning=None if self.reasoning is None else TieredPrice(self.reasoning),
        )


@dataclass(frozen=True, slots=True)
class ModelName:
    """In lower case; without a provider, of whichever is known by the model's name."""

    provider: str | None
    model: str

    @classmethod
    def normalized(cls, provider: str | None, model: str) -> Self:
        return cls(provider.strip().lower() if provider is not None else None, model.strip().lower())

    @property
    def readable(self) -> str:
        return self.model if self.provider is None else f"{self.provider}/{self.model}"


Name = Annotated[
    str,
    StringConstraints(max_length=MAXIMUM_NAME, pattern=r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"),
    AfterValidator(str.lower),
]
"""Of a provider or model, in lower case."""


class PriceOverride(Entity):
    """What holds for a model instead of the price list, while it has prices: None ends it."""

    kind: ClassVar[str] = "llm_price"

    provider: str | None
    model: str
    prices: History[ModelPrices | None]

    @property
    def name(self) -> ModelName:
        return ModelName(self.provider, self.model)


def override_id(name: ModelName) -> str:
    return named_id("llp", name.provider or "", name.model)


def reported_model(data: Mapping[str, Any]) -> tuple[str | None, str]:
    """The provider and the model that an LLM call names."""
    provider, model = data.get("provider"), data.get("model")
    return provider if isinstance(provider, str) and provider else None, model if isinstance(model, str) else ""


def candidates(provider: str | None, model: str) -> tuple[ModelName, ...]:
    """What the model may be listed as, best first. A vendor's prefix in its name (`google/gemini-3-pro-preview`) is
    the provider, unless another is named: then it may be part of that one's name for the model.
    """
    if not model or len(model) > MAXIMUM_NAME or len(provider or "") > MAXIMUM_NAME:
        return ()
    vendor, slash, rest = model.partition("/")
    whole = ModelName.normalized(provider, model)
    if not (slash and vendor and rest):
        return (whole,)
    if provider is not None:
        return whole, ModelName.normalized(provider, rest)
    return ModelName.normalized(vendor, rest), whole


def unpriced_name(provider: str | None, model: str) -> str:
    """Under which calls of a model without a price are counted: short, and of letters that every total can keep."""
    name = f"{provider}/{model}" if provider is not None else model
    shown = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name[:_SHOWN])
    return shown or UNNAMED


_SHOWN = 100
