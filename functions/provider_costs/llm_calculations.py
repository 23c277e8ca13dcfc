"""What an LLM call costs at its provider, calculated without reporting it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import ConfigDict, Field

from functions.fields import LlmUsage
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.money import EXACT, ZERO, Currency, ExactDecimal, ReportedAmount, total, truncate
from shared.domain.provider_costs.costs import CostTerms, PricedCall
from shared.domain.provider_costs.exchange_rates import ExchangeRates, NoExchangeRateError
from shared.domain.provider_costs.findings import Finding, Unpriced
from shared.domain.provider_costs.llm_calls import STANDARD_PRICE, has_terms
from shared.domain.provider_costs.model_names import MAXIMUM_NAME
from shared.domain.provider_costs.price_lookup import CostSource
from shared.domain.provider_costs.priced_models import PriceStep
from shared.domain.provider_costs.usage_counts import INPUT
from shared.http import Call, Reply, Schema, ZonedTime, endpoint

blueprint = func.Blueprint()

_PRICE_FIELDS = {
    "input": "input_tokens",
    "cached_input": "cache_read_tokens",
    "output": "output_tokens",
    "reasoning": "output_reasoning_tokens",
}


class CalculateLlmCallRequest(LlmUsage):
    """The data of an LLM call as its event would report them, with a time.

    All names of an event's data are taken: ours, those of providers and SDKs, and `usage`.
    """

    model_config = ConfigDict(extra="allow")

    provider: Annotated[str, Field(max_length=MAXIMUM_NAME)] | None = None
    """As the event would name it."""
    model: Annotated[str, Field(max_length=MAXIMUM_NAME)]
    """As the event would name it."""
    time: ZonedTime | None = None
    """When the call happens; by default now."""
    currency: Currency | None = None
    """The currency of the cost; by default that of the prices. Another one needs an exchange rate."""
    cost: ReportedAmount | None = None
    """What the sender thinks, in `currency`; shown beside the cost."""

    @property
    def data(self) -> dict[str, Any]:
        """As the event would have them."""
        return self.model_dump(exclude={"time", "currency"}, exclude_none=True)


class CalculatedPrices(Schema):
    """Prices per million tokens, for the size of this call's context."""

    currency: str
    """Of these prices and of the steps."""
    input: ExactDecimal | None
    """Null where input has no price."""
    cached_input: ExactDecimal | None
    """Null where cached input has no price of its own."""
    output: ExactDecimal | None
    """Null where output has no price."""
    reasoning: ExactDecimal | None
    """Null where reasoning has no price of its own."""
    request: ExactDecimal
    """The price of each call, in addition to its units."""

    @classmethod
    def of(cls, currency: str, rates: Mapping[str, Decimal]) -> Self:
        request = EXACT.divide(rates.get("requests", ZERO), Decimal(1000))
        return cls(
            currency=currency,
            request=request,
            **{field: rates.get(unit) for field, unit in _PRICE_FIELDS.items()},
        )


class CalculationStep(Schema):
    """What one unit of the call costs. The steps add up to the cost in the currency of the prices."""

    unit: str
    """By the price list's name, such as `input_tokens`."""
    quantity: ExactDecimal
    """Without what is inside it and has a price of its own."""
    unit_amount: ExactDecimal
    """The price of `per` of them."""
    per: int
    """How many units the price is of."""
    amount: ExactDecimal
    """What they cost."""


class CalculationWarning(Schema):
    """What the sender of such an event would be told."""

    code: str
    """`unpriced`, `no_count`, `unknown_count`, `total_mismatch` or `standard_price`."""
    detail: str
    """What is missing, or did not count."""


class CalculatedLlmCall(Schema):
    cost: ExactDecimal | None
    """Null for a call without a price; the warnings say why."""
    currency: str | None
    """The currency of the cost."""
    cost_source: CostSource | None
    """Whose price it is: `list`, `override`, or `reported` for the sender's figure."""
    priced_by: str | None
    """The `provider/model` whose prices were used."""
    overridden: bool
    """Whether the prices are the operator's own."""
    free: bool
    """Whether the model costs nothing."""
    list_version: str | None
    """Which price list it was."""
    reported_cost: ExactDecimal | None
    """What the sender thinks."""
    cost_difference: ExactDecimal | None
    """`cost` minus `reported_cost`, where the cost is not the reported one."""
    byok: bool
    """Whether it is the customer's own key that pays, and not the operator."""
    units: dict[str, ExactDecimal]
    """What was counted, by the price list's names; what is inside a unit is counted in it, too."""
    prices: CalculatedPrices | None
    """The prices of text that the cost is calculated from."""
    steps: list[CalculationStep]
    """How the cost comes about."""
    warnings: list[CalculationWarning]


