"""The platform's entry: one app with the blueprints of every area of `functions/`."""

import gc

import azure.functions as func

from functions import (
    access,
    agents,
    billing,
    credits,  # noqa: A004  the area's name
    ingestion,
    operations,
    payments,
    pricing,
    provider_costs,
    runs,
    storage,
    tenancy,
    usage,
)

AREAS = (
    *(access, agents, billing, credits, ingestion, operations),
    *(payments, pricing, provider_costs, runs, storage, tenancy, usage),
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for area in AREAS:
    for blueprint in area.blueprints:
        app.register_functions(blueprint)

# What has been loaded stays. Unfrozen, every full collection goes through it again. Nothing else runs during a
# collection: one in ten thousand objects, or in a few times as many, takes up to 9 ms, which all requests wait for.
# Each object is gone through as often by small collections as by large ones, and fully collected after as many.
# Full collections are rare, so what fails must leave no cycles behind (tests/unit/operations/test_released_errors.py).
gc.freeze()
gc.set_threshold(2_000, 2, 2_500)
