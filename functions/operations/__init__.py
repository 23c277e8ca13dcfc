"""Health and the description of the API."""

from functions.operations import operations

blueprints = (operations.blueprint,)
