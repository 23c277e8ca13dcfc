"""The operator's prices of LLM models."""

from typing import Annotated, ClassVar, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, WrapValidator, model_validator

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import Currency, NonNegativeAmount
from shared.domain.kernel.validation import Length, named_by_type, refusal
from shared.domain.kernel.value import Value
from shared.domain.provider_costs.model_names import ModelName

MAXIMUM_PRICES = 50
"""Prices of one model, and service tiers of it."""
MAXIMUM_PRICE_TIERS = 20

PriceKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
ServiceTier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]


class ModelPrices(Value):
    """The operator's prices of tokens, per million. All other tokens cost what those cost that include them."""

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


class RateTier(Value):
    """A price that holds above a number of input tokens."""

    start: Annotated[int, Field(strict=True, ge=0, lt=10**15)]
    """It holds for all units of a call with more input tokens than this."""
    price: NonNegativeAmount
    """Of the same number of units as the base."""


class TieredRate(Value):
    """A price that depends on the number of input tokens of the call."""

    base: NonNegativeAmount
    """Up to the first tier."""
    tiers: Annotated[tuple[RateTier, ...], Length(0, MAXIMUM_PRICE_TIERS)]
    """Rising."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for index in range(1, len(self.tiers)):
            if self.tiers[index].start <= self.tiers[index - 1].start:
                raise refusal((("tiers", index, "start"), "is not above the tier before it"))
        return self


def _is_tiered(rate: object) -> str:
    return "tiered" if isinstance(rate, dict | TieredRate) else "flat"


Rate = Annotated[
    Annotated[NonNegativeAmount, Tag("flat")] | Annotated[TieredRate, Tag("tiered")],
    Discriminator(_is_tiered),
    WrapValidator(named_by_type),
]
Rates = Annotated[dict[PriceKey, Rate], Length(0, MAXIMUM_PRICES)]
"""By the price list's key, which says of how many units it is the price: `input_mtok`, `web_searches_kcount`."""


class UnitPrices(Value):
    """The operator's prices in the notation of the price list. A unit without a price makes a call unpriced."""

    currency: Currency = "USD"
    """Of all prices here."""
    rates: Rates
    """By the price list's key; empty for a model that is free."""
    service_tiers: Annotated[dict[ServiceTier, Rates], Length(0, MAXIMUM_PRICES)] = {}
    """The prices that differ in a service tier, such as `batch`. A tier that is not here has no price."""


def _notation(prices: object) -> str:
    by_unit = isinstance(prices, UnitPrices) or (isinstance(prices, dict) and "rates" in prices)
    return "units" if by_unit else "tokens"


Prices = Annotated[
    Annotated[ModelPrices, Tag("tokens")] | Annotated[UnitPrices, Tag("units")],
    Discriminator(_notation),
    WrapValidator(named_by_type),
]
"""The operator's prices of a model, in either notation."""


class PriceOverride(Entity):
    """The operator's prices of a model, which replace those of the price list."""

    kind: ClassVar[str] = "llm_price"
    audit: ClassVar[Audit] = Audited(area="llm_prices")

    provider: str | None
    model: str
    prices: History[Prices | None]
    """None is from when on the price list holds again."""

    @property
    def name(self) -> ModelName:
        return ModelName(self.provider, self.model)


def override_id(name: ModelName) -> str:
    return named_id("llp", name.provider or "", name.model)