@endpoint(
    blueprint,
    "POST",
    "llm-prices/calculate",
    summary="Calculate what an LLM call costs at its provider",
    access=Permission.PRICES_READ,
    body=CalculateLlmCallRequest,
    answers={200: CalculatedLlmCall},
    idempotent=False,
    example={"model": "google/gemini-3-pro-preview", "input_tokens": 1200, "output_tokens": 90},
)
async def calculate_llm_call(call: Call[CalculateLlmCallRequest]) -> Reply:
    asked = call.body
    terms = await _terms(call)
    read = call.services.llm_calls.read(asked.data)
    if read.errors:
        raise _in_body(read.errors)
    at = asked.time or call.now
    rules = await call.services.costs.recent()
    priced = rules.priced(read.data, at, terms, await call.organization_id_or_operator())
    findings = [*read.findings, *_findings(read.data, priced, terms)]
    return Reply(
        {
            **_NO_COST,
            **_reported(asked, priced, is_reported=terms.is_reported(read.data)),
            **_calculated(asked, priced, at, rules.rates),
            "byok": terms.is_byok(read.data),
            "units": {unit: Decimal(count) for unit, count in priced.counts.counts.items()},
            "warnings": [{"code": finding.code, "detail": finding.detail} for finding in findings],
        }
    )


_NO_COST: Mapping[str, Any] = {
    "cost": None,
    "currency": None,
    "cost_source": None,
    "priced_by": None,
    "overridden": False,
    "free": False,
    "list_version": None,
    "reported_cost": None,
    "cost_difference": None,
    "prices": None,
    "steps": [],
}


async def _terms(call: Call[CalculateLlmCallRequest]) -> CostTerms:
    """What the word of this credential would count for in an event."""
    if call.principal.is_operator:
        return CostTerms()
    allowed = (await call.organization()).settings
    return CostTerms(allowed.reported_llm_costs, allowed.reported_llm_terms)


def _findings(data: Mapping[str, Any], priced: PricedCall, terms: CostTerms) -> Iterator[Finding]:
    if not terms.takes_terms and has_terms(data):
        yield STANDARD_PRICE
    if isinstance(priced.cost, Unpriced) and terms.needs_price(data):
        yield priced.cost.finding


def _reported(asked: CalculateLlmCallRequest, priced: PricedCall, *, is_reported: bool) -> dict[str, Any]:
    if not is_reported or not isinstance(priced.cost, Unpriced):
        return {"reported_cost": asked.cost}
    return {"reported_cost": asked.cost, "cost": asked.cost, "currency": asked.currency, "cost_source": "reported"}


def _calculated(
    asked: CalculateLlmCallRequest, priced: PricedCall, at: datetime, exchange_rates: ExchangeRates
) -> dict[str, Any]:
    """Empty for a call without a price. Raises `ValidationError` where there is no exchange rate."""
    if priced.prices is None or isinstance(priced.cost, Unpriced):
        return {}
    model, counts, tier = priced.prices.model, priced.counts.counts, priced.tier
    currency = asked.currency or model.currency
    try:
        cost = exchange_rates.convert(priced.cost, model.currency, currency, at)
    except NoExchangeRateError as error:
        raise ValidationError.at("/currency", error.detail) from error
    return {
        "cost": cost,
        "currency": currency,
        "cost_source": priced.prices.source,
        "priced_by": model.name,
        "overridden": priced.prices.source == "override",
        "free": model.is_free(tier, at),
        "list_version": priced.prices.list_version,
        "cost_difference": None if asked.cost is None else EXACT.subtract(cost, asked.cost),
        "prices": CalculatedPrices.of(model.currency, model.rates(counts.get(INPUT, 0), tier, at)),
        "steps": _steps(model.steps(counts, tier, at), priced.cost),
    }


def _steps(steps: Sequence[PriceStep], cost: Decimal) -> list[dict[str, Any]]:
    """The steps, cut to 12 places; the last one takes what is missing to the cost."""
    amounts = [truncate(Fraction(step.amount)) for step in steps]
    if amounts:
        amounts[-1] = EXACT.subtract(cost, total(amounts[:-1]))
    return [
        {
            "unit": step.unit,
            "quantity": step.quantity,
            "unit_amount": step.unit_amount,
            "per": step.per,
            "amount": amount,
        }
        for step, amount in zip(steps, amounts, strict=True)
    ]


def _in_body(errors: Sequence[FieldError]) -> ValidationError:
    in_body = tuple(FieldError(error.pointer.removeprefix("/data"), error.detail) for error in errors)
    return ValidationError(f"{in_body[0].pointer}: {in_body[0].detail}", errors=in_body)
