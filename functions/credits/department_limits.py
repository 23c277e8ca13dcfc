"""Limits of what departments spend."""

import azure.functions as func

from functions.fields import DepartmentPath
from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditLimit
from shared.domain.kernel.money import ExactDecimal
from shared.http import Call, NoBody, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()


class DepartmentLimitsRequest(Schema):
    """Replaces both limits. They hold from now on, for credits of the kind `default`."""

    daily: CreditLimit | None = None
    """The most that may be spent and held in a day of the organization's timezone; null for no limit."""
    monthly: CreditLimit | None = None
    """The same for a calendar month."""


class DepartmentLimitAnswer(Schema):
    limit: ExactDecimal | None
    """Null for no limit."""
    spent: ExactDecimal
    """What was spent and is held in the present day or month."""


class DepartmentLimitsAnswer(Schema):
    department_id: str
    """Whose limits they are."""
    daily: DepartmentLimitAnswer
    """Of the day."""
    monthly: DepartmentLimitAnswer
    """Of the calendar month."""


@endpoint(
    blueprint,
    "GET",
    "credits/departments/{department_id}/limits",
    summary="The daily and monthly limits of a department, and what it has spent",
    access=Permission.CREDITS_READ,
    path_values=DepartmentPath,
    answers={200: DepartmentLimitsAnswer},
)
async def get_department_limits(call: Call[NoBody, Query, DepartmentPath]) -> Reply:
    owner = await call.organization_id_of(call.path.department_id)
    limits = await call.services.credits.department_limits.of(owner, call.path.department_id)
    return Reply(limits, etag=limits.etag)


@endpoint(
    blueprint,
    "PUT",
    "credits/departments/{department_id}/limits",
    summary="Set the daily and monthly limits of a department",
    access=Permission.BUDGETS_WRITE,
    path_values=DepartmentPath,
    body=DepartmentLimitsRequest,
    answers={200: DepartmentLimitsAnswer},
    example={"daily": "50", "monthly": "1000"},
)
async def put_department_limits(call: Call[DepartmentLimitsRequest, Query, DepartmentPath]) -> Reply:
    owner = await call.organization_id_of(call.path.department_id)
    limits = await call.services.credits.department_limits.put(
        owner, call.path.department_id, call.body.daily, call.body.monthly, call.if_match
    )
    return Reply(limits, etag=limits.etag)
