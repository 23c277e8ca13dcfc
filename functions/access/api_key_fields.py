"""What an API key says about how its reports are read: as requested, checked, and as answered."""

from typing import Annotated, Any

from pydantic import Field

from functions.fields import Reference
from shared.domain.access.api_keys import ApiKey
from shared.domain.access.reporting import MAXIMUM_AGENT_WAIT, Reporting, SubjectMeaning
from shared.domain.kernel.errors import FieldError, NotFoundError, ValidationError
from shared.http import Call, Schema

AgentWaitSeconds = Annotated[int, Field(ge=0, le=MAXIMUM_AGENT_WAIT, strict=True)]

_MODEL = "/make_agents/billing_model_id"


class AgentMakingFields(Schema):
    billing_model_id: Reference
    """The id of the billing model that the made agents get."""


class ReportingFields(Schema):
    """Fields of requests; a PATCH takes those that are sent."""

    default_agent: Reference | None = None
    """Id or external id of the agent of whatever names none. The organization must have it."""
    agent_wait_seconds: AgentWaitSeconds = Reporting().agent_wait_seconds
    """How many seconds a call waits for the span that names its agent."""
    make_agents: AgentMakingFields | None = None
    """Whether unknown agents are made when they are first named. Needs `agents:write`; null: they are not."""
    subject_is: SubjectMeaning = "agent"
    """What an OpenMeter `subject` names: an `agent`, an `organization` (operator's keys only), or the `default_agent`
    whatever it says.
    """


class ReportingAnswer(Schema):
    default_agent: str | None
    """The id of the agent of whatever names none."""
    agent_wait_seconds: int
    """How many seconds a call waits for the span that names its agent."""
    make_agents: AgentMakingFields | None
    """The billing model of agents that are made when they are first named; null where none are made."""
    subject_is: SubjectMeaning
    """What an OpenMeter `subject` names."""


def shown(key: ApiKey) -> dict[str, Any]:
    """The fields of `ReportingAnswer`."""
    return key.reporting.model_dump()


async def checked(call: Call[Any, Any, Any], owner: str | None, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request, as far as it has them, with the agent's id.

    Raises `ValidationError` for an agent or a billing model that the owner, None for the operator, does not have.
    """
    if (reference := fields.get("default_agent")) is not None and owner is not None:
        agent = await call.services.agents.named(owner, reference, "/default_agent")
        if agent.status == "deleted":
            raise ValidationError.at("/default_agent", "the agent has been deleted")
        fields = {**fields, "default_agent": agent.id}
    if (making := fields.get("make_agents")) is not None:
        await _check_model(call, owner, making["billing_model_id"])
    return fields


async def _check_model(call: Call[Any, Any, Any], owner: str | None, model_id: str) -> None:
    models = call.services.billing_models
    try:
        if owner is not None:
            await models.check_usable(owner, model_id)
        elif (await models.get(None, model_id)).entity.archived_at is not None:
            raise ValidationError.at(_MODEL, "the billing model is archived")
    except NotFoundError as error:
        raise ValidationError.at(_MODEL, "the operator has no such billing model") from error
    except ValidationError as error:
        raise ValidationError(
            error.detail, errors=tuple(FieldError(_MODEL, each.detail) for each in error.errors)
        ) from error
