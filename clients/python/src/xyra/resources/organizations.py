"""Methods of `organizations`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations


from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Organizations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def redeem_coupon(
        self, organization_id: str, body: models.RedemptionRequest, *, idempotency_key: str | None = None
    ) -> models.RedemptionAnswer:
        """Redeem a coupon by its code, from the present billing period on."""
        answer: models.RedemptionAnswer = self._connection.call(
            "POST",
            f"/api/v1/organizations/{segment(organization_id)}/coupons",
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_redemptions(self, organization_id: str, *, limit: int | None = None) -> Listing[models.RedemptionAnswer]:
        """What an organization has redeemed, newest first."""
        return Listing(
            self._connection, "GET", f"/api/v1/organizations/{segment(organization_id)}/coupons", query={"limit": limit}
        )

    def end_redemption(self, organization_id: str, redemption_id: str, *, if_match: str | None = None) -> None:
        """End a redeemed coupon with the present billing period."""
        self._connection.call(
            "DELETE",
            f"/api/v1/organizations/{segment(organization_id)}/coupons/{segment(redemption_id)}",
            if_match=if_match,
        )

    def get_stats(self, organization_id: str) -> models.OrganizationStatsAnswer:
        """What an organization's agents cost and earn in the open period."""
        answer: models.OrganizationStatsAnswer = self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/stats"
        )
        return answer

    def get_tax_terms(self, organization_id: str) -> models.TaxTermsAnswer:
        """How an organization is taxed, as a history."""
        answer: models.TaxTermsAnswer = self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/tax"
        )
        return answer

    def put_tax_terms(
        self, organization_id: str, body: models.TaxTermsRequest | None = None, *, if_match: str | None = None
    ) -> models.TaxTermsAnswer:
        """Tax an organization otherwise, from a day on."""
        answer: models.TaxTermsAnswer = self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/tax", body=body, if_match=if_match
        )
        return answer

    def get_account(self, organization_id: str, *, limit: int | None = None) -> Listing[models.EntryAnswer]:
        """What an organization owes, what it has paid beyond that, and how both came about."""
        return Listing(
            self._connection,
            "GET",
            f"/api/v1/organizations/{segment(organization_id)}/account",
            query={"limit": limit},
            entries="entries",
        )

    def put_wallet_budget(
        self, organization_id: str, body: models.WalletBudgetRequest, *, if_match: str | None = None
    ) -> models.BudgetAnswer | None:
        """Limit what an organization spends in a month, also of its payer's credits."""
        answer: models.BudgetAnswer | None = self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/wallet-budget", body=body, if_match=if_match
        )
        return answer

    def start_export(self, organization_id: str, *, idempotency_key: str | None = None) -> models.ExportAnswer:
        """Have all lists of an organization written into one archive of JSON lines."""
        answer: models.ExportAnswer = self._connection.call(
            "POST", f"/api/v1/organizations/{segment(organization_id)}/export", idempotency_key=idempotency_key
        )
        return answer

    def get_export(self, organization_id: str, export_id: str) -> models.ExportAnswer:
        """How far an export has come, and where its archive is fetched."""
        answer: models.ExportAnswer = self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/export/{segment(export_id)}"
        )
        return answer

    def put_limits(
        self, organization_id: str, body: models.LimitsRequest | None = None, *, if_match: str | None = None
    ) -> models.LimitsAnswer:
        """Set the limits of an organization."""
        answer: models.LimitsAnswer = self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/limits", body=body, if_match=if_match
        )
        return answer

    def get_settings(self, organization_id: str) -> models.SettingsAnswer:
        """The settings of an organization: its own, and those of the operator."""
        answer: models.SettingsAnswer = self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/settings"
        )
        return answer

    def replace_settings(
        self, organization_id: str, body: models.SettingsRequest | None = None, *, if_match: str | None = None
    ) -> models.SettingsAnswer:
        """Replace the settings of an organization."""
        answer: models.SettingsAnswer = self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/settings", body=body, if_match=if_match
        )
        return answer

    def create(
        self,
        body: models.OrganizationRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OrganizationAnswer:
        """Create an organization."""
        answer: models.OrganizationAnswer = self._connection.call(
            "POST",
            "/api/v1/organizations",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> Listing[models.OrganizationAnswer]:
        """The organizations that the credential can see, in no particular order."""
        return Listing(
            self._connection, "GET", "/api/v1/organizations", query={"organization_id": organization_id, "limit": limit}
        )

    def get(self, organization_id: str) -> models.OrganizationAnswer:
        """One organization."""
        answer: models.OrganizationAnswer = self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}"
        )
        return answer

    def update(
        self, organization_id: str, body: models.OrganizationPatch, *, if_match: str | None = None
    ) -> models.ChangedOrganizationAnswer:
        """Change an organization."""
        answer: models.ChangedOrganizationAnswer = self._connection.call(
            "PATCH", f"/api/v1/organizations/{segment(organization_id)}", body=body, if_match=if_match
        )
        return answer

    def delete(self, organization_id: str, *, if_match: str | None = None) -> None:
        """End an organization. Its usage is still invoiced, and nothing is erased."""
        self._connection.call("DELETE", f"/api/v1/organizations/{segment(organization_id)}", if_match=if_match)

    def put_payer(
        self, organization_id: str, body: models.PayerRequest, *, if_match: str | None = None
    ) -> models.PayerAnswer:
        """Let an organization spend another one's credits, or its own again."""
        answer: models.PayerAnswer = self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/payer", body=body, if_match=if_match
        )
        return answer


