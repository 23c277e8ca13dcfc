"""Redemptions: coupons that lie on the periods of organizations, in one batch with the items of these periods."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.containers import CATALOG, INVOICES
from shared.domain.billing.coupons import Coupon, CouponUse, Redemption
from shared.domain.billing.discounts import Discount
from shared.domain.kernel.errors import ConflictError, ForbiddenError, UnavailableError, ValidationError
from shared.domain.kernel.histories import MAXIMUM_LEAD
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Period, parse_month
from shared.domain.periods.redeemed_spans import foreseen
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.bill import GuardedPeriod
from shared.services.billing.coupons import PARTITION, Coupons, is_redeemable
from shared.services.periods.periods import Periods
from shared.services.periods.redeemed_periods import RedeemedPeriods
from shared.services.storage import (
    Operation,
    Outbox,
    Page,
    Records,
    Store,
    Stored,
    creating,
    deleting,
    look_twice,
    replacing,
    retry_lost_races,
)
from shared.services.tenancy.organizations import Organizations

COUPON_CLAIMED = "coupon_claimed"
"""The effect of claiming one of the redemptions of a limited coupon; its value is a stored name."""
PERIODS_AT_ONCE = 60
"""How many periods that exist one redemption is written on: all of them are replaced in one batch."""
_NONE = "is no coupon that can be redeemed"


class Redemptions:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self,
        store: Store,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        coupons: Coupons,
        outbox: Outbox,
    ) -> None:
        self._store = store
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._coupons = coupons
        self._outbox = outbox
        self._claimed = outbox.sender(COUPON_CLAIMED)
        self._redeemed_periods = RedeemedPeriods(store, periods)
        self._redemptions = Records(store, INVOICES, Redemption, prefix="red")
        self._uses = Records(store, INVOICES, CouponUse)

    # Redeeming

    async def redeem(  # noqa: PLR0913  what a redemption needs
        self,
        organization: Organization,
        redemption_id: str,
        code: str,
        start: str | datetime | None,
        *,
        is_operator: bool,
        pointer: str = "/code",
    ) -> Redemption:
        """Let a coupon lie on periods: the present one and those after it, or from a month or instant on.

        Repeating it with the same id gives what was redeemed. Only the operator redeems for an earlier period, and that
        is billed again. Raises `ValidationError`, `ForbiddenError`, and `ConflictError` where it was redeemed as often
        as it can be.
        """
        made = await self._redemptions.find(organization.id, redemption_id)
        if made is not None:
            return made.entity
        now = self._clock.now()
        coupon = await look_twice(lambda: self._redeemable(organization, code, now, pointer), errors=(ValidationError,))
        first = await self._first(organization, coupon, start, now, is_operator=is_operator)
        redemption = Redemption.of(redemption_id, coupon, organization.id, organization.currency, first, now)
        await look_twice(lambda: self._check_room(coupon, redemption), errors=(ConflictError,))
        if coupon.maximum_redemptions is None:
            return await self._lie(organization, coupon, redemption)
        entry = self._claimed.entry(
            redemption_id,
            organization_id=organization.id,
            coupon_id=coupon.id,
            redemption_id=redemption_id,
            first=to_text(first),
            redeemed_at=to_text(now),
        )
        await self._coupons.claim(coupon.id, redemption_id, organization.id, entry)
        redeemed = await self._lie_or_release(organization, coupon, redemption)
        await self._outbox.forget(CATALOG.name, PARTITION, entry)
        return redeemed

    async def complete(
        self, organization_id: str, coupon_id: str, redemption_id: str, first: str, redeemed_at: str
    ) -> None:
        """What happens for `COUPON_CLAIMED`, however often it is repeated. A refused one gives its claim back."""
        if not await look_twice(
            lambda: self._coupons.is_claimed(redemption_id), is_doubtful=lambda claimed: not claimed
        ):
            return  # refused, and given back already
        organization = await self._organizations.made(organization_id)
        coupon = await self._coupons.created(coupon_id)
        times = from_text(first), from_text(redeemed_at)
        redemption = Redemption.of(redemption_id, coupon, organization_id, organization.currency, *times)
        try:
            await self._lie_or_release(organization, coupon, redemption)
        except ConflictError:
            return  # its caller was told, or will be

    async def _redeemable(self, organization: Organization, code: str, now: datetime, pointer: str) -> Coupon:
        coupon = await self._coupons.with_code(code)
        if coupon is None or not is_redeemable(coupon, now):
            raise ValidationError.at(pointer, _NONE)
        if coupon.amounts is not None and organization.currency not in coupon.amounts:
            raise ValidationError.at(pointer, f"{_NONE} in {organization.currency}, the organization's currency")
        return coupon

    async def _first(
        self,
        organization: Organization,
        coupon: Coupon,
        start: str | datetime | None,
        now: datetime,
        *,
        is_operator: bool,
    ) -> datetime:
        """An instant of the first period. Raises `ValidationError` and `ForbiddenError` for one that cannot be."""
        present = await self._periods.containing(organization, now)
        if start is None:
            return present.start
        instant = parse_month(start, organization.timezone, "/from") if isinstance(start, str) else start
        if present.contains(instant):
            return present.start
        if instant > now:
            if instant > now + MAXIMUM_LEAD:
                raise ValidationError.at("/from", f"is more than {MAXIMUM_LEAD.days} days ahead")
            return instant
        if not is_operator:
            raise ForbiddenError("Only the operator redeems a coupon for an earlier period; leave from out")
        period = await self._periods.would_contain(organization, instant)
        if period.end <= coupon.created_at:
            raise ValidationError.at("/from", "ended before the coupon was made")
        await self._periods.cover(organization, period.start, now)
        return instant

    async def _check_room(self, coupon: Coupon, redemption: Redemption) -> None:
        """Before anything is claimed. Raises `ConflictError`."""
        use = await self._uses.find(redemption.organization_id, _use_id(coupon.id))
        _check_use(coupon, redemption, use)
        index = await self._redeemed_periods.index(redemption.organization_id)
        if len(redemption.span.among(index.entity.periods)) > PERIODS_AT_ONCE:
            raise ValidationError.at("/from", f"is more than {PERIODS_AT_ONCE} periods ago")
        await self._redeemed_periods.adding(redemption.organization_id, index, redemption.span, redemption.redeemed_at)

    async def _lie_or_release(self, organization: Organization, coupon: Coupon, redemption: Redemption) -> Redemption:
        try:
            return await self._lie(organization, coupon, redemption)
        except ConflictError:
            await self._coupons.release(redemption.id)
            raise

    async def _lie(self, organization: Organization, coupon: Coupon, redemption: Redemption) -> Redemption:
        """Write the redemption with its periods, once. Raises `ConflictError` where the organization may not."""

        async def attempt() -> Redemption:
            made = await self._redemptions.find(organization.id, redemption.id)
            if made is not None:
                return made.entity
            now = self._clock.now()
            await self._periods.cover(organization, now, now)
            index = await self._redeemed_periods.index(organization.id)
            use = await self._uses.find(organization.id, _use_id(coupon.id))
            _check_use(coupon, redemption, use)
            on_periods = await self._redeemed_periods.adding(organization.id, index, redemption.span, now)
            writes = [creating(redemption), _used(coupon, redemption, use), *on_periods]
            await self._store.batch(INVOICES.name, organization.id, writes)
            return redemption

        otherwise = UnavailableError("The organization's periods are being changed by many at once")
        return await retry_lost_races(lambda: look_twice(attempt, errors=(ConflictError,)), otherwise)

    async def give_back(self, organization_id: str, redemption_id: str) -> None:
        """Take back what was redeemed beside something that was refused, as if it never had been.

        Repeating it changes nothing, and it can be redeemed again by the same id. Its periods are billed again.
        """

        async def attempt() -> None:
            made = await self._redemptions.find(organization_id, redemption_id)
            if made is None:
                return
            index = await self._redeemed_periods.index(organization_id)
            use = await self._uses.get_created(organization_id, _use_id(made.entity.coupon_id))
            others = tuple(each for each in use.entity.redemptions if each != redemption_id)
            covered = made.entity.span.among(index.entity.periods)
            off_periods = await self._redeemed_periods.removing(
                organization_id, index, redemption_id, covered, self._clock.now()
            )
            writes = [deleting(made), replacing(use, use.entity.changed(redemptions=others)), *off_periods]
            await self._store.batch(INVOICES.name, organization_id, writes)

        await retry_lost_races(
            attempt, UnavailableError("The organization's periods are being changed by many at once")
        )
        # Afterwards: where this is cut short, the coupon has one redemption less, and never one too many.
        await self._coupons.release(redemption_id)

    # Reading and ending

    async def get(self, organization_id: str, redemption_id: str) -> Stored[Redemption]:
        """Raises `NotFoundError`."""
        return await self._redemptions.get(organization_id, redemption_id)

    async def page(self, organization_id: str, limit: int, cursor: str | None) -> Page[Redemption]:
        """Newest first."""
        return await self._redemptions.page(organization_id, descending=True, limit=limit, cursor=cursor)

    async def periods_of(
        self, organization: Organization, redemptions: Sequence[Redemption]
    ) -> list[tuple[list[Period], bool]]:
        """The periods of each in their order, and whether they are all: without an end only those that exist."""
        created = await self._periods.created(organization.id)
        return [
            (foreseen(span, created, organization.calendars), span.count is not None or span.until is not None)
            for span in (redemption.span for redemption in redemptions)
        ]

    async def end(self, organization: Organization, redemption_id: str) -> Redemption:
        """End it with the present period; repeating it changes nothing. Raises `NotFoundError`."""

        async def decided() -> Redemption:
            now = self._clock.now()
            present = await self._periods.containing(organization, now)
            stored = await self._redemptions.get(organization.id, redemption_id)
            before = stored.entity
            if before.ended_at is not None:
                return before
            index = await self._redeemed_periods.index(organization.id)
            after = before.changed(ended_at=now, until=present.end)
            remaining = after.span.among(index.entity.periods)
            removed = [period for period in before.span.among(index.entity.periods) if period not in remaining]
            off_periods = await self._redeemed_periods.removing(organization.id, index, redemption_id, removed, now)
            await self._store.batch(INVOICES.name, organization.id, [replacing(stored, after), *off_periods])
            return after

        otherwise = ConflictError("The organization's periods are being changed by many at once; try again")
        return await retry_lost_races(decided, otherwise)

    # What bills ask

    async def discounts(
        self, organization: Organization, guarded_periods: Sequence[GuardedPeriod]
    ) -> Mapping[datetime, Sequence[Discount]]:
        """What coupons take off these periods, by their start. Raises `UnavailableError`."""
        to_come = [guarded.period for guarded in guarded_periods if guarded.stored is None]
        by_start = await self._redeemed_periods.on(organization, to_come)
        for guarded in guarded_periods:
            if guarded.stored is not None:
                by_start[guarded.period.start] = guarded.stored.entity.redemptions
        wanted = {redemption_id for redemptions in by_start.values() for redemption_id in redemptions}
        if not wanted:
            return {}
        known = await self._redemptions.get_many(organization.id, wanted)
        if len(known) < len(wanted):
            raise UnavailableError("A coupon was redeemed a moment ago and cannot be read yet")
        discounts = {
            redemption_id: stored.entity.discount(
                await self._coupons.models_of(stored.entity.plans, organization.currency)
            )
            for redemption_id, stored in known.items()
        }
        return {
            start: [discounts[redemption_id] for redemption_id in redemptions]
            for start, redemptions in by_start.items()
        }


def _use_id(coupon_id: str) -> str:
    return f"coupon_use:{coupon_id}"


def _check_use(coupon: Coupon, redemption: Redemption, use: Stored[CouponUse] | None) -> None:
    """Raises `ConflictError`."""
    redeemed = () if use is None else use.entity.redemptions
    if redemption.id not in redeemed and len(redeemed) >= coupon.per_organization:
        raise ConflictError("The organization has redeemed the coupon as often as it can")


def _used(coupon: Coupon, redemption: Redemption, use: Stored[CouponUse] | None) -> Operation:
    if use is None:
        return creating(CouponUse(id=_use_id(coupon.id), redemptions=(redemption.id,)))
    return replacing(use, use.entity.changed(redemptions=(*use.entity.redemptions, redemption.id)))
