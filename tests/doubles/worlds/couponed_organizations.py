"""Organizations whose subscriptions change at random and that redeem coupons, and what then has to be billed.

The discounts are worked out from the oracle's lines in whole minor units; no code is shared with what is judged.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shared.domain.billing.coupons import CouponDraft
from shared.domain.kernel.ids import named_id
from tests.doubles.fakes.faulty_store import QUIET, Faults
from tests.doubles.worlds.fee_oracle import FeeOracle, Key, Month
from tests.doubles.worlds.subscribed_organizations import CURRENCIES, Subscribed

COUPONS: tuple[dict[str, Any], ...] = (
    {"percent": "20", "duration": "forever"},
    {"percent": "33.3", "duration": "periods", "periods": 2, "charges": ["seats", "calls"]},
    {"amount": "50", "duration": "periods", "periods": 3},
    {"amount": "7", "duration": "once", "charges": ["fee"]},
    {"percent": "50", "duration": "forever", "plans": ["large", "extra"]},
)
HOW_OFTEN = 4
"""One of so many acts is about coupons."""


@dataclass
class Redeemed:
    """A coupon as it was redeemed, for the month of an instant and those after it."""

    id: str
    coupon: dict[str, Any]
    at: datetime
    first: datetime
    until: datetime | None = None

    def is_for(self, key: Key) -> bool:
        _, plan, charge = key
        is_charge = "charges" not in self.coupon or charge in self.coupon["charges"]
        return is_charge and ("plans" not in self.coupon or plan in self.coupon["plans"])

    def covers(self, month: Month, months: list[Month]) -> bool:
        first = next(place for place, each in enumerate(months) if self.first < each.end)
        count = {"once": 1, "forever": len(months)}.get(self.coupon["duration"], self.coupon.get("periods", 0))
        is_within = first <= months.index(month) < first + count
        return is_within and (self.until is None or month.start < self.until)


@dataclass
class DiscountedOracle(FeeOracle):
    """What is due after discounts."""

    redeemed: list[Redeemed] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    """The id of each plan's billing model, by which ties are broken."""

    def due(self, now: datetime) -> dict[Key, Decimal]:
        amounts = super().due(now)
        months = self.months(now)
        for month in months:
            on_month = [each for each in self.redeemed if each.covers(month, months)]
            of_month = {key: amount for key, amount in amounts.items() if key[0] == month.name}
            amounts |= self._after(of_month, on_month)
        return {key: amount for key, amount in amounts.items() if amount}

    def _after(self, amounts: dict[Key, Decimal], redeemed: list[Redeemed]) -> dict[Key, Decimal]:
        units = Decimal(10) ** self.exponent
        left = {key: int(amount * units) for key, amount in amounts.items()}
        is_whole = lambda each: "charges" not in each.coupon and "plans" not in each.coupon  # noqa: E731
        for each in sorted(redeemed, key=lambda each: (is_whole(each), each.at, each.id)):
            covered = [key for key in left if left[key] > 0 and each.is_for(key)]
            covered.sort(key=lambda key: f"{self.models[key[1]]}/{key[2]}/-")
            whole = sum(left[key] for key in covered)
            if "percent" in each.coupon:
                off = int((whole * Decimal(each.coupon["percent"]) / 100).quantize(Decimal(1), ROUND_HALF_UP))
            else:
                off = min(int(Decimal(each.coupon["amount"]) * units), whole)
            shares = {key: divmod(off * left[key], whole) for key in covered}
            rest = off - sum(share for share, _ in shares.values())
            raised = sorted(covered, key=lambda key: -shares[key][1])[:rest]
            for key, (share, _) in shares.items():
                left[key] -= share + (key in raised)
        return {key: Decimal(cents) / units for key, cents in left.items()}


class Couponed(Subscribed):
    """It redeems coupons, ends them, and the operator redeems some for months that were invoiced."""

    def __init__(self, seed: int, faults: Faults = QUIET) -> None:
        super().__init__(seed, faults)
        self.oracle: DiscountedOracle = DiscountedOracle(self.oracle.timezone, CURRENCIES[self.currency])
        self._begun = self.clock.now()

    async def set_up(self) -> None:
        await super().set_up()
        self.oracle.models = {plan: model for model, plan in self.models.items()}
        for number, coupon in enumerate(COUPONS):
            offered: dict[str, Any] = {"code": f"C{number}", "name": f"Coupon {number}", "per_organization": 3}
            offered |= {name: value for name, value in coupon.items() if name != "amount"}
            if "amount" in coupon:
                offered["amounts"] = {self.currency: coupon["amount"]}
            draft = CouponDraft.model_validate(offered | {"maximum_redemptions": 100 if number % 2 else None})
            await self.observer.account.coupons.create(named_id("coup", number), draft)

    async def _act(self) -> None:
        if self.chance.randrange(HOW_OFTEN):
            await super()._act()
        elif self.chance.randrange(3):
            await self._redeem()
        else:
            await self._end()

    async def _redeem(self) -> None:
        number = self.chance.randrange(len(COUPONS))
        if sum(each.coupon is COUPONS[number] for each in self.oracle.redeemed) >= 3:
            return
        now = self.clock.now()
        back = timedelta(days=self.chance.choice((0, 0, 0, 35, 65)))
        first = max(now - back, self._begun)
        redemption_id = named_id("red", self.id, len(self.oracle.redeemed))
        organization = await self.observer.organizations.get(self.id)
        await self._insisted(
            lambda host: host.account.redemptions.redeem(
                organization, redemption_id, f"C{number}", first if back else None, is_operator=True
            )
        )
        self.oracle.redeemed.append(Redeemed(redemption_id, COUPONS[number], now, first))

    async def _end(self) -> None:
        going_on = [each for each in self.oracle.redeemed if each.until is None]
        if not going_on:
            return
        ended = self.chance.choice(going_on)
        organization = await self.observer.organizations.get(self.id)
        await self._insisted(lambda host: host.account.redemptions.end(organization, ended.id))
        ended.until = self.oracle.month_of(self.clock.now()).end
