"""Agents: what acts and is billed."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import BeforeValidator, Field, StringConstraints

from functions.fields import AgentPath, Listed, Name, ObjectPatch, Reference, Text
from functions.limit_warnings import WithLimitWarnings, limit_warnings
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import LimitExceededError
from shared.domain.kernel.validation import Length
from shared.domain.tenancy.agents import Agent
from shared.http import (
    Call,
    ListQuery,
    MergePatch,
    NoBody,
    PathText,
    PathValues,
    Projects,
    Query,
    Reply,
    Schema,
    VerbatimObject,
    ZonedTime,
    endpoint,
)
from shared.services.agents.agents import AgentDraft
from shared.services.storage.caller_json import text_of_object

blueprint = func.Blueprint()

Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Labels = Annotated[tuple[Label, ...], Length(0, 50)]


Config = Annotated[
    str,
    BeforeValidator(text_of_object, json_schema_input_type=dict[str, Any]),
    Field(json_schema_extra={"default": {}}),
]
"""An object of any shape, carried as its text."""


class ExternalIdPath(PathValues):
    external_id: PathText
    """The caller's own id of the agent."""


class AgentRequest(Schema):
    external_id: Reference
    """The caller's own id, unique in the organization. Events may name the agent by it."""
    name: Name
    organization_id: Reference | None = None
    """The organization's id, slug or external id. Only operators need it."""
    description: Text | None = None
    type: Label | None = None
    """A label of the caller's."""
    capabilities: Labels = ()
    """Labels of the caller's."""
    config: Config = "{}"
    """Data of the caller's own: an object of at most 16 KiB."""
    project_id: Reference | None = None
    department_id: Reference | None = None
    billing_model_id: Reference | None = None
    """The billing model that prices it. Without one its usage is metered, but not billed."""
    billing_model_from: ZonedTime | None = None
    """When the billing model takes effect; may be in the past. By default now."""


class AgentPatch(MergePatch):
    """JSON Merge Patch."""

    external_id: Reference = "-"
    """The caller's own id, unique in the organization."""
    name: Name = "-"
    description: Text | None = None
    type: Label | None = None
    """A label of the caller's."""
    capabilities: Labels = ()
    """Labels of the caller's."""
    config: ObjectPatch = None
    """Merged into what is there."""
    project_id: Reference | None = None
    department_id: Reference | None = None
    billing_model_id: Reference | None = None
    """The billing model that prices it from `billing_model_from` on, in place of one that has not begun.

    The one in force withdraws what has not begun. Null ends pricing: usage is no longer billed.
    """
    billing_model_from: ZonedTime | None = None
    """When the billing model takes effect: in 10 minutes (the default) or later."""
    is_active: bool = True
    """Whether the agent is in use. Events of inactive agents are accepted all the same."""


class AgentListQuery(ListQuery):
    external_id: Reference | None = None
    """Only the agent with this external id. Unlike in a path, it may contain any character."""
    project_id: Reference | None = None
    """Only agents of this project."""
    department_id: Reference | None = None
    """Only agents of this department."""
    active: bool | None = None
    """Only active agents, or only inactive ones."""


class AgentAnswer(Schema):
    id: str
    organization_id: str
    external_id: str
    """The caller's own id, unique in the organization."""
    name: str
    description: str | None
    type: str | None
    """A label of the caller's."""
    capabilities: list[str]
    """Labels of the caller's."""
    config: VerbatimObject
    """Data of the caller's own."""
    project_id: str | None
    department_id: str | None
    billing_model_id: str | None
    """The billing model that was chosen last; null where its usage is not billed."""
    billing_model_from: datetime | None
    """When that takes effect, also where it ends billing; null where the agent never had a billing model."""
    status: str
    is_active: bool
    """Whether the status is `active`."""
    last_active_at: datetime | None
    """When its latest event was reported."""
    created_at: datetime


class CreatedAgentAnswer(AgentAnswer, WithLimitWarnings):
    pass


async def _reply(call: Call[Any, Any, Any], agent: Agent, etag: str) -> Reply:
    active = await call.services.agent_activities.last_active(agent.organization_id, [agent.id])
    return Reply(AgentAnswer.showing(agent, last_active_at=active.get(agent.id)), etag=etag)


