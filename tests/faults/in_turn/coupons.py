"""Coupons that are redeemed and ended."""

from decimal import Decimal

from shared.bootstrap import Application
from shared.domain.billing.coupons import CouponDraft
from shared.domain.kernel.errors import ConflictError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, Documents
from tests.faults.in_turn.account import AccountPath
from tests.faults.in_turn.path import Result

COUPON, REDEMPTION = named_id("coup", "faults"), named_id("red", "faults")
UNREADABLE = (ConflictError, NotFoundError, ValidationError)


class CouponPath(AccountPath):
    async def prepare(self) -> None:
        draft = CouponDraft(
            code="HALF", name="Half", percent=Decimal(50), duration="periods", periods=2, maximum_redemptions=3
        )
        await self.scene.host().account.coupons.create(COUPON, draft)

    async def redeem(self, host: Application) -> None:
        """For March and April."""
        organization = await host.organizations.made(ORGANIZATION)
        try:
            await host.account.redemptions.redeem(organization, REDEMPTION, "HALF", None, is_operator=False)
        except UNREADABLE as error:
            raise UnavailableError("The client tries again") from error

    async def result(self) -> Result:
        """The discount of each month by all documents, and how often the coupon counts as redeemed."""
        months = await super().result()
        host = self.scene.host()
        redeemed = (await host.account.coupons.get(COUPON)).entity.redeemed
        page = await host.account.redemptions.page(ORGANIZATION, 100, None)
        assert [each.id for each in page.entities] == [REDEMPTION]
        return Result((months.exact, redeemed, discounts(await self.owed())), months.undisturbed)


def discounts(documents: Documents) -> dict[str, Decimal]:
    amounts: dict[str, Decimal] = {}
    for header, lines in documents:
        off = -sum(line.amount for line in lines if line.discount is not None)
        assert off == sum(each.amount for each in getattr(header, "discounts", ())) or header.total < 0
        for line in lines:
            if line.discount is not None:
                month = f"{line.period.start:%Y-%m}"
                amounts[month] = amounts.get(month, Decimal(0)) - line.amount
    return amounts


class RedeemCoupon(CouponPath):
    """A client redeems a limited coupon in March, and March and April are invoiced."""

    async def walk(self, host: Application) -> None:
        await self.redeem(host)


class EndRedemption(CouponPath):
    """It is ended in March: April is billed without it."""

    async def prepare(self) -> None:
        await super().prepare()
        await self.redeem(self.scene.host())

    async def walk(self, host: Application) -> None:
        organization = await host.organizations.made(ORGANIZATION)
        try:
            await host.account.redemptions.end(organization, REDEMPTION)
        except UNREADABLE as error:
            raise UnavailableError("The client tries again") from error
