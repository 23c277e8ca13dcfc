"""The operator's prices in the form in which the package computes."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from shared.adapters.price_list.priced_models import PackageModel
from shared.adapters.price_list.units import including, registry, units_by_price_key
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.money import truncate
from shared.domain.kernel.validation import pointer
from shared.domain.provider_costs.llm_prices import ModelPrices, Prices, RateTier, TieredRate, UnitPrices
from shared.domain.provider_costs.service_tiers import price_context

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, ModelPrice, TieredPrices

_PRICE_KEYS: Mapping[str, str] = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
}
"""By field of the operator's prices of tokens."""
_INCLUDING: Mapping[str, str] = {
    "input_mtok": "input_mtok",
    "cache_read_mtok": "input_mtok",
    "output_mtok": "output_mtok",
    "output_reasoning_mtok": "output_mtok",
}
"""Whose tiers hold where the list has no price of a unit."""


def operators_model(name: str, provider: str, prices: Prices, listed: PackageModel | None) -> PackageModel:
    """A model at the operator's prices.

    Prices of tokens only are lenient: units that they do not name cost what the including unit costs. Where the list
    has tiers for the model, they keep them.
    """
    from genai_prices.types import ClauseEquals, ModelInfo, PriceVariant, Provider  # noqa: PLC0415  where it is needed

    model = ModelInfo(id=name, match=ClauseEquals(equals=name))
    if isinstance(prices, UnitPrices):
        model.prices = _model_price(prices.rates)
        model.price_variants = [
            PriceVariant(when=dict(price_context(provider, tier)), prices=_model_price(rates))
            for tier, rates in prices.service_tiers.items()
        ]
    else:
        model.prices = _with_listed_tiers(prices, listed)
    owner = Provider(id=provider, name=provider, api_pattern="", models=[model])
    is_lenient = isinstance(prices, ModelPrices)
    return PackageModel(name, owner, model, currency=prices.currency, is_lenient=is_lenient)


def _with_listed_tiers(prices: ModelPrices, listed: PackageModel | None) -> "ModelPrice | list[ConditionalPrice]":
    """The prices with the tiers that the list has for this model.

    In each tier they are raised in the ratio in which the list raises its own price.
    """
    from genai_prices.types import ConditionalPrice  # noqa: PLC0415  where it is needed

    rates = {key: rate for field, key in _PRICE_KEYS.items() if (rate := getattr(prices, field)) is not None}
    if listed is None:
        return _model_price(rates)
    return [
        ConditionalPrice(
            each.constraint,
            prices=_model_price({key: _tiered_as_listed(key, rate, each.prices) for key, rate in rates.items()}),
        )
        for each in listed.conditional_prices
    ]


def _tiered_as_listed(key: str, rate: Decimal, listed: "ModelPrice") -> Decimal | TieredRate:
    own = vars(listed).get(key) or vars(listed).get(_INCLUDING[key])
    if own is None or isinstance(own, Decimal) or not own.base:
        return rate
    return TieredRate(
        base=rate,
        tiers=tuple(RateTier(start=tier.start, price=_in_ratio(rate, tier.price, own.base)) for tier in own.tiers),
    )


def _in_ratio(rate: Decimal, raised: Decimal, base: Decimal) -> Decimal:
    """Truncated to 12 places."""
    return truncate(Fraction(rate) * Fraction(raised) / Fraction(base))


def check_prices(prices: Prices) -> None:
    """Raises `ValidationError` for unknown units, and for a unit whose including units have no price."""
    if not isinstance(prices, UnitPrices):
        return
    errors = list(_errors("rates", prices.rates, prices.rates))
    for tier, rates in prices.service_tiers.items():
        errors += _errors(f"service_tiers/{tier}", rates, {**prices.rates, **rates})
    if errors:
        raise ValidationError("The prices are not complete", errors=tuple(errors))


def _errors(
    field: str, rates: Mapping[str, Decimal | TieredRate], in_force: Mapping[str, Decimal | TieredRate]
) -> list[FieldError]:
    prefix = ("prices", *field.split("/"))
    units = units_by_price_key()
    unknown = [key for key in rates if key not in units]
    if unknown:
        return [
            FieldError(pointer((*prefix, key)), "is no price of the price list, such as input_mtok") for key in unknown
        ]
    errors = []
    for key in rates:
        missing = sorted(
            registry().units[name].price_key
            for name in including(units[key].usage_key)
            if registry().units[name].price_key not in in_force
        )
        if missing:
            errors.append(FieldError(pointer((*prefix, key)), f"needs {missing[0]} beside it, which includes it"))
    return errors or _errors_in_joins(prefix, in_force)


def _errors_in_joins(prefix: tuple[str, ...], rates: Mapping[str, Decimal | TieredRate]) -> list[FieldError]:
    units = units_by_price_key()
    ordered = sorted(rates)
    for index, key in enumerate(ordered):
        for other in ordered[index + 1 :]:
            join = registry().find_join(units[key], units[other])
            if join is not None and join.price_key not in rates:
                return [
                    FieldError(pointer(prefix), f"has {key} and {other}, so it needs {join.price_key}, which is both")
                ]
    return []


def _model_price(rates: Mapping[str, Decimal | TieredRate]) -> "ModelPrice":
    from genai_prices.types import ModelPrice  # noqa: PLC0415  where it is needed

    return ModelPrice(**{key: _price(rate) for key, rate in rates.items()})


def _price(rate: Decimal | TieredRate) -> "Decimal | TieredPrices":
    from genai_prices.types import Tier, TieredPrices  # noqa: PLC0415  where it is needed

    if isinstance(rate, Decimal):
        return rate
    return TieredPrices(base=rate.base, tiers=[Tier(start=tier.start, price=tier.price) for tier in rate.tiers])
