"""How what an API key reports is read where a protocol does not say it in our terms."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SubjectMeaning = Literal["agent", "organization", "default_agent"]
"""What the `subject` of OpenMeter's events names; `default_agent` stands for any subject."""

MAXIMUM_AGENT_WAIT = 3600
MAXIMUM_DESTINATIONS = 200
"""Teams and keys of LiteLLM that one API key maps."""
AgentWait = Annotated[int, Field(ge=0, le=MAXIMUM_AGENT_WAIT)]
"""In seconds."""


class _ReportingModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AgentMaking(_ReportingModel):
    """That agents nobody has made are made when they are first named."""

    billing_model_id: str
    """What prices them."""


class LiteLlmDestination(_ReportingModel):
    """Where the calls of one team or one key of LiteLLM go."""

    team: str | None = None
    """By its id or alias."""
    key: str | None = None
    """By its hash or alias; either this or the team is named."""
    organization_id: str | None = None
    """For the operator's keys; else it is the API key's own."""
    project_id: str | None = None
    """The agents of the calls are in it; None where they may be in any."""


class Reporting(_ReportingModel):
    """What the routes of other protocols read of the key that calls them."""

    default_agent: str | None = None
    """The id of the agent of whatever names none."""
    agent_wait_seconds: AgentWait = 300
    """How long a call waits for the span that names its agent."""
    make_agents: AgentMaking | None = None
    """None where an unknown agent parks what it reports."""
    subject_is: SubjectMeaning = "agent"
    litellm_mapping: tuple[LiteLlmDestination, ...] = ()
    """A key of LiteLLM that is named holds before its team."""
