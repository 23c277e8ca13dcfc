"""Methods of `billing`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xyra import models
from xyra.connection import AsyncConnection, Connection, segment
from xyra.listing import AsyncListing, Listing


class Billing:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_payments(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        invoice: str | None = None,
        from_: str | None = None,
    ) -> Listing[models.PaymentAnswer]:
        """Payments, by when they came, newest first."""
        return Listing(
            self._connection,
            "GET",
            "/api/v1/billing/payments",
            query={"organization_id": organization_id, "limit": limit, "invoice": invoice, "from": from_},
        )

    def get_payment(self, payment_id: str, *, organization_id: str | None = None) -> models.PaymentAnswer:
        """One payment."""
        answer: models.PaymentAnswer = self._connection.call(
            "GET", f"/api/v1/billing/payments/{segment(payment_id)}", query={"organization_id": organization_id}
        )
        return answer

    def list_credit_packages(self, *, organization_id: str | None = None) -> models.CreditPackageList:
        """What credits can be bought, and for how much."""
        answer: models.CreditPackageList = self._connection.call(
            "GET", "/api/v1/billing/credit-packages", query={"organization_id": organization_id}
        )
        return answer

    def put_credit_package(
        self,
        package_id: str,
        body: models.CreditPackageRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.CreditPackageAnswer:
        """Set what a credit package has and costs from now on."""
        answer: models.CreditPackageAnswer = self._connection.call(
            "PUT",
            f"/api/v1/billing/credit-packages/{segment(package_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    def get_payment_config(self, *, organization_id: str | None = None) -> models.ConfigAnswer:
        """What a page needs to load Stripe.js."""
        answer: models.ConfigAnswer = self._connection.call(
            "GET", "/api/v1/billing/config", query={"organization_id": organization_id}
        )
        return answer

    def create_customer(
        self, body: models.CustomerRequest | None = None, *, organization_id: str | None = None
    ) -> models.CustomerAnswer:
        """Create the organization's customer at Stripe, once; later requests get the same one."""
        answer: models.CustomerAnswer = self._connection.call(
            "POST",
            "/api/v1/billing/customer",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def get_customer(self, *, organization_id: str | None = None) -> models.CustomerAnswer:
        """The organization's customer at Stripe."""
        answer: models.CustomerAnswer = self._connection.call(
            "GET", "/api/v1/billing/customer", query={"organization_id": organization_id}
        )
        return answer

    def create_setup_intent(
        self, body: models.SetupIntentRequest | None = None, *, organization_id: str | None = None
    ) -> models.SetupIntentAnswer:
        """Begin to store a payment method: the page goes on with Stripe.js."""
        answer: models.SetupIntentAnswer = self._connection.call(
            "POST",
            "/api/v1/billing/setup-intent",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def list_payment_methods(self, *, organization_id: str | None = None) -> models.PaymentMethodList:
        """The organization's payment methods at Stripe."""
        answer: models.PaymentMethodList = self._connection.call(
            "GET", "/api/v1/billing/payment-methods", query={"organization_id": organization_id}
        )
        return answer

    def set_default_payment_method(
        self, payment_method_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.PaymentMethodAnswer:
        """Charge this payment method where none is named."""
        answer: models.PaymentMethodAnswer = self._connection.call(
            "PUT",
            f"/api/v1/billing/payment-methods/{segment(payment_method_id)}/default",
            query={"organization_id": organization_id},
            if_match=if_match,
        )
        return answer

    def remove_payment_method(
        self, payment_method_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> None:
        """Take a payment method away from the organization."""
        self._connection.call(
            "DELETE",
            f"/api/v1/billing/payment-methods/{segment(payment_method_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    def take_stripe_webhook(
        self, body: Mapping[str, Any], *, organization_id: str | None = None
    ) -> models.ReceivedAnswer:
        """Take an event of Stripe, signed with a secret of this deployment."""
        answer: models.ReceivedAnswer = self._connection.call(
            "POST",
            "/api/v1/billing/stripe/webhook",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    def list_public_plans(self, *, organization_id: str | None = None) -> models.PublicPlanList:
        """The public plans, with what they cost; oldest first."""
        answer: models.PublicPlanList = self._connection.call(
            "GET", "/api/v1/billing/plans", query={"organization_id": organization_id}
        )
        return answer


class AsyncBilling:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    def list_payments(
        self,
        *,
        organization_id: str | None = None,
        limit: int | None = None,
        invoice: str | None = None,
        from_: str | None = None,
    ) -> AsyncListing[models.PaymentAnswer]:
        """Payments, by when they came, newest first."""
        return AsyncListing(
            self._connection,
            "GET",
            "/api/v1/billing/payments",
            query={"organization_id": organization_id, "limit": limit, "invoice": invoice, "from": from_},
        )

    async def get_payment(self, payment_id: str, *, organization_id: str | None = None) -> models.PaymentAnswer:
        """One payment."""
        answer: models.PaymentAnswer = await self._connection.call(
            "GET", f"/api/v1/billing/payments/{segment(payment_id)}", query={"organization_id": organization_id}
        )
        return answer

    async def list_credit_packages(self, *, organization_id: str | None = None) -> models.CreditPackageList:
        """What credits can be bought, and for how much."""
        answer: models.CreditPackageList = await self._connection.call(
            "GET", "/api/v1/billing/credit-packages", query={"organization_id": organization_id}
        )
        return answer

    async def put_credit_package(
        self,
        package_id: str,
        body: models.CreditPackageRequest,
        *,
        organization_id: str | None = None,
        if_match: str | None = None,
    ) -> models.CreditPackageAnswer:
        """Set what a credit package has and costs from now on."""
        answer: models.CreditPackageAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/billing/credit-packages/{segment(package_id)}",
            query={"organization_id": organization_id},
            body=body,
            if_match=if_match,
        )
        return answer

    async def get_payment_config(self, *, organization_id: str | None = None) -> models.ConfigAnswer:
        """What a page needs to load Stripe.js."""
        answer: models.ConfigAnswer = await self._connection.call(
            "GET", "/api/v1/billing/config", query={"organization_id": organization_id}
        )
        return answer

    async def create_customer(
        self, body: models.CustomerRequest | None = None, *, organization_id: str | None = None
    ) -> models.CustomerAnswer:
        """Create the organization's customer at Stripe, once; later requests get the same one."""
        answer: models.CustomerAnswer = await self._connection.call(
            "POST",
            "/api/v1/billing/customer",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def get_customer(self, *, organization_id: str | None = None) -> models.CustomerAnswer:
        """The organization's customer at Stripe."""
        answer: models.CustomerAnswer = await self._connection.call(
            "GET", "/api/v1/billing/customer", query={"organization_id": organization_id}
        )
        return answer

    async def create_setup_intent(
        self, body: models.SetupIntentRequest | None = None, *, organization_id: str | None = None
    ) -> models.SetupIntentAnswer:
        """Begin to store a payment method: the page goes on with Stripe.js."""
        answer: models.SetupIntentAnswer = await self._connection.call(
            "POST",
            "/api/v1/billing/setup-intent",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def list_payment_methods(self, *, organization_id: str | None = None) -> models.PaymentMethodList:
        """The organization's payment methods at Stripe."""
        answer: models.PaymentMethodList = await self._connection.call(
            "GET", "/api/v1/billing/payment-methods", query={"organization_id": organization_id}
        )
        return answer

    async def set_default_payment_method(
        self, payment_method_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> models.PaymentMethodAnswer:
        """Charge this payment method where none is named."""
        answer: models.PaymentMethodAnswer = await self._connection.call(
            "PUT",
            f"/api/v1/billing/payment-methods/{segment(payment_method_id)}/default",
            query={"organization_id": organization_id},
            if_match=if_match,
        )
        return answer

    async def remove_payment_method(
        self, payment_method_id: str, *, organization_id: str | None = None, if_match: str | None = None
    ) -> None:
        """Take a payment method away from the organization."""
        await self._connection.call(
            "DELETE",
            f"/api/v1/billing/payment-methods/{segment(payment_method_id)}",
            query={"organization_id": organization_id},
            if_match=if_match,
        )

    async def take_stripe_webhook(
        self, body: Mapping[str, Any], *, organization_id: str | None = None
    ) -> models.ReceivedAnswer:
        """Take an event of Stripe, signed with a secret of this deployment."""
        answer: models.ReceivedAnswer = await self._connection.call(
            "POST",
            "/api/v1/billing/stripe/webhook",
            query={"organization_id": organization_id},
            body=body,
            is_repeatable=False,
        )
        return answer

    async def list_public_plans(self, *, organization_id: str | None = None) -> models.PublicPlanList:
        """The public plans, with what they cost; oldest first."""
        answer: models.PublicPlanList = await self._connection.call(
            "GET", "/api/v1/billing/plans", query={"organization_id": organization_id}
        )
        return answer