class AsyncOrganizations:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def redeem_coupon(
        self, organization_id: str, body: models.RedemptionRequest, *, idempotency_key: str | None = None
    ) -> models.RedemptionAnswer:
        """Redeem a coupon by its code, from the present billing period on."""
        answer: models.RedemptionAnswer = await self._connection.call(
            "POST",
            f"/api/v1/organizations/{segment(organization_id)}/coupons",
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list_redemptions(
        self, organization_id: str, *, limit: int | None = None
    ) -> AsyncListing[models.RedemptionAnswer]:
        """What an organization has redeemed, newest first."""
        return AsyncListing(
            self._connection, "GET", f"/api/v1/organizations/{segment(organization_id)}/coupons", query={"limit": limit}
        )

    async def end_redemption(self, organization_id: str, redemption_id: str, *, if_match: str | None = None) -> None:
        """End a redeemed coupon with the present billing period."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/organizations/{segment(organization_id)}/coupons/{segment(redemption_id)}",
            if_match=if_match,
        )

    async def get_stats(self, organization_id: str) -> models.OrganizationStatsAnswer:
        """What an organization's agents cost and earn in the open period."""
        answer: models.OrganizationStatsAnswer = await self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/stats"
        )
        return answer

    async def get_tax_terms(self, organization_id: str) -> models.TaxTermsAnswer:
        """How an organization is taxed, as a history."""
        answer: models.TaxTermsAnswer = await self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/tax"
        )
        return answer

    async def put_tax_terms(
        self, organization_id: str, body: models.TaxTermsRequest | None = None, *, if_match: str | None = None
    ) -> models.TaxTermsAnswer:
        """Tax an organization otherwise, from a day on."""
        answer: models.TaxTermsAnswer = await self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/tax", body=body, if_match=if_match
        )
        return answer

    def get_account(self, organization_id: str, *, limit: int | None = None) -> AsyncListing[models.EntryAnswer]:
        """What an organization owes, what it has paid beyond that, and how both came about."""
        return AsyncListing(
            self._connection,
            "GET",
            f"/api/v1/organizations/{segment(organization_id)}/account",
            query={"limit": limit},
            entries="entries",
        )

    async def put_wallet_budget(
        self, organization_id: str, body: models.WalletBudgetRequest, *, if_match: str | None = None
    ) -> models.BudgetAnswer | None:
        """Limit what an organization spends in a month, also of its payer's credits."""
        answer: models.BudgetAnswer | None = await self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/wallet-budget", body=body, if_match=if_match
        )
        return answer

    async def start_export(self, organization_id: str, *, idempotency_key: str | None = None) -> models.ExportAnswer:
        """Have all lists of an organization written into one archive of JSON lines."""
        answer: models.ExportAnswer = await self._connection.call(
            "POST", f"/api/v1/organizations/{segment(organization_id)}/export", idempotency_key=idempotency_key
        )
        return answer

    async def get_export(self, organization_id: str, export_id: str) -> models.ExportAnswer:
        """How far an export has come, and where its archive is fetched."""
        answer: models.ExportAnswer = await self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/export/{segment(export_id)}"
        )
        return answer

    async def put_limits(
        self, organization_id: str, body: models.LimitsRequest | None = None, *, if_match: str | None = None
    ) -> models.LimitsAnswer:
        """Set the limits of an organization."""
        answer: models.LimitsAnswer = await self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/limits", body=body, if_match=if_match
        )
        return answer

    async def get_settings(self, organization_id: str) -> models.SettingsAnswer:
        """The settings of an organization: its own, and those of the operator."""
        answer: models.SettingsAnswer = await self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}/settings"
        )
        return answer

    async def replace_settings(
        self, organization_id: str, body: models.SettingsRequest | None = None, *, if_match: str | None = None
    ) -> models.SettingsAnswer:
        """Replace the settings of an organization."""
        answer: models.SettingsAnswer = await self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/settings", body=body, if_match=if_match
        )
        return answer

    async def create(
        self,
        body: models.OrganizationRequest,
        *,
        organization_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.OrganizationAnswer:
        """Create an organization."""
        answer: models.OrganizationAnswer = await self._connection.call(
            "POST",
            "/api/v1/organizations",
            query={"organization_id": organization_id},
            body=body,
            idempotency_key=idempotency_key,
        )
        return answer

    def list(
        self, *, organization_id: str | None = None, limit: int | None = None
    ) -> AsyncListing[models.OrganizationAnswer]:
        """The organizations that the credential can see, in no particular order."""
        return AsyncListing(
            self._connection, "GET", "/api/v1/organizations", query={"organization_id": organization_id, "limit": limit}
        )

    async def get(self, organization_id: str) -> models.OrganizationAnswer:
        """One organization."""
        answer: models.OrganizationAnswer = await self._connection.call(
            "GET", f"/api/v1/organizations/{segment(organization_id)}"
        )
        return answer

    async def update(
        self, organization_id: str, body: models.OrganizationPatch, *, if_match: str | None = None
    ) -> models.ChangedOrganizationAnswer:
        """Change an organization."""
        answer: models.ChangedOrganizationAnswer = await self._connection.call(
            "PATCH", f"/api/v1/organizations/{segment(organization_id)}", body=body, if_match=if_match
        )
        return answer

    async def delete(self, organization_id: str, *, if_match: str | None = None) -> None:
        """End an organization. Its usage is still invoiced, and nothing is erased."""
        await self._connection.call("DELETE", f"/api/v1/organizations/{segment(organization_id)}", if_match=if_match)

    async def put_payer(
        self, organization_id: str, body: models.PayerRequest, *, if_match: str | None = None
    ) -> models.PayerAnswer:
        """Let an organization spend another one's credits, or its own again."""
        answer: models.PayerAnswer = await self._connection.call(
            "PUT", f"/api/v1/organizations/{segment(organization_id)}/payer", body=body, if_match=if_match
        )
        return answer