@endpoint(
    blueprint,
    "POST",
    "agents",
    summary="Create an agent",
    access=Permission.AGENTS_WRITE,
    projects=Projects.CHECKED,
    body=AgentRequest,
    answers={201: CreatedAgentAnswer},
    errors=(LimitExceededError,),
    example={
        "external_id": "coder",
        "name": "Coding agent",
        "type": "coding",
        "billing_model_id": "bm_01k9zj8m4ye3wv5t7q2x6r0hcd",
    },
    adds_costs=True,
)
async def create_agent(call: Call[AgentRequest]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = AgentDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    agent, etag = await call.services.agents.create(call.new_id("agt"), organization_id, draft)
    active = await call.services.agent_activities.last_active(organization_id, [agent.id])
    warnings = await limit_warnings(call, organization_id, "agents")
    answer = CreatedAgentAnswer.showing(agent, last_active_at=active.get(agent.id), warnings=warnings)
    return Reply(answer, etag=etag)


@endpoint(
    blueprint,
    "GET",
    "agents",
    summary="Agents of an organization, newest first",
    access=Permission.AGENTS_READ,
    projects=Projects.FILTERED,
    query=AgentListQuery,
    answers={200: Listed[AgentAnswer]},
)
async def list_agents(call: Call[NoBody, AgentListQuery]) -> Reply:
    organization_id = await call.organization_id()
    page = await call.services.agents.page(
        organization_id,
        external_id=call.query.external_id,
        project_id=call.query.project_id,
        department_id=call.query.department_id,
        active=call.query.active,
        limit=call.query.limit,
        cursor=call.query.cursor,
    )
    page = page.where(lambda agent: call.sees(agent.project_id))
    active = await call.services.agent_activities.last_active(organization_id, [agent.id for agent in page.entities])
    data = [AgentAnswer.showing(agent, last_active_at=active.get(agent.id)) for agent in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}",
    summary="One agent",
    access=Permission.AGENTS_READ,
    projects=Projects.BY_PATH,
    path_values=AgentPath,
    answers={200: AgentAnswer},
)
async def get_agent(call: Call[NoBody, Query, AgentPath]) -> Reply:
    agent_id = call.path.agent_id
    return await _reply(call, *await call.services.agents.get(await call.organization_id_of(agent_id), agent_id))


@endpoint(
    blueprint,
    "GET",
    "agents/external/{external_id}",
    summary="One agent by its external id",
    access=Permission.AGENTS_READ,
    projects=Projects.BY_PATH,
    path_values=ExternalIdPath,
    answers={200: AgentAnswer},
)
async def get_agent_by_external_id(call: Call[NoBody, Query, ExternalIdPath]) -> Reply:
    organization_id = await call.organization_id()
    return await _reply(call, *await call.services.agents.by_external_id(organization_id, call.path.external_id))


@endpoint(
    blueprint,
    "PATCH",
    "agents/{agent_id}",
    summary="Change an agent",
    access=Permission.AGENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=AgentPath,
    body=AgentPatch,
    answers={200: AgentAnswer},
    errors=(LimitExceededError,),
    example={"description": "Writes patches"},
)
async def update_agent(call: Call[AgentPatch, Query, AgentPath]) -> Reply:
    agent_id = call.path.agent_id
    changes = call.body.model_dump(exclude_unset=True)
    if "is_active" in changes:
        changes["status"] = "active" if changes.pop("is_active") else "inactive"
    owner = await call.organization_id_of(agent_id)
    return await _reply(call, *await call.services.agents.update(owner, agent_id, changes, call.if_match))


@endpoint(
    blueprint,
    "DELETE",
    "agents/{agent_id}",
    summary="End an agent, 10 minutes ahead; what it did stays billed",
    access=Permission.AGENTS_WRITE,
    projects=Projects.BY_PATH,
    path_values=AgentPath,
    answers={204: None},
)
async def delete_agent(call: Call[NoBody, Query, AgentPath]) -> Reply:
    agent_id = call.path.agent_id
    await call.services.agents.delete(await call.organization_id_of(agent_id), agent_id, call.if_match)
    return Reply()
