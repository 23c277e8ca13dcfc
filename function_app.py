"""The platform's entry: one app with every blueprint of `functions/`."""

import azure.functions as func

from functions import (
    accounts,
    agents,
    api_keys,
    billing_models,
    departments,
    events,
    exchange_rates,
    invoice_runs,
    invoices,
    llm_prices,
    operations,
    organizations,
    outbox,
    outcomes,
    parked_events,
    projects,
    rating,
    recorded_events,
    reported_events,
    runs,
    summaries,
    threads,
    usage,
    workflows,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for area in (
    accounts,
    agents,
    api_keys,
    billing_models,
    departments,
    events,
    exchange_rates,
    invoice_runs,
    invoices,
    llm_prices,
    operations,
    organizations,
    outbox,
    outcomes,
    parked_events,
    projects,
    rating,
    recorded_events,
    reported_events,
    runs,
    summaries,
    threads,
    usage,
    workflows,
):
    app.register_functions(area.blueprint)
