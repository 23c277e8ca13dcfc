"""Methods of `credits`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from typing import Literal

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Credits:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get_action_costs(self, *, organization_id: str | None = None) -> models.ActionCostTable:
        """What actions cost in credits."""
        answer: models.ActionCostTable = self._connection.call(
            "GET", "/api/v1/credits/costs", query={"organization_id": organization_id}
        )
        return answer

    def put_action_cost(
        self,
        agent_type: str,
        action: str,
        body: models.ActionCostRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ActionCostAnswer:
        """Set what an action costs from now on."""
        answer: models.ActionCostAnswer = self._connection.call(
            "PUT",
            f"/api/v1/credits/costs/{segment(agent_type)}/{segment(action)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def list_alerts(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.AlertAnswer]:
        """Alerts of balances and budgets, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/credits/alerts",
            query={"organization_id": organization_id, "limit": limit},
        )

    def get_department_limits(
        self, department_id: str, *, organization_id: str | None = None
    ) -> models.DepartmentLimitsAnswer:
        """The daily and monthly limits of a department, and what it has spent."""
        answer: models.DepartmentLimitsAnswer = self._connection.call(
            "GET",
            f"/api/v1/credits/departments/{segment(department_id)}/limits",
            query={"organization_id": organization_id},
        )
        return answer

    def put_department_limits(
        self,
        department_id: str,
        body: models.DepartmentLimitsRequest | None = None,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.DepartmentLimitsAnswer:
        """Set the daily and monthly limits of a department."""
        answer: models.DepartmentLimitsAnswer = self._connection.call(
            "PUT",
            f"/api/v1/credits/departments/{segment(department_id)}/limits",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def give(
        self, body: models.GrantRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.GrantAnswer:
        """Give credits to an organization."""
        answer: models.GrantAnswer = self._connection.call(
            "POST",
            "/api/v1/credits/grants",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_grants(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.CreditGrantAnswer]:
        """Grants of credits, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/credits/grants",
            query={"organization_id": organization_id, "limit": limit},
        )

    def take_lease(
        self, body: models.LeaseRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.LeaseGivenAnswer:
        """Set a slice of credits aside that the client spends by itself."""
        answer: models.LeaseGivenAnswer = self._connection.call(
            "POST",
            "/api/v1/credits/leases",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_leases(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        state: Literal["open", "ended", "expired"] | None = None,
        unreported: bool | None = None,
    ) -> Listing[models.LeaseAnswer]:
        """Leases of an organization, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/credits/leases",
            query={"organization_id": organization_id, "limit": limit, "state": state, "unreported": unreported},
        )

    def extend_lease(
        self,
        lease_id: str,
        body: models.ExtendRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.LeaseGivenAnswer:
        """Add credits to a lease, or time, or both."""
        answer: models.LeaseGivenAnswer = self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/extend",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def settle_lease(
        self,
        lease_id: str,
        body: models.SettleRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SettleAnswer:
        """Report everything that was spent since a lease began."""
        answer: models.SettleAnswer = self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/settle",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def end_lease(
        self,
        lease_id: str,
        body: models.EndRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SettleAnswer:
        """Report what was spent of a lease in all, and return the rest."""
        answer: models.SettleAnswer = self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/end",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def write_off_lease(
        self,
        lease_id: str,
        body: models.WriteOffRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WriteOffAnswer:
        """Take out of the budgets what of an expired lease was never reported."""
        answer: models.WriteOffAnswer = self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/write-off",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def get_lease(self, lease_id: str, *, organization_id: str | None = None) -> models.LeaseAnswer:
        """One lease, with what was reported of it."""
        answer: models.LeaseAnswer = self._connection.call(
            "GET", f"/api/v1/credits/leases/{segment(lease_id)}", query={"organization_id": organization_id}
        )
        return answer

    def list_paid_usage(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.PaidUsageAnswer]:
        """Payments whose events are worth more than their credits, the latest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/credits/paid-usage",
            query={"organization_id": organization_id, "limit": limit},
        )

    def get_top_up(self, *, organization_id: str | None = None) -> models.TopUpAnswer:
        """When credits are bought by themselves, and how that stands."""
        answer: models.TopUpAnswer = self._connection.call(
            "GET", "/api/v1/credits/top-up", query={"organization_id": organization_id}
        )
        return answer

    def list_transactions(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.TransactionAnswer]:
        """Transactions of credits, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/credits/transactions",
            query={"organization_id": organization_id, "limit": limit},
        )

    def get_transaction(self, transaction_id: str, *, organization_id: str | None = None) -> models.TransactionAnswer:
        """One transaction of credits."""
        answer: models.TransactionAnswer = self._connection.call(
            "GET", f"/api/v1/credits/transactions/{segment(transaction_id)}", query={"organization_id": organization_id}
        )
        return answer

    def refund(
        self,
        transaction_id: str,
        body: models.RefundRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.RefundAnswer:
        """Return credits that a use or capture spent."""
        answer: models.RefundAnswer = self._connection.call(
            "POST",
            f"/api/v1/credits/transactions/{segment(transaction_id)}/refund",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def get_statement(
        self,
        *,
        organization_id: str | None = None,
        from_: str,
        to: str,
        kind: str | None = None,
        limit: int | None = None,
    ) -> Listing[models.StatementLineAnswer]:
        """What moved credits in a time, with the balance before and after."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/credits/statement",
            query={"organization_id": organization_id, "from": from_, "to": to, "kind": kind, "limit": limit},
            entries="lines",
        )

    def list_usage(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        from_: str | None = None,
        to: str | None = None,
        kind: str | None = None,
        agent: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        run: str | None = None,
    ) -> Listing[models.CreditUsageAnswer]:
        """What credits were spent on, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/credits/usage",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "from": from_,
                "to": to,
                "kind": kind,
                "agent": agent,
                "project_id": project_id,
                "department_id": department_id,
                "run": run,
            },
        )

    def get_usage_summary(
        self,
        *,
        organization_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        kind: str | None = None,
        agent: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        run: str | None = None,
        by: Literal["day", "agent", "project", "department", "run", "agent_type", "action"] | None = None,
    ) -> models.CreditUsageSummary:
        """What credits were spent on, by day, agent, project, department, run or action."""
        answer: models.CreditUsageSummary = self._connection.call(
            "GET",
            "/api/v1/credits/usage/summary",
            query={
                "organization_id": organization_id,
                "from": from_,
                "to": to,
                "kind": kind,
                "agent": agent,
                "project_id": project_id,
                "department_id": department_id,
                "run": run,
                "by": by,
            },
        )
        return answer

    def verify(
        self,
        body: models.VerificationRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.VerificationAnswer:
        """Verify the ledger: sums, balances, hashes; answers with a job."""
        answer: models.VerificationAnswer = self._connection.call(
            "POST",
            "/api/v1/credits/verify",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def get_verification(
        self, verification_id: str, *, organization_id: str | None = None
    ) -> models.VerificationAnswer:
        """What a verification found."""
        answer: models.VerificationAnswer = self._connection.call(
            "GET",
            f"/api/v1/credits/verifications/{segment(verification_id)}",
            query={"organization_id": organization_id},
        )
        return answer


class AsyncCredits:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get_action_costs(self, *, organization_id: str | None = None) -> models.ActionCostTable:
        """What actions cost in credits."""
        answer: models.ActionCostTable = await self._connection.call(
            "GET", "/api/v1/credits/costs", query={"organization_id": organization_id}
        )
        return answer

    async def put_action_cost(
        self,
        agent_type: str,
        action: str,
        body: models.ActionCostRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.ActionCostAnswer:
        """Set what an action costs from now on."""
        answer: models.ActionCostAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/credits/costs/{segment(agent_type)}/{segment(action)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def list_alerts(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.AlertAnswer]:
        """Alerts of balances and budgets, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/credits/alerts",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def get_department_limits(
        self, department_id: str, *, organization_id: str | None = None
    ) -> models.DepartmentLimitsAnswer:
        """The daily and monthly limits of a department, and what it has spent."""
        answer: models.DepartmentLimitsAnswer = await self._connection.call(
            "GET",
            f"/api/v1/credits/departments/{segment(department_id)}/limits",
            query={"organization_id": organization_id},
        )
        return answer

    async def put_department_limits(
        self,
        department_id: str,
        body: models.DepartmentLimitsRequest | None = None,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.DepartmentLimitsAnswer:
        """Set the daily and monthly limits of a department."""
        answer: models.DepartmentLimitsAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/credits/departments/{segment(department_id)}/limits",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def give(
        self, body: models.GrantRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.GrantAnswer:
        """Give credits to an organization."""
        answer: models.GrantAnswer = await self._connection.call(
            "POST",
            "/api/v1/credits/grants",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_grants(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.CreditGrantAnswer]:
        """Grants of credits, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/credits/grants",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def take_lease(
        self, body: models.LeaseRequest, *, organization_id: str | None = None, idempotency_key: str | None = None
    ) -> models.LeaseGivenAnswer:
        """Set a slice of credits aside that the client spends by itself."""
        answer: models.LeaseGivenAnswer = await self._connection.call(
            "POST",
            "/api/v1/credits/leases",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_leases(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        state: Literal["open", "ended", "expired"] | None = None,
        unreported: bool | None = None,
    ) -> AsyncListing[models.LeaseAnswer]:
        """Leases of an organization, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/credits/leases",
            query={"organization_id": organization_id, "limit": limit, "state": state, "unreported": unreported},
        )

    async def extend_lease(
        self,
        lease_id: str,
        body: models.ExtendRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.LeaseGivenAnswer:
        """Add credits to a lease, or time, or both."""
        answer: models.LeaseGivenAnswer = await self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/extend",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def settle_lease(
        self,
        lease_id: str,
        body: models.SettleRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SettleAnswer:
        """Report everything that was spent since a lease began."""
        answer: models.SettleAnswer = await self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/settle",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def end_lease(
        self,
        lease_id: str,
        body: models.EndRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.SettleAnswer:
        """Report what was spent of a lease in all, and return the rest."""
        answer: models.SettleAnswer = await self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/end",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def write_off_lease(
        self,
        lease_id: str,
        body: models.WriteOffRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WriteOffAnswer:
        """Take out of the budgets what of an expired lease was never reported."""
        answer: models.WriteOffAnswer = await self._connection.call(
            "POST",
            f"/api/v1/credits/leases/{segment(lease_id)}/write-off",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def get_lease(self, lease_id: str, *, organization_id: str | None = None) -> models.LeaseAnswer:
        """One lease, with what was reported of it."""
        answer: models.LeaseAnswer = await self._connection.call(
            "GET", f"/api/v1/credits/leases/{segment(lease_id)}", query={"organization_id": organization_id}
        )
        return answer

    def list_paid_usage(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.PaidUsageAnswer]:
        """Payments whose events are worth more than their credits, the latest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/credits/paid-usage",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def get_top_up(self, *, organization_id: str | None = None) -> models.TopUpAnswer:
        """When credits are bought by themselves, and how that stands."""
        answer: models.TopUpAnswer = await self._connection.call(
            "GET", "/api/v1/credits/top-up", query={"organization_id": organization_id}
        )
        return answer

    def list_transactions(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.TransactionAnswer]:
        """Transactions of credits, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/credits/transactions",
            query={"organization_id": organization_id, "limit": limit},
        )

    async def get_transaction(
        self, transaction_id: str, *, organization_id: str | None = None
    ) -> models.TransactionAnswer:
        """One transaction of credits."""
        answer: models.TransactionAnswer = await self._connection.call(
            "GET", f"/api/v1/credits/transactions/{segment(transaction_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def refund(
        self,
        transaction_id: str,
        body: models.RefundRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.RefundAnswer:
        """Return credits that a use or capture spent."""
        answer: models.RefundAnswer = await self._connection.call(
            "POST",
            f"/api/v1/credits/transactions/{segment(transaction_id)}/refund",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def get_statement(
        self,
        *,
        organization_id: str | None = None,
        from_: str,
        to: str,
        kind: str | None = None,
        limit: int | None = None,
    ) -> AsyncListing[models.StatementLineAnswer]:
        """What moved credits in a time, with the balance before and after."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/credits/statement",
            query={"organization_id": organization_id, "from": from_, "to": to, "kind": kind, "limit": limit},
            entries="lines",
        )

    def list_usage(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        from_: str | None = None,
        to: str | None = None,
        kind: str | None = None,
        agent: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        run: str | None = None,
    ) -> AsyncListing[models.CreditUsageAnswer]:
        """What credits were spent on, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/credits/usage",
            query={
                "organization_id": organization_id,
                "limit": limit,
                "from": from_,
                "to": to,
                "kind": kind,
                "agent": agent,
                "project_id": project_id,
                "department_id": department_id,
                "run": run,
            },
        )

    async def get_usage_summary(
        self,
        *,
        organization_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        kind: str | None = None,
        agent: str | None = None,
        project_id: str | None = None,
        department_id: str | None = None,
        run: str | None = None,
        by: Literal["day", "agent", "project", "department", "run", "agent_type", "action"] | None = None,
    ) -> models.CreditUsageSummary:
        """What credits were spent on, by day, agent, project, department, run or action."""
        answer: models.CreditUsageSummary = await self._connection.call(
            "GET",
            "/api/v1/credits/usage/summary",
            query={
                "organization_id": organization_id,
                "from": from_,
                "to": to,
                "kind": kind,
                "agent": agent,
                "project_id": project_id,
                "department_id": department_id,
                "run": run,
                "by": by,
            },
        )
        return answer

    async def verify(
        self,
        body: models.VerificationRequest | None = None,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.VerificationAnswer:
        """Verify the ledger: sums, balances, hashes; answers with a job."""
        answer: models.VerificationAnswer = await self._connection.call(
            "POST",
            "/api/v1/credits/verify",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    async def get_verification(
        self, verification_id: str, *, organization_id: str | None = None
    ) -> models.VerificationAnswer:
        """What a verification found."""
        answer: models.VerificationAnswer = await self._connection.call(
            "GET",
            f"/api/v1/credits/verifications/{segment(verification_id)}",
            query={"organization_id": organization_id},
        )
        return answer
