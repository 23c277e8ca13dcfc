"""Callers limited to projects: what a request names has to be in one of theirs.

This is asked of every request before its handler. Handlers add what only they know: lists leave out other projects'
things (`Projects.FILTERED`), and some look at what a body names (`Projects.CHECKED`).
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

from shared.domain.kernel.errors import ForbiddenError, NotFoundError, ValidationError
from shared.http.declaration import Endpoint, Projects
from shared.http.tenancy import Call

AnyCall = Call[Any, Any, Any]
ProjectOf = Callable[[AnyCall, str, str], Awaitable[str | None]]
"""The project of the thing with an id in an organization; None where it is in none. Raises `NotFoundError`."""


async def _of_agent(call: AnyCall, organization_id: str, reference: str) -> str | None:
    agent = await call.services.agents.newest(organization_id, reference)
    return None if agent is None else agent.project_id


async def _of_project(_call: AnyCall, _organization_id: str, project_id: str) -> str | None:
    return project_id


async def _of_thread(call: AnyCall, organization_id: str, thread_id: str) -> str | None:
    return (await call.services.threads.get(organization_id, thread_id)).entity.project_id


async def _of_run(call: AnyCall, organization_id: str, run_id: str) -> str | None:
    return (await call.services.runs.get(organization_id, run_id)).entity.project_id


async def _of_run_key(call: AnyCall, organization_id: str, key: str) -> str | None:
    run = await call.services.runs.by_key(organization_id, key)
    return None if run is None else run.project_id


async def _of_event(call: AnyCall, organization_id: str, event_id: str) -> str | None:
    organization = await call.services.organizations.get(organization_id)
    event = await call.services.recorded_events.get(organization, event_id)
    return await _of_agent(call, organization_id, event.event.total.agent_id)


async def _of_outcome(call: AnyCall, organization_id: str, outcome_id: str) -> str | None:
    organization = await call.services.organizations.get(organization_id)
    details = await call.services.outcomes.get(organization, outcome_id)
    return await _of_agent(call, organization_id, details.outcome.agent_id)


IN_PATH: Mapping[str, ProjectOf] = {
    "agent_id": _of_agent,
    "external_id": _of_agent,
    "project_id": _of_project,
    "thread_id": _of_thread,
    "run_id": _of_run,
    "run_key": _of_run_key,
    "event_id": _of_event,
    "outcome_id": _of_outcome,
}
"""By the name of a path value."""

NAMED: Mapping[str, ProjectOf] = {
    "project_id": _of_project,
    "project": _of_project,
    "agent": _of_agent,
    "default_agent": _of_agent,
    "thread_id": _of_thread,
}
"""By the name of a field of a body, or of a query parameter."""


async def check_projects(declared: Endpoint, call: AnyCall) -> None:
    """Refuse a request of a caller limited to projects that is about anything else.

    Raises `ForbiddenError` for what is about the whole organization, `NotFoundError` for what the path names,
    `ValidationError` for what the query or the body names.
    """
    if call.projects is None:
        return
    if declared.projects is Projects.REFUSED:
        raise ForbiddenError("This is about the whole organization, and you are limited to projects")
    organization_id = await call.organization_id()
    for name, value in dict(call.path).items():
        if name in IN_PATH:
            call.check_sees(await IN_PATH[name](call, organization_id, value))
    await _check_named(call, organization_id, call.query, "?")
    if isinstance(call.body, BaseModel):
        await _check_named(call, organization_id, call.body, "/")
        _check_has_project(declared, call.body)


async def _check_named(call: AnyCall, organization_id: str, fields: BaseModel, prefix: str) -> None:
    for name in NAMED.keys() & type(fields).model_fields.keys():
        value = getattr(fields, name)
        if value is None:
            continue
        try:
            project_id = await NAMED[name](call, organization_id, value)
        except NotFoundError:
            project_id = None
        if not call.sees(project_id):
            raise ValidationError.at(f"{prefix}{name}", "there is no such thing in your projects")


def _check_has_project(declared: Endpoint, body: BaseModel) -> None:
    """What is made, or moved, stays in one of the caller's projects."""
    if "project_id" not in type(body).model_fields or getattr(body, "project_id", None) is not None:
        return
    if declared.method == "POST" or "project_id" in body.model_fields_set:
        raise ValidationError.at("/project_id", "name one of your projects")
