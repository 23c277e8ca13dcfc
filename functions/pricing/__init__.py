"""Billing models, and what usage would cost under them."""

from functions.pricing import billing_models

blueprints = (billing_models.blueprint,)
