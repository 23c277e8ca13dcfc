"""The operator's prices in the form in which the package computes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from shared.adapters.price_list.priced_models import PackageModel
from shared.adapters.price_list.units import including, registry
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.validation import pointer
from shared.domain.provider_costs.llm_prices import ModelPrices, Prices, TieredRate, UnitPrices
from shared.domain.provider_costs.service_tiers import price_context

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

_PRICE_KEYS: Mapping[str, str] = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "output": "output_mtok",
    "reasoning": "output_reasoning_mtok",
}
"""By field of the operator's prices of tokens."""


def operators_model(name: str, provider: str, prices: Prices) -> PackageModel:
    """A model at the operator's prices.

    Prices of tokens only are lenient: units that they do not name cost what the including unit costs.
    """
    from genai_prices.types import ClauseEquals, ModelInfo, PriceVariant, Provider  # noqa: PLC0415  where it is needed

    is_lenient = isinstance(prices, ModelPrices)
    variants = []
    if isinstance(prices, UnitPrices):
        variants = [
            PriceVariant(when=dict(price_context(provider, tier)), prices=_model_price(rates))
            for tier, rates in prices.service_tiers.items()
        ]
    model = ModelInfo(
        id=name,
        match=ClauseEquals(equals=name),
        prices=_model_price(rates_of(prices)),
        price_variants=variants,
    )
    owner = Provider(id=provider, name=provider, api_pattern="", models=[model])
    return PackageModel(name, owner, model, currency=prices.currency, is_lenient=is_lenient)


def rates_of(prices: Prices) -> Mapping[str, Decimal | TieredRate]:
    """By price key."""
    if isinstance(prices, UnitPrices):
        return prices.rates
    rates = {key: getattr(prices, field) for field, key in _PRICE_KEYS.items()}
    return {key: rate for key, rate in rates.items() if rate is not None}


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
    units = {unit.price_key: unit for unit in registry().units.values()}
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
    units = {unit.price_key: unit for unit in registry().units.values()}
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
