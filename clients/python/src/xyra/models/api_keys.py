"""Models of `api_keys`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import LimitWarning, Permission


class AgentMakingFields(TypedDict):
    billing_model_id: str
    """The id of the billing model that the made agents get."""


class ApiKeyAnswer(TypedDict):
    default_agent: str | None
    """The id of the agent of whatever names none."""
    agent_wait_seconds: int
    """How many seconds a call waits for the span that names its agent."""
    make_agents: AgentMakingFields | None
    """The billing model of agents that are made when they are first named; null where none are made."""
    subject_is: Literal["agent", "organization", "default_agent"]
    """What an OpenMeter `subject` names."""
    litellm_mapping: Sequence[LiteLlmDestinationFields]
    """Where the calls of LiteLLM's teams and keys go, with the organizations' ids."""
    id: str
    """Its id."""
    name: str
    """Its name, for people."""
    scopes: Sequence[str]
    """The permissions of the key."""
    key_prefix: str
    """The first characters of the token."""
    organization_id: str | None
    """Null for an operator's own key."""
    root_id: str
    """The first key of the line that it descends from; its own id where no key made it."""
    parent_id: str | None
    """The key that made it, with which it ends; null where a person made it."""
    projects: Sequence[str] | None
    """The projects that it is limited to; null without a limit."""
    created_by: str | None
    """The user who made it, or the first key of its line."""
    adopted_by: str | None
    """The owner who adopted it: it stops with this member, and no longer with its creator."""
    is_active: bool
    """Whether nobody has deactivated it."""
    created_at: str
    """When it was created."""
    expires_at: str | None
    """Null for a key that is valid until it is revoked."""
    last_used_at: str | None
    """When it was last used, up to an hour ago; null for a key that was not."""


