"""Payments by a payment provider: customers, what can be bought, and webhooks."""

from functions.payments import credit_packages, customers, webhooks

blueprints = (credit_packages.blueprint, customers.blueprint, webhooks.blueprint)
