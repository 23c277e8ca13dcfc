"""Subscriptions, invoices, payments, the jobs that make them, and what agents cost and earn."""

from functions.billing import (
    agent_summaries,
    credit_notes,
    entitlements,
    group_summaries,
    invoice_jobs,
    invoice_runs,
    invoices,
    manual_invoices,
    payments,
    subscription_changes,
    subscriptions,
    taxes,
    workflow_estimates,
)

blueprints = (
    agent_summaries.blueprint,
    credit_notes.blueprint,
    entitlements.blueprint,
    group_summaries.blueprint,
    invoice_jobs.blueprint,
    invoice_runs.blueprint,
    invoices.blueprint,
    manual_invoices.blueprint,
    payments.blueprint,
    subscription_changes.blueprint,
    subscriptions.blueprint,
    taxes.blueprint,
    workflow_estimates.blueprint,
)
