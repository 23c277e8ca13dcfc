"""Health, and the documentation of the API."""

from functions.operations import operations, unknown_routes

blueprints = (operations.blueprint, unknown_routes.blueprint)
