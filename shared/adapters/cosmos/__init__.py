"""The document store in Azure Cosmos DB for NoSQL."""

from shared.adapters.cosmos.account import CosmosAccount
from shared.adapters.cosmos.request_charges import RequestCharges
from shared.adapters.cosmos.requests import RetryLimits
from shared.adapters.cosmos.store import CosmosStore

__all__ = ["CosmosAccount", "CosmosStore", "RequestCharges", "RetryLimits"]
