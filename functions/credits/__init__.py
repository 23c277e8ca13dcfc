"""Prepaid credits: grants, uses, holds, balances and what proves them."""

from functions.credits import (
    action_costs,
    alerts,
    balances,
    budgets,
    department_limits,
    grants,
    holds,
    leases,
    paid_usage,
    top_ups,
    transactions,
    usage,
    uses,
    verifications,
)

blueprints = (
    grants.blueprint,
    uses.blueprint,
    holds.blueprint,
    leases.blueprint,
    balances.blueprint,
    budgets.blueprint,
    alerts.blueprint,
    department_limits.blueprint,
    transactions.blueprint,
    usage.blueprint,
    paid_usage.blueprint,
    top_ups.blueprint,
    action_costs.blueprint,
    verifications.blueprint,
)
