"""Coupons of the operator's catalog, and what organizations have redeemed of them. A coupon never changes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.domain.billing.discounts import Discount
from shared.domain.kernel.audit import FOLLOWS, Audit, Audited, usual_verb
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.money import Currency, ExactDecimal, NonNegativeAmount, RoundedAmount, exponent_of, round_to
from shared.domain.kernel.times import Instant, SentInstant
from shared.domain.kernel.validation import Length, refusal
from shared.domain.kernel.validation_messages import Expected
from shared.domain.kernel.value import Value
from shared.domain.periods.redeemed_spans import RedeemedSpan

MAXIMUM_PERIODS = 60
MAXIMUM_CURRENCIES = 20
MAXIMUM_CHARGES = 100
MAXIMUM_PLANS = 20
MAXIMUM_REDEMPTIONS = 10**9
MAXIMUM_PER_ORGANIZATION = 100

Duration = Literal["once", "periods", "forever"]
"""For how many billing periods a coupon counts: one, so many, or all from the first one on."""

CouponCode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$"),
    Expected("1 to 64 letters, digits, _ and -, such as WELCOME20"),
]
ChargeKey = Annotated[str, StringConstraints(min_length=1, max_length=100)]
PlanReference = Annotated[str, StringConstraints(min_length=1, max_length=64)]


def _percent(value: Decimal) -> Decimal:
    if not 0 < value <= 100:  # noqa: PLR2004  percent
        raise ValueError("has to be more than 0 and at most 100")
    return value


def _amounts(amounts: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    for currency, amount in amounts.items():
        if amount <= 0:
            raise refusal(((currency,), "has to be more than 0"))
        if amount != round_to(amount, exponent_of(currency)):
            raise refusal(((currency,), "is finer than the minor unit of the currency"))
    return amounts


class CouponDraft(Value):
    """A coupon as it is sent. It never changes; it can only be archived."""

    code: CouponCode
    """By which it is redeemed; upper and lower case are the same."""
    name: str = Field(min_length=1, max_length=200)
    """What invoices say."""
    percent: Annotated[NonNegativeAmount, AfterValidator(_percent)] | None = None
    """What it takes off of each period, in percent; or `amounts`."""
    amounts: (
        Annotated[Mapping[Currency, NonNegativeAmount], Length(1, MAXIMUM_CURRENCIES), AfterValidator(_amounts)] | None
    ) = None
    """What it takes off of each period at most, by currency; or `percent`."""
    duration: Duration
    """`once`: one billing period. `periods`: so many. `forever`: all from the first one on."""
    periods: int | None = Field(default=None, ge=1, le=MAXIMUM_PERIODS)
    """For how many billing periods it counts, with the duration `periods`."""
    charges: Annotated[tuple[ChargeKey, ...], Length(1, MAXIMUM_CHARGES)] | None = None
    """The keys of the charges that it is for; null for all."""
    plans: Annotated[tuple[PlanReference, ...], Length(1, MAXIMUM_PLANS)] | None = None
    """The keys or ids of the plans whose lines it is for; null for all lines."""
    redeem_by: SentInstant | None = None
    """Until when it can be redeemed."""
    maximum_redemptions: int | None = Field(default=None, ge=1, le=MAXIMUM_REDEMPTIONS)
    """How often it can be redeemed in all; null for as often as anybody wants."""
    per_organization: int = Field(default=1, ge=1, le=MAXIMUM_PER_ORGANIZATION)
    """How often one organization can redeem it."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.percent is None) == (self.amounts is None):
            raise refusal((("percent",), "or amounts is needed, and not both"))
        if (self.duration == "periods") != (self.periods is not None):
            detail = "is needed with the duration periods" if self.periods is None else "needs the duration periods"
            raise refusal((("periods",), detail))
        return self


def _verb(before: Any, after: Any) -> str:  # noqa: ANN401  coupons
    is_archived = before is not None and after is not None and before.archived_at != after.archived_at
    return "archive" if is_archived else usual_verb(before, after)


