"""Methods of `agents`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Agents:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self, body: models.AgentRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CreatedAgentAnswer:
        """Create an agent."""
        answer: models.CreatedAgentAnswer = self._connection.call(
            "POST",
            "/api/v1/agents",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        external_id: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        active: bool | None = None,
    ) -> Listing[models.AgentAnswer]:
        """Agents of an organization, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/agents",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "external_id": external_id,
                "project_id": project_id,
                "department_id": department_id,
                "active": active,
            },
        )

    def get(self, agent_id: str, *, organization_id: str | None = None) -> models.AgentAnswer:
        """One agent."""
        answer: models.AgentAnswer = self._connection.call(
            "GET", f"/api/v1/agents/{segment(agent_id)}", query={"organization_id": organization_id}
        )
        return answer

    def update(
        self, agent_id: str, body: models.AgentPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.AgentAnswer:
        """Change an agent."""
        answer: models.AgentAnswer = self._connection.call(
            "PATCH",
            f"/api/v1/agents/{segment(agent_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def delete(self, agent_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """End an agent, 10 minutes ahead; what it did stays billed."""
        self._connection.call(
            "DELETE",
            f"/api/v1/agents/{segment(agent_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def get_by_external_id(self, external_id: str, *, organization_id: str | None = None) -> models.AgentAnswer:
        """One agent by its external id."""
        answer: models.AgentAnswer = self._connection.call(
            "GET", f"/api/v1/agents/external/{segment(external_id)}", query={"organization_id": organization_id}
        )
        return answer

    def get_stats(self, agent_id: str, *, organization_id: str | None = None) -> models.AgentStatsAnswer:
        """What an agent costs and earns in the open period, with a trend."""
        answer: models.AgentStatsAnswer = self._connection.call(
            "GET", f"/api/v1/agents/{segment(agent_id)}/stats", query={"organization_id": organization_id}
        )
        return answer

    def get_billing_config(self, agent_id: str, *, organization_id: str | None = None) -> models.BillingConfigAnswer:
        """What an agent is priced by, now and later."""
        answer: models.BillingConfigAnswer = self._connection.call(
            "GET", f"/api/v1/agents/{segment(agent_id)}/billing-config", query={"organization_id": organization_id}
        )
        return answer

    def get_billing_summary(
        self, agent_id: str, *, organization_id: str | None = None, period: str | None = None
    ) -> models.BillingSummaryAnswer:
        """What an agent costs and earns in a period, line by line."""
        answer: models.BillingSummaryAnswer = self._connection.call(
            "GET",
            f"/api/v1/agents/{segment(agent_id)}/billing-summary",
            query={"organization_id": organization_id, "period": period},
        )
        return answer

    def validate_workflows(
        self, agent_id: str, body: models.ValidateWorkflowsRequest, *, organization_id: str | None = None
    ) -> models.WorkflowValidationAnswer:
        """Estimate what workflows of an agent would cost in a period without other usage. Nothing is recorded."""
        answer: models.WorkflowValidationAnswer = self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/workflows/validate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def report_activity(
        self,
        agent_id: str,
        body: models.ActivityRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneEventAnswer:
        """Report one activity of an agent."""
        answer: models.OneEventAnswer = self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/activities",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def report_cost(
        self,
        agent_id: str,
        body: models.CostRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneEventAnswer:
        """Report what an agent cost at a provider."""
        answer: models.OneEventAnswer = self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/costs",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def report_llm_call(
        self,
        agent_id: str,
        body: models.LlmCallRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneEventAnswer:
        """Report one call of a language model by an agent."""
        answer: models.OneEventAnswer = self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/llm-calls",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def report_workflows(
        self,
        agent_id: str,
        body: models.WorkflowsRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WorkflowsAnswer:
        """Report how many workflows of each type an agent completed; all of them are accepted, or none."""
        answer: models.WorkflowsAnswer = self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/workflows/bulk",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def report_outcome(
        self,
        agent_id: str,
        body: models.OutcomeRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneOutcomeAnswer:
        """Report one outcome of an agent's work."""
        answer: models.OneOutcomeAnswer = self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/outcomes",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer


class AsyncAgents:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(
        self, body: models.AgentRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.CreatedAgentAnswer:
        """Create an agent."""
        answer: models.CreatedAgentAnswer = await self._connection.call(
            "POST",
            "/api/v1/agents",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        external_id: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        active: bool | None = None,
    ) -> AsyncListing[models.AgentAnswer]:
        """Agents of an organization, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/agents",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "external_id": external_id,
                "project_id": project_id,
                "department_id": department_id,
                "active": active,
            },
        )

    async def get(self, agent_id: str, *, organization_id: str | None = None) -> models.AgentAnswer:
        """One agent."""
        answer: models.AgentAnswer = await self._connection.call(
            "GET", f"/api/v1/agents/{segment(agent_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def update(
        self, agent_id: str, body: models.AgentPatch, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.AgentAnswer:
        """Change an agent."""
        answer: models.AgentAnswer = await self._connection.call(
            "PATCH",
            f"/api/v1/agents/{segment(agent_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def delete(self, agent_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """End an agent, 10 minutes ahead; what it did stays billed."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/agents/{segment(agent_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    async def get_by_external_id(self, external_id: str, *, organization_id: str | None = None) -> models.AgentAnswer:
        """One agent by its external id."""
        answer: models.AgentAnswer = await self._connection.call(
            "GET", f"/api/v1/agents/external/{segment(external_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def get_stats(self, agent_id: str, *, organization_id: str | None = None) -> models.AgentStatsAnswer:
        """What an agent costs and earns in the open period, with a trend."""
        answer: models.AgentStatsAnswer = await self._connection.call(
            "GET", f"/api/v1/agents/{segment(agent_id)}/stats", query={"organization_id": organization_id}
        )
        return answer

    async def get_billing_config(
        self, agent_id: str, *, organization_id: str | None = None
    ) -> models.BillingConfigAnswer:
        """What an agent is priced by, now and later."""
        answer: models.BillingConfigAnswer = await self._connection.call(
            "GET", f"/api/v1/agents/{segment(agent_id)}/billing-config", query={"organization_id": organization_id}
        )
        return answer

    async def get_billing_summary(
        self, agent_id: str, *, organization_id: str | None = None, period: str | None = None
    ) -> models.BillingSummaryAnswer:
        """What an agent costs and earns in a period, line by line."""
        answer: models.BillingSummaryAnswer = await self._connection.call(
            "GET",
            f"/api/v1/agents/{segment(agent_id)}/billing-summary",
            query={"organization_id": organization_id, "period": period},
        )
        return answer

    async def validate_workflows(
        self, agent_id: str, body: models.ValidateWorkflowsRequest, *, organization_id: str | None = None
    ) -> models.WorkflowValidationAnswer:
        """Estimate what workflows of an agent would cost in a period without other usage. Nothing is recorded."""
        answer: models.WorkflowValidationAnswer = await self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/workflows/validate",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def report_activity(
        self,
        agent_id: str,
        body: models.ActivityRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneEventAnswer:
        """Report one activity of an agent."""
        answer: models.OneEventAnswer = await self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/activities",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def report_cost(
        self,
        agent_id: str,
        body: models.CostRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneEventAnswer:
        """Report what an agent cost at a provider."""
        answer: models.OneEventAnswer = await self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/costs",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def report_llm_call(
        self,
        agent_id: str,
        body: models.LlmCallRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneEventAnswer:
        """Report one call of a language model by an agent."""
        answer: models.OneEventAnswer = await self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/llm-calls",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def report_workflows(
        self,
        agent_id: str,
        body: models.WorkflowsRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WorkflowsAnswer:
        """Report how many workflows of each type an agent completed; all of them are accepted, or none."""
        answer: models.WorkflowsAnswer = await self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/workflows/bulk",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def report_outcome(
        self,
        agent_id: str,
        body: models.OutcomeRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OneOutcomeAnswer:
        """Report one outcome of an agent's work."""
        answer: models.OneOutcomeAnswer = await self._connection.call(
            "POST",
            f"/api/v1/agents/{segment(agent_id)}/outcomes",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer
