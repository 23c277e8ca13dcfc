"""The platform's entry: one app with every blueprint of `functions/`."""

import azure.functions as func

from functions import (
    accounts,
    agents,
    api_keys,
    billing_models,
    events,
    invoice_runs,
    invoices,
    operations,
    organizations,
    outbox,
    rating,
    usage,
    workflows,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for area in (
    accounts,
    agents,
    api_keys,
    billing_models,
    events,
    invoice_runs,
    invoices,
    operations,
    organizations,
    outbox,
    rating,
    usage,
    workflows,
):
    app.register_functions(area.blueprint)