class Coupon(Entity):
    """What can be redeemed."""

    kind: ClassVar[str] = "coupon"
    audit: ClassVar[Audit] = Audited(area="coupons", verb=_verb, ignored=frozenset({"redeemed"}))

    code: str
    name: str
    percent: ExactDecimal | None = None
    amounts: dict[str, ExactDecimal] | None = None
    duration: Duration
    periods: int | None = None
    charges: tuple[str, ...] | None = None
    plans: tuple[str, ...] | None = None
    """Their ids."""
    redeem_by: Instant | None = None
    maximum_redemptions: int | None = None
    per_organization: int = 1
    created_at: Instant
    archived_at: Instant | None = None
    """Since when nobody can redeem it; who has redeemed it keeps it."""
    redeemed: int = 0
    """How often it was redeemed; counted only where that is limited."""

    @property
    def count(self) -> int | None:
        """For how many periods it counts; None for all."""
        return 1 if self.duration == "once" else self.periods

    @property
    def is_used_up(self) -> bool:
        return self.maximum_redemptions is not None and self.redeemed >= self.maximum_redemptions


class CouponClaim(Entity):
    """One of the redemptions that a limited coupon has, in the catalog beside it."""

    kind: ClassVar[str] = "coupon_claim"
    audit: ClassVar[Audit] = FOLLOWS
    coupon_id: str
    organization_id: str


def _redemption_verb(before: Any, after: Any) -> str:  # noqa: ANN401  redemptions
    if before is None:
        return "redeem"
    return "end" if after is not None and before.ended_at != after.ended_at else usual_verb(before, after)


class Redemption(Entity):
    """A coupon as an organization has redeemed it, with all that its discount is computed from."""

    kind: ClassVar[str] = "redemption"
    audit: ClassVar[Audit] = Audited(area="coupons", verb=_redemption_verb)

    organization_id: str
    coupon_id: str
    code: str
    name: str
    percent: ExactDecimal | None = None
    amount: RoundedAmount | None = None
    """In the organization's currency."""
    charges: tuple[str, ...] | None = None
    plans: tuple[str, ...] | None = None
    """Their ids."""
    first: Instant
    """An instant of its first period."""
    count: int | None = None
    """For how many periods it counts; None for all from the first one on."""
    redeemed_at: Instant
    ended_at: Instant | None = None
    """When it was ended."""
    until: Instant | None = None
    """The end of its last period, where it was ended."""

    @classmethod
    def of(  # noqa: PLR0913  what a redemption has
        cls, redemption_id: str, coupon: Coupon, organization_id: str, currency: str, first: datetime, now: datetime
    ) -> Self:
        """The coupon as it is redeemed now, from the period of an instant on."""
        amount = None if coupon.amounts is None else coupon.amounts[currency]
        return cls(
            id=redemption_id,
            organization_id=organization_id,
            coupon_id=coupon.id,
            code=coupon.code,
            name=coupon.name,
            percent=coupon.percent,
            amount=None if amount is None else round_to(amount, exponent_of(currency)),
            charges=coupon.charges,
            plans=coupon.plans,
            first=first,
            count=coupon.count,
            redeemed_at=now,
        )

    @property
    def span(self) -> RedeemedSpan:
        return RedeemedSpan(redemption_id=self.id, first=self.first, count=self.count, until=self.until)

    def discount(self, models: frozenset[str] | None) -> Discount:
        """What it takes off, with the billing models of its plans; None without plans."""
        return Discount(
            redemption_id=self.id,
            name=self.name,
            redeemed_at=self.redeemed_at,
            percent=self.percent,
            amount=self.amount,
            charges=None if self.charges is None else frozenset(self.charges),
            models=models,
        )


class CouponUse(Entity):
    """How often an organization has redeemed a coupon: the guard of how often it may."""

    kind: ClassVar[str] = "coupon_use"
    audit: ClassVar[Audit] = FOLLOWS
    redemptions: tuple[str, ...] = ()
    """Their ids, those that were ended, too."""
