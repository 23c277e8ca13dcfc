"""What an API key says about how its reports are read: as requested, checked, and as answered."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from functions.fields import Reference
from shared.domain.access.api_keys import ApiKey
from shared.domain.access.reporting import MAXIMUM_AGENT_WAIT, MAXIMUM_DESTINATIONS, Reporting, SubjectMeaning
from shared.domain.kernel.errors import FieldError, NotFoundError, ValidationError, XyraError
from shared.domain.kernel.validation import Length
from shared.http import Call, Schema

AgentWaitSeconds = Annotated[int, Field(ge=0, le=MAXIMUM_AGENT_WAIT, strict=True)]

_MODEL = "/make_agents/billing_model_id"


class AgentMakingFields(Schema):
    billing_model_id: Reference
    """The id of the billing model that the made agents get."""


class LiteLlmDestinationFields(Schema):
    """One entry: a team or a key of LiteLLM, and where its calls go."""

    team: Reference | None = None
    """The id or alias of LiteLLM's team."""
    key: Reference | None = None
    """In place of a team: the hash or alias of LiteLLM's key. It holds before the team of the key."""
    organization_id: Reference | None = None
    """The organization of the calls, by id, slug or external id; only for the operator's keys, which need it."""
    project_id: Reference | None = None
    """The project that the agents of the calls are in."""


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
    litellm_mapping: Annotated[list[LiteLlmDestinationFields], Length(0, MAXIMUM_DESTINATIONS)] = []
    """Teams and keys of LiteLLM whose calls go to an organization or a project; at most 200. A PATCH replaces all."""


class ReportingAnswer(Schema):
    default_agent: str | None
    """The id of the agent of whatever names none."""
    agent_wait_seconds: int
    """How many seconds a call waits for the span that names its agent."""
    make_agents: AgentMakingFields | None
    """The billing model of agents that are made when they are first named; null where none are made."""
    subject_is: SubjectMeaning
    """What an OpenMeter `subject` names."""
    litellm_mapping: list[LiteLlmDestinationFields]
    """Where the calls of LiteLLM's teams and keys go, with the organizations' ids."""


def shown(key: ApiKey) -> dict[str, Any]:
    """The fields of `ReportingAnswer`."""
    return key.reporting.model_dump()


async def checked(
    call: Call[Any, Any, Any], owner: str | None, fields: dict[str, Any], projects: Sequence[str] | None
) -> dict[str, Any]:
    """The fields of a request, as far as it has them, with the ids of the agent and of organizations.

    `projects` are those of the key. Raises `ValidationError` for an agent, a billing model, an organization or a
    project that the owner, None for the operator, does not have, or not there.
    """
    if (reference := fields.get("default_agent")) is not None and owner is not None:
        agent = await call.services.agents.named(owner, reference, "/default_agent")
        if agent.status == "deleted":
            raise ValidationError.at("/default_agent", "the agent has been deleted")
        if projects is not None and agent.project_id not in projects:
            raise ValidationError.at("/default_agent", "the agent is in none of the key's projects")
        fields = {**fields, "default_agent": agent.id}
    if (making := fields.get("make_agents")) is not None:
        await _check_model(call, owner, making["billing_model_id"])
    if mapping := fields.get("litellm_mapping"):
        found = [await _destination(call, owner, entry, index) for index, entry in enumerate(mapping)]
        fields = {**fields, "litellm_mapping": found}
    return fields


async def _destination(
    call: Call[Any, Any, Any], owner: str | None, entry: dict[str, Any], index: int
) -> dict[str, Any]:
    """The entry with its organization's id. Raises `ValidationError`."""
    pointer, organization_id = f"/litellm_mapping/{index}", owner
    if owner is None and (reference := entry.get("organization_id")) is not None:
        try:
            organization_id = await call.organization_id(reference)
        except XyraError as error:
            raise ValidationError.at(f"{pointer}/organization_id", error.detail) from error
        entry = {**entry, "organization_id": organization_id}
    if organization_id is not None:
        targets = call.services.allocation_targets
        await targets.check_project(organization_id, entry.get("project_id"), f"{pointer}/project_id")
    return entry


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
