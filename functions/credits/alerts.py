"""Alerts of balances and budgets."""

from datetime import datetime

import azure.functions as func

from functions.fields import BudgetUnit, Listed
from shared.domain.access.identity import Permission
from shared.domain.credits.alert import AlertType
from shared.domain.credits.counters import Scope
from shared.domain.kernel.money import ExactDecimal
from shared.http import Call, ListQuery, NoBody, Reply, Schema, endpoint

blueprint = func.Blueprint()


class AlertAnswer(Schema):
    id: str
    type: AlertType
    """What happened: a low balance, a reached share of a budget, a budget that will not last, or unusual spending."""
    time: datetime
    """When."""
    kind: str
    """The kind of credits."""
    used: ExactDecimal
    """What was used by then; of a balance what was available, of a forecast what the window comes to."""
    threshold: ExactDecimal
    """What was crossed: the amount of the balance, the limit of the budget, or the mean of the days before."""
    unit: BudgetUnit
    """Of both amounts."""
    share: ExactDecimal | None
    """Percent of the limit that were reached; of a `budget_share` only."""
    budget_id: str | None
    """Of the budget."""
    scope: Scope | None
    """What kind of thing spends."""
    ref: str | None
    """Which thing spends."""
    window_start: datetime | None
    """When the window began; null for `once`."""
    window_end: datetime | None
    """When it ends; null for `once`."""


@endpoint(
    blueprint,
    "GET",
    "credits/alerts",
    summary="Alerts of balances and budgets, newest first",
    access=Permission.CREDITS_READ,
    query=ListQuery,
    answers={200: Listed[AlertAnswer]},
)
async def list_credit_alerts(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.credits.alerts.page(await call.organization_id(), call.query.limit, call.query.cursor)
    data = [AlertAnswer.showing(alert, kind=alert.credit_kind, ref=alert.reference) for alert in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))
