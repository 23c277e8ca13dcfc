"""Invoices, previews, invoice runs, summaries and estimates."""

from functions.billing import invoice_jobs, invoice_runs, invoices, summaries, workflow_estimates

blueprints = (
    invoice_jobs.blueprint,
    invoice_runs.blueprint,
    invoices.blueprint,
    summaries.blueprint,
    workflow_estimates.blueprint,
)
