"""Billing models."""

from functions.pricing import billing_models

blueprints = (billing_models.blueprint,)
