"""Subscriptions, invoices, payments, the jobs that make them, and what agents cost and earn."""

from functions.billing import (
    agent_summaries,
    credit_notes,
    document_files,
    entitlements,
    group_summaries,
    invoice_jobs,
    invoice_links,
    invoice_runs,
    invoices,
    manual_invoices,
    operator_profile,
    payments,
    subscription_changes,
    subscriptions,
    taxes,
    workflow_estimates,
)

blueprints = (
    agent_summaries.blueprint,
    credit_notes.blueprint,
    document_files.blueprint,
    entitlements.blueprint,
    group_summaries.blueprint,
    invoice_jobs.blueprint,
    invoice_links.blueprint,
    invoice_runs.blueprint,
    invoices.blueprint,
    manual_invoices.blueprint,
    operator_profile.blueprint,
    payments.blueprint,
    subscription_changes.blueprint,
    subscriptions.blueprint,
    taxes.blueprint,
    workflow_estimates.blueprint,
)
