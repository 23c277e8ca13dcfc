"""Methods of `budgets`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Budgets:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(
        self,
        budget_id: str,
        body: models.BudgetRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.BudgetAnswer:
        """Set a budget under an id of the caller's; it binds what is spent from now on."""
        answer: models.BudgetAnswer = self._connection.call(
            "PUT",
            f"/api/v1/budgets/{segment(budget_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def get(
        self, budget_id: str, *, organization_id: str | None = None, ref: str | None = None, at_least: int | None = None
    ) -> models.BudgetStatusAnswer:
        """A budget with what its present window counts, and what is left."""
        answer: models.BudgetStatusAnswer = self._connection.call(
            "GET",
            f"/api/v1/budgets/{segment(budget_id)}",
            query={"organization_id": organization_id, "ref": ref, "at_least": at_least},
        )
        return answer

    def delete(self, budget_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Delete a budget: it limits nothing from now on."""
        self._connection.call(
            "DELETE",
            f"/api/v1/budgets/{segment(budget_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def list(self, *, organization_id: str | None = None, limit: int | None = None) -> Listing[models.BudgetAnswer]:
        """Budgets of an organization, newest first."""
        return Listing(
            self._connection, "GET", "/api/v1/budgets", query={"organization_id": organization_id, "limit": limit}
        )


class AsyncBudgets:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def put(
        self,
        budget_id: str,
        body: models.BudgetRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.BudgetAnswer:
        """Set a budget under an id of the caller's; it binds what is spent from now on."""
        answer: models.BudgetAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/budgets/{segment(budget_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def get(
        self, budget_id: str, *, organization_id: str | None = None, ref: str | None = None, at_least: int | None = None
    ) -> models.BudgetStatusAnswer:
        """A budget with what its present window counts, and what is left."""
        answer: models.BudgetStatusAnswer = await self._connection.call(
            "GET",
            f"/api/v1/budgets/{segment(budget_id)}",
            query={"organization_id": organization_id, "ref": ref, "at_least": at_least},
        )
        return answer

    async def delete(self, budget_id: str, *, organization_id: str | None = None, if_match: str | None = None) -> None:
        """Delete a budget: it limits nothing from now on."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/budgets/{segment(budget_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.BudgetAnswer]:
        """Budgets of an organization, newest first."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/budgets", query={"organization_id": organization_id, "limit": limit}
        )
