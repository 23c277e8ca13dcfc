"""The cost table: what actions of agents cost in credits."""

import azure.functions as func

from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditLimit
from shared.domain.credits.costs import DEFAULT_COST
from shared.domain.kernel.money import ExactDecimal
from shared.http import Call, NoBody, PathText, PathValues, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()


class ActionPath(PathValues):
    agent_type: PathText
    """Whose action it is."""
    action: PathText
    """What is done."""


class ActionCostRequest(Schema):
    cost: CreditLimit
    """Credits for doing it once, with at most 6 decimals."""


class ActionCostAnswer(Schema):
    agent_type: str
    """Whose action it is."""
    action: str
    """What is done."""
    cost: ExactDecimal
    """Credits for doing it once."""


class ActionCostTable(Schema):
    """What every action costs."""

    data: list[ActionCostAnswer]
    """By agent type and action."""
    default_cost: ExactDecimal
    """What an action costs that the table does not have."""


@endpoint(
    blueprint,
    "GET",
    "credits/costs",
    summary="What actions cost in credits",
    access=Permission.CREDITS_READ,
    answers={200: ActionCostTable},
)
async def get_action_costs(call: Call[NoBody]) -> Reply:
    costs = [ActionCostAnswer.model_validate(cost) for cost in await call.services.credits.action_costs.all()]
    return Reply(ActionCostTable(data=costs, default_cost=DEFAULT_COST))


@endpoint(
    blueprint,
    "PUT",
    "credits/costs/{agent_type}/{action}",
    summary="Set what an action costs from now on",
    access=Permission.CREDITS_WRITE,
    path_values=ActionPath,
    body=ActionCostRequest,
    answers={200: ActionCostAnswer},
    example={"cost": "2.5"},
)
async def put_action_cost(call: Call[ActionCostRequest, Query, ActionPath]) -> Reply:
    call.refuse_organization("the cost table is the operator's")
    stored = await call.services.credits.action_costs.put(
        call.path.agent_type, call.path.action, call.body.cost, call.if_match
    )
    return Reply(stored.entity, etag=stored.etag)
