"""How what an API key reports is read where a protocol does not say it in our terms."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SubjectMeaning = Literal["agent", "organization", "default_agent"]
"""What the `subject` of OpenMeter's events names; `default_agent` stands for any subject."""

MAXIMUM_AGENT_WAIT = 3600
AgentWait = Annotated[int, Field(ge=0, le=MAXIMUM_AGENT_WAIT)]
"""In seconds."""


class _ReportingModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AgentMaking(_ReportingModel):
    """That agents nobody has made are made when they are first named."""

    billing_model_id: str
    """What prices them."""


class Reporting(_ReportingModel):
    """What the routes of other protocols read of the key that calls them."""

    default_agent: str | None = None
    """The id of the agent of whatever names none."""
    agent_wait_seconds: AgentWait = 300
    """How long a call waits for the span that names its agent."""
    make_agents: AgentMaking | None = None
    """None where an unknown agent parks what it reports."""
    subject_is: SubjectMeaning = "agent"
