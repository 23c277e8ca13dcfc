"""Billing models and plans, and what usage would cost under them."""

from functions.pricing import billing_models, plans

blueprints = (billing_models.blueprint, plans.blueprint)
