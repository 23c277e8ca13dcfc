"""Prices of LLM calls at their providers, and exchange rates."""

from functions.provider_costs import (
    exchange_rates,
    llm_aliases,
    llm_calculations,
    llm_costs,
    llm_prices,
    llm_reconciliation,
)

blueprints = (
    exchange_rates.blueprint,
    llm_prices.blueprint,
    llm_aliases.blueprint,
    llm_calculations.blueprint,
    llm_costs.blueprint,
    llm_reconciliation.blueprint,
)
