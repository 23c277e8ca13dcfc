"""Reports what AI agents do to Xyra, and spends credits."""

from xyra.budgets import Budget
from xyra.call_costs import MaximumCost
from xyra.client import AsyncClient, Client
from xyra.connection import etag_of
from xyra.default import agent, budget, client, flush, init, instrument, max_cost, run, stats, track, wrap
from xyra.errors import (
    ApiError,
    BudgetExceeded,
    Conflict,
    Forbidden,
    InsufficientCredits,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unreachable,
    XyraError,
)
from xyra.leases import Lease
from xyra.scope import Run, carried
from xyra.spending import Agent, consume_credits, require_credits, track_usage
from xyra.spool import Refused
from xyra.version import __version__

__all__ = [
    "Agent",
    "ApiError",
    "AsyncClient",
    "Budget",
    "BudgetExceeded",
    "Client",
    "Conflict",
    "Forbidden",
    "InsufficientCredits",
    "InvalidRequest",
    "Lease",
    "LimitExceeded",
    "MaximumCost",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Refused",
    "Run",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "XyraError",
    "__version__",
    "agent",
    "budget",
    "carried",
    "client",
    "consume_credits",
    "etag_of",
    "flush",
    "init",
    "instrument",
    "max_cost",
    "require_credits",
    "run",
    "stats",
    "track",
    "track_usage",
    "wrap",
]
