"""Agents: what acts and is billed."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import BeforeValidator, Field, StringConstraints

from functions.fields import ObjectPatch
from shared import json
from shared.domain.access.identity import Permission
from shared.domain.tenancy.agents import Agent
from shared.http import Call, ListQuery, MergePatch, NoBody, Query, Reply, Schema, ZonedTime, endpoint
from shared.services.agents.agents import AgentDraft
from shared.services.storage.caller_json import text_of_object

blueprint = func.Blueprint()

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Labels = Annotated[tuple[Label, ...], Field(max_length=50)]


Config = Annotated[
    str,
    BeforeValidator(text_of_object, json_schema_input_type=dict[str, Any]),
    Field(json_schema_extra={"default": {}}),
]
"""An object of any shape, carried as its text."""


class AgentRequest(Schema):
    external_id: Reference
    name: Name
    organization_id: Reference | None = None
    description: Text | None = None
    type: Label | None = None
    capabilities: Labels = ()
    config: Config = "{}"
    project_id: Reference | None = None
    department_id: Reference | None = None
    billing_model_id: Reference | None = None
    billing_model_from: ZonedTime | None = None


class AgentPatch(MergePatch):
    """JSON Merge Patch. A billing model takes effect at `billing_model_from`, 10 minutes ahead or later."""

    external_id: Reference = "-"
    name: Name = "-"
    description: Text | None = None
    type: Label | None = None
    capabilities: Labels = ()
    config: ObjectPatch = None
    project_id: Reference | None = None
    department_id: Reference | None = None
    billing_model_id: Reference | None = None
    billing_model_from: ZonedTime | None = None
    is_active: bool = True


class AgentListQuery(ListQuery):
    project_id: Reference | None = None
    department_id: Reference | None = None
    active: bool | None = None


class AgentAnswer(Schema):
    id: str
    organization_id: str
    external_id: str
    name: str
    description: str | None
    type: str | None
    capabilities: list[str]
    config: dict[str, Any]
    project_id: str | None
    department_id: str | None
    billing_model_id: str | None
    billing_model_from: datetime | None
    status: str
    is_active: bool
    last_active_at: datetime | None
    created_at: datetime


class AgentList(Schema):
    data: list[AgentAnswer]
    next_cursor: str | None


def _shown(agent: Agent, last_active_at: datetime | None) -> dict[str, Any]:
    """As `AgentAnswer`; the config goes out as it came in."""
    shown = {
        **dict(agent),
        "config": json.verbatim(agent.config),
        "billing_model_id": agent.billing_model_id,
        "billing_model_from": agent.billing_model_from,
        "is_active": agent.status == "active",
        "last_active_at": last_active_at,
    }
    return {name: shown[name] for name in AgentAnswer.model_fields}


async def _answer(call: Call[Any, Any], agent: Agent, etag: str, status: int = 200) -> Reply:
    active = await call.services.agent_activities.last_active(agent.organization_id, [agent.id])
    return Reply(_shown(agent, active.get(agent.id)), status=status, etag=etag)


@endpoint(
    blueprint,
    "POST",
    "agents",
    summary="Make an agent",
    access=Permission.AGENTS_WRITE,
    body=AgentRequest,
    answers={201: AgentAnswer},
    example={"external_id": "coder", "name": "Coding agent", "type": "coding"},
)
async def create_agent(call: Call[AgentRequest, Query]) -> Reply:
    organization_id = await call.organization_id(call.body.organization_id)
    draft = AgentDraft.model_validate(call.body.model_dump(exclude={"organization_id"}))
    agent, etag = await call.services.agents.create(call.new_id("agt"), organization_id, draft)
    return await _answer(call, agent, etag, status=201)


@endpoint(
    blueprint,
    "GET",
    "agents",
    summary="Agents of an organization, newest first",
    access=Permission.AGENTS_READ,
    query=AgentListQuery,
    answers={200: AgentList},
)
async def list_agents(call: Call[NoBody, AgentListQuery]) -> Reply:
    organization_id = await call.organization_id()
    page = await call.services.agents.page(
        organization_id,
        project_id=call.query.project_id,
        department_id=call.query.department_id,
        active=call.query.active,
        limit=call.query.limit,
        cursor=call.query.cursor,
    )
    agents = page.entities
    active = await call.services.agent_activities.last_active(organization_id, [agent.id for agent in agents])
    data = [_shown(agent, active.get(agent.id)) for agent in agents]
    return Reply({"data": data, "next_cursor": page.cursor})


@endpoint(
    blueprint,
    "GET",
    "agents/{agent_id}",
    summary="One agent",
    access=Permission.AGENTS_READ,
    answers={200: AgentAnswer},
)
async def get_agent(call: Call[NoBody, Query]) -> Reply:
    agent_id = call.path["agent_id"]
    return await _answer(call, *await call.services.agents.get_item(await call.organization_id_of(agent_id), agent_id))


@endpoint(
    blueprint,
    "GET",
    "agents/external/{external_id}",
    summary="One agent by its external id",
    access=Permission.AGENTS_READ,
    answers={200: AgentAnswer},
)
async def get_agent_by_external_id(call: Call[NoBody, Query]) -> Reply:
    found = await call.services.agents.by_external_id(await call.organization_id(), call.path["external_id"])
    return await _answer(call, *found)


@endpoint(
    blueprint,
    "PATCH",
    "agents/{agent_id}",
    summary="Change an agent",
    access=Permission.AGENTS_WRITE,
    body=AgentPatch,
    answers={200: AgentAnswer},
    example={"description": "Writes patches"},
)
async def update_agent(call: Call[AgentPatch, Query]) -> Reply:
    agent_id = call.path["agent_id"]
    changes = call.body.model_dump(exclude_unset=True)
    if "is_active" in changes:
        changes["status"] = "active" if changes.pop("is_active") else "inactive"
    owner = await call.organization_id_of(agent_id)
    return await _answer(call, *await call.services.agents.update(owner, agent_id, changes, call.if_match))


@endpoint(
    blueprint,
    "DELETE",
    "agents/{agent_id}",
    summary="End an agent, 10 minutes ahead; what it did stays billed",
    access=Permission.AGENTS_WRITE,
    answers={204: None},
)
async def delete_agent(call: Call[NoBody, Query]) -> Reply:
    agent_id = call.path["agent_id"]
    await call.services.agents.delete(await call.organization_id_of(agent_id), agent_id, call.if_match)
    return Reply(status=204)