class ApiKeyList(TypedDict):
    data: Sequence[ApiKeyAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ApiKeyPatch(TypedDict):
    """JSON Merge Patch. Scopes and expiry never change: make another key."""

    default_agent: NotRequired[str | None]
    """Id or external id of the agent of whatever names none. The organization must have it."""
    agent_wait_seconds: NotRequired[int]
    """How many seconds a call waits for the span that names its agent."""
    make_agents: NotRequired[AgentMakingFields | None]
    """Whether unknown agents are made when they are first named. Needs `agents:write`; null: they are not."""
    subject_is: NotRequired[Literal["agent", "organization", "default_agent"]]
    """What an OpenMeter `subject` names: an `agent`, an `organization` (operator's keys only), or the `default_agent`
    whatever it says."""
    litellm_mapping: NotRequired[Sequence[LiteLlmDestinationFieldsInput]]
    """Teams and keys of LiteLLM whose calls go to an organization or a project; at most 200. A PATCH replaces all."""
    name: NotRequired[str]
    """Its name, for people."""


class ApiKeyRequest(TypedDict):
    default_agent: NotRequired[str | None]
    """Id or external id of the agent of whatever names none. The organization must have it."""
    agent_wait_seconds: NotRequired[int]
    """How many seconds a call waits for the span that names its agent."""
    make_agents: NotRequired[AgentMakingFields | None]
    """Whether unknown agents are made when they are first named. Needs `agents:write`; null: they are not."""
    subject_is: NotRequired[Literal["agent", "organization", "default_agent"]]
    """What an OpenMeter `subject` names: an `agent`, an `organization` (operator's keys only), or the `default_agent`
    whatever it says."""
    litellm_mapping: NotRequired[Sequence[LiteLlmDestinationFieldsInput]]
    """Teams and keys of LiteLLM whose calls go to an organization or a project; at most 200. A PATCH replaces all."""
    name: str
    """Its name, for people."""
    scopes: Sequence[Permission]
    """The permissions of the key. Its creator must have them, too."""
    expires_at: NotRequired[str | None]
    """By default the key is valid until it is revoked; one that was made by a key, as long as that at most."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Operators who name none create a key of their own."""
    projects: NotRequired[Sequence[str] | None]
    """Ids of the projects that it is limited to: their agents, runs, threads, events, usage, outcomes and keys. By
    default those that its creator is limited to."""
    force: NotRequired[bool]
    """Make another key also where an equal one works: one of the same maker with all the same fields."""


class LiteLlmDestinationFields(TypedDict):
    """One entry: a team or a key of LiteLLM, and where its calls go."""

    team: str | None
    """The id or alias of LiteLLM's team."""
    key: str | None
    """In place of a team: the hash or alias of LiteLLM's key. It holds before the team of the key."""
    organization_id: str | None
    """The organization of the calls, by id, slug or external id; only for the operator's keys, which need it."""
    project_id: str | None
    """The project that the agents of the calls are in."""


class LiteLlmDestinationFieldsInput(TypedDict):
    """One entry: a team or a key of LiteLLM, and where its calls go."""

    team: NotRequired[str | None]
    """The id or alias of LiteLLM's team."""
    key: NotRequired[str | None]
    """In place of a team: the hash or alias of LiteLLM's key. It holds before the team of the key."""
    organization_id: NotRequired[str | None]
    """The organization of the calls, by id, slug or external id; only for the operator's keys, which need it."""
    project_id: NotRequired[str | None]
    """The project that the agents of the calls are in."""


class NewApiKeyAnswer(TypedDict):
    warnings: Sequence[LimitWarning]
    """Soft limits of the plan that were passed; empty where none was."""
    default_agent: str | None
    """The id of the agent of whatever names none."""
    agent_wait_seconds: int
    """How many seconds a call waits for the span that names its agent."""
    make_agents: AgentMakingFields | None
    """The billing model of agents that are made when they are first named; null where none are made."""
    subject_is: Literal["agent", "organization", "default_agent"]
    """What an OpenMeter `subject` names."""
    litellm_mapping: Sequence[LiteLlmDestinationFields]
    """Where the calls of LiteLLM's teams and keys go, with the organizations' ids."""
    id: str
    """Its id."""
    name: str
    """Its name, for people."""
    scopes: Sequence[str]
    """The permissions of the key."""
    key_prefix: str
    """The first characters of the token."""
    organization_id: str | None
    """Null for an operator's own key."""
    root_id: str
    """The first key of the line that it descends from; its own id where no key made it."""
    parent_id: str | None
    """The key that made it, with which it ends; null where a person made it."""
    projects: Sequence[str] | None
    """The projects that it is limited to; null without a limit."""
    created_by: str | None
    """The user who made it, or the first key of its line."""
    adopted_by: str | None
    """The owner who adopted it: it stops with this member, and no longer with its creator."""
    is_active: bool
    """Whether nobody has deactivated it."""
    created_at: str
    """When it was created."""
    expires_at: str | None
    """Null for a key that is valid until it is revoked."""
    last_used_at: str | None
    """When it was last used, up to an hour ago; null for a key that was not."""
    token: str
    """The key itself, shown this once."""


class ReusedApiKeyAnswer(TypedDict):
    default_agent: str | None
    """The id of the agent of whatever names none."""
    agent_wait_seconds: int
    """How many seconds a call waits for the span that names its agent."""
    make_agents: AgentMakingFields | None
    """The billing model of agents that are made when they are first named; null where none are made."""
    subject_is: Literal["agent", "organization", "default_agent"]
    """What an OpenMeter `subject` names."""
    litellm_mapping: Sequence[LiteLlmDestinationFields]
    """Where the calls of LiteLLM's teams and keys go, with the organizations' ids."""
    id: str
    """Its id."""
    name: str
    """Its name, for people."""
    scopes: Sequence[str]
    """The permissions of the key."""
    key_prefix: str
    """The first characters of the token."""
    organization_id: str | None
    """Null for an operator's own key."""
    root_id: str
    """The first key of the line that it descends from; its own id where no key made it."""
    parent_id: str | None
    """The key that made it, with which it ends; null where a person made it."""
    projects: Sequence[str] | None
    """The projects that it is limited to; null without a limit."""
    created_by: str | None
    """The user who made it, or the first key of its line."""
    adopted_by: str | None
    """The owner who adopted it: it stops with this member, and no longer with its creator."""
    is_active: bool
    """Whether nobody has deactivated it."""
    created_at: str
    """When it was created."""
    expires_at: str | None
    """Null for a key that is valid until it is revoked."""
    last_used_at: str | None
    """When it was last used, up to an hour ago; null for a key that was not."""
    reused: Literal[True]
    """The request was answered before, or an equal key works. Its token was shown then, and is never shown again."""
