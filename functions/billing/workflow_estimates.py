"""Estimates of what workflows would cost before they run."""

from typing import Annotated, Self

import azure.functions as func

from functions.fields import AgentPath
from shared.domain.access.identity import Permission
from shared.domain.kernel.money import NonNegativeQuantity
from shared.domain.kernel.validation import Length
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges.workflow import MAXIMUM_WORKFLOWS, WorkflowName
from shared.domain.rating.workflow_validation import WorkflowValidation
from shared.http import Call, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()


class ValidateWorkflowsRequest(Schema):
    workflows: Annotated[dict[WorkflowName, NonNegativeQuantity], Length(1, MAXIMUM_WORKFLOWS)]
    """How many of each type."""


class WorkflowValidationAnswer(WorkflowValidation):
    """The estimate by the model version that prices the agent now. Without one nothing is billed."""

    agent_id: str
    billing_model_id: str | None
    """The model that prices the agent now."""
    version: int | None
    """Its version's number."""

    @classmethod
    def of(cls, agent_id: str, version: Version | None, validation: WorkflowValidation) -> Self:
        return cls(
            agent_id=agent_id,
            billing_model_id=None if version is None else version.model_id,
            version=None if version is None else version.number,
            **dict(validation),
        )


@endpoint(
    blueprint,
    "POST",
    "agents/{agent_id}/workflows/validate",
    summary="Estimate what workflows of an agent would cost in a period without other usage. Nothing is recorded",
    access=Permission.BILLING_MODELS_READ,
    path_values=AgentPath,
    body=ValidateWorkflowsRequest,
    answers={200: WorkflowValidationAnswer},
    idempotent=False,
    calculates=True,
    example={"workflows": {"lead_research": "12", "email": "3"}},
)
async def validate_workflows(call: Call[ValidateWorkflowsRequest, Query, AgentPath]) -> Reply:
    agent_id = call.path.agent_id
    organization = await call.organization_of(agent_id)
    version, validation = await call.services.workflow_estimates.validate(organization, agent_id, call.body.workflows)
    return Reply(WorkflowValidationAnswer.of(agent_id, version, validation))
