"""Prepaid credits: grants, uses, holds, balances and what proves them."""

from functions.credits import (
    action_costs,
    balances,
    department_limits,
    grants,
    holds,
    transactions,
    usage,
    uses,
    verifications,
)

blueprints = (
    grants.blueprint,
    uses.blueprint,
    holds.blueprint,
    balances.blueprint,
    department_limits.blueprint,
    transactions.blueprint,
    usage.blueprint,
    action_costs.blueprint,
    verifications.blueprint,
)
