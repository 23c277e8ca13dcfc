"""Invoices, previews, summaries and invoice runs."""

from functions.billing import invoice_runs, invoices, summaries, workflow_estimates

blueprints = (invoice_runs.blueprint, invoices.blueprint, summaries.blueprint, workflow_estimates.blueprint)
