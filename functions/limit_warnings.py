"""What an answer says of soft limits that were passed."""

from typing import Any, Literal

from shared.domain.kernel.money import ExactDecimal, plain
from shared.domain.tenancy.entitlements import PassedLimit
from shared.http import Call, Schema


class LimitWarning(Schema):
    """A soft limit of a plan that was passed. What was asked for is done all the same."""

    code: Literal["limit_exceeded"]
    """What the warning is about."""
    feature: str
    """What there is more of than the plan includes."""
    limit: ExactDecimal
    """How much the plan includes."""
    used: int
    """How much there is now."""
    detail: str
    """The same in words, for people."""

    @classmethod
    def of(cls, passed: PassedLimit) -> "LimitWarning":
        name, limit = passed.feature.replace("_", " "), plain(passed.limit)
        detail = f"The plan includes {limit} {name}, and there are {passed.used} now"
        return cls.showing(passed, code="limit_exceeded", detail=detail)


class WithLimitWarnings(Schema):
    warnings: list[LimitWarning]
    """Soft limits of the plan that were passed; empty where none was."""


async def limit_warnings(call: Call[Any, Any, Any], organization_id: str | None, feature: str) -> list[LimitWarning]:
    """Of a feature of which there is one more now; nothing for the operator's own things."""
    if organization_id is None:
        return []
    passed = await call.services.entitlements.passed(organization_id, feature)
    return [] if passed is None else [LimitWarning.of(passed)]


async def seat_warnings(call: Call[Any, Any, Any], organization_id: str) -> list[LimitWarning]:
    """Of the number of seats that was set last."""
    organization = await call.services.organizations.get(organization_id)
    passed = await call.services.entitlements.passed_by_seats(organization)
    return [] if passed is None else [LimitWarning.of(passed)]
