"""LLM costs by model: beside what was reported, and what customers' own keys paid."""

import azure.functions as func
from pydantic import Field

from functions.fields import Listed
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal
from shared.http import Call, ListQuery, NoBody, Projects, Reply, Schema, endpoint, window

blueprint = func.Blueprint()


class LlmCostsQuery(ListQuery):
    period: str | None = Field(default=None, max_length=7)
    """A month such as 2026-10; by default the open period."""


class LlmModelCostsAnswer(Schema):
    """Calls of a model whose cost was reported, and those with a customer's own key."""

    model: str
    """The `provider/model` whose price was applied; `*` stands for all beyond the 50 that are counted one by one."""
    calls: int
    """Those with a cost of ours and a reported one."""
    cost: ExactDecimal
    """What they cost by our prices, in the organization's currency."""
    reported_cost: ExactDecimal
    """What their senders say they cost."""
    difference: ExactDecimal
    """`cost` minus `reported_cost`: what grows here is a price that is wrong."""
    byok_calls: int
    """Calls with a customer's own key."""
    byok_cost: ExactDecimal
    """What the customer paid for those; no cost of the operator's."""


@endpoint(
    blueprint,
    "GET",
    "llm-costs",
    summary="LLM costs by model: beside what was reported, and what customers' own keys paid",
    access=Permission.USAGE_READ,
    projects=Projects.REFUSED,
    query=LlmCostsQuery,
    answers={200: Listed[LlmModelCostsAnswer]},
)
async def list_llm_costs(call: Call[NoBody, LlmCostsQuery]) -> Reply:
    organization = await call.organization()
    period = await call.services.periods.of_month(organization, call.query.period, call.now)
    costs = await call.services.llm_costs.of(organization, period)
    shown, next_cursor = window(len(costs), call.query.limit, call.query.cursor)
    return Reply(Listed(data=costs[shown], next_cursor=next_cursor))
