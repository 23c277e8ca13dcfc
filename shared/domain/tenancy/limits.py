"""Limits of an organization: how much it may have, and how often it and its API keys may call."""

from collections.abc import Mapping
from typing import ClassVar

from shared.domain.kernel.audit import BOOKKEEPING, Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import LimitExceededError
from shared.domain.tenancy.entitlements import COUNT_OF_FEATURE, Entitlement

STORED_BYTES = "stored_bytes"
PROJECTS = "projects"
"""Counted for the limits of plans; there is no quota of it."""

DEFAULT_QUOTAS: Mapping[str, int] = {
    "agents": 10_000,
    "api_keys": 1_000,
    "threads": 1_000_000,
    "billing_models": 1_000,
    STORED_BYTES: 5 * 1024**3,
}
"""What an organization may have where the operator has set nothing else."""

QUOTA_OF_KIND: Mapping[str, str] = {
    "agent": "agents",
    "api_key": "api_keys",
    "thread": "threads",
    "billing_model": "billing_models",
}
"""Kind of a document -> the quota of how many there may be."""

COUNT_OF_KIND: Mapping[str, str] = {**QUOTA_OF_KIND, "project": PROJECTS}
"""Kind of a document -> the name under which those that are not deleted are counted."""

COUNTS = (*DEFAULT_QUOTAS, PROJECTS)
"""All that is counted."""

MEASURED_KINDS = frozenset({*QUOTA_OF_KIND, "billing_model_version", "project", "department"})
"""Kinds whose documents count for `stored_bytes`: all that people and programs write, but for what grows with usage."""


SMALL_CHANGE = 256
"""Bytes that a change may always add: what ends or archives a thing, for example, is never refused."""


class OrganizationLimits(Entity):
    """What the operator has set for an organization."""

    kind: ClassVar[str] = "limits"
    audit: ClassVar[Audit] = Audited(area="limits")
    id: str = "limits"
    quotas: dict[str, int] = {}
    """Only those that differ from `DEFAULT_QUOTAS`."""
    key_requests_per_minute: int | None = None
    """Of each API key; None for no limit."""
    requests_per_minute: int | None = None
    """Of all its API keys and members together; None for no limit."""

    def quota(self, name: str) -> int:
        return self.quotas.get(name, DEFAULT_QUOTAS[name])


class QuotaUse(Entity):
    """How much of each quota an organization uses, and how many things it has that plans limit."""

    kind: ClassVar[str] = "quota_use"
    audit: ClassVar[Audit] = BOOKKEEPING
    id: str = "quota_use"
    used: dict[str, int] = {}

    @property
    def is_complete(self) -> bool:
        """False for a counter of before there were projects in it."""
        return PROJECTS in self.used

    def of(self, name: str) -> int:
        return self.used.get(name, 0)

    def adding(self, added: Mapping[str, int], limits: OrganizationLimits, *, is_change: bool) -> "QuotaUse":
        """The use with something more, or less. Raises `LimitExceededError` for more than is allowed.

        Less is always allowed, also where there is still too much. `is_change`: of a thing that there is already, which
        may grow a little.
        """
        for name, amount in added.items():
            always_allowed = SMALL_CHANGE if is_change and name == STORED_BYTES else 0
            is_limited = name in DEFAULT_QUOTAS and amount > always_allowed
            if is_limited and self.of(name) + amount > limits.quota(name):
                raise LimitExceededError.of(name, limits.quota(name), self.of(name))
        return self.changed(used={name: max(0, self.of(name) + added.get(name, 0)) for name in COUNTS})

    def check_plan(self, added: Mapping[str, int], allowed: Mapping[str, Entitlement]) -> None:
        """Raises `LimitExceededError` for more of a feature than a plan's hard limit allows."""
        for feature, name in COUNT_OF_FEATURE.items():
            entitlement, amount = allowed.get(feature), added.get(name, 0)
            if entitlement is not None and amount > 0:
                entitlement.check_room(self.of(name), amount)
