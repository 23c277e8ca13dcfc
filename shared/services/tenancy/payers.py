"""Payers: an organization may spend the credits of another one, from a period that is not created yet on."""

from datetime import datetime

from shared.domain.kernel.errors import NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.histories import MINIMUM_LEAD
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.periods.periods import Periods
from shared.services.tenancy.organizations import Organizations


class PayerChanges:
    """One level deep: who pays for others has no payer.

    Both sides are told on the record of the organization that they concern, under its ETag: first the payer, that it is
    one, then the organization, who pays for it.
    """

    def __init__(self, clock: Clock, organizations: Organizations, periods: Periods) -> None:
        self._clock = clock
        self._organizations = organizations
        self._periods = periods

    async def put(self, organization_id: str, payer_id: str | None) -> Organization:
        """The organization with another payer, or None for itself. Safe to repeat.

        Raises `ValidationError`, and `UnavailableError` where the payer cannot be read yet.
        """
        organization = await self._organizations.get(organization_id)
        mark: int | None = None
        if payer_id is not None:
            _refuse_where(payer_id == organization_id, "is the organization itself: send null for that")
            _refuse_payers(organization)
            mark = await self._mark(organization, payer_id)

        async def decide(current: Organization) -> Organization:
            if payer_id is not None:
                _refuse_payers(current)
            now = self._clock.now()
            start = await self._start(current, payer_id, now)
            return current.changed(payers=current.rescheduled_payers(payer_id, start, now))

        try:
            return (await self._organizations.change(organization_id, decide)).entity
        except ValidationError:
            if payer_id is not None and mark is not None:
                await self._unmark(payer_id, mark)
            raise

    async def _start(self, organization: Organization, payer_id: str | None, now: datetime) -> datetime | None:
        """When the first period begins that is not created yet; None where the payer is that of all periods.

        Where there is no period, the present one is created with that payer. So a read that misses periods decides
        nothing, and a host that does not know the payer yet finds it in the period.
        """
        start = await self._periods.first_to_come(organization, now, now + MINIMUM_LEAD)
        if start is not None:
            return start
        paid = organization.changed(payers=organization.rescheduled_payers(payer_id, None, now))
        period = await self._periods.containing(paid, now)
        if await self._periods.payer_of(paid, period) == paid.payer_at(period.start):
            return None
        return (await self._periods.cover(paid, now, now + MINIMUM_LEAD))[-1].end

    async def _mark(self, organization: Organization, payer_id: str) -> int | None:
        """Its number, where nobody had marked the payer before."""
        now = self._clock.now()
        was_payer = False

        def decide(payer: Organization) -> Organization:
            nonlocal was_payer
            was_payer = payer.is_payer
            _refuse_where(payer.currency != organization.currency, f"has another currency: {payer.currency}")
            _refuse_where(payer.status == "deleted", "is deleted")
            _refuse_where(_has_payer(payer, now), "has a payer itself")
            return payer.changed(is_payer=True, payer_marks=payer.payer_marks + 1)

        try:
            payer = (await self._organizations.change(payer_id, decide)).entity
        except NotFoundError:
            raise UnavailableError("The payer was made a moment ago and cannot be read yet") from None
        return None if was_payer else payer.payer_marks

    async def _unmark(self, payer_id: str, mark: int) -> None:
        """Of two organizations that are to pay for each other at once neither stays a payer.

        Nothing happens where another change has marked it since.
        """

        def decide(payer: Organization) -> Organization:
            return payer.changed(is_payer=False) if payer.payer_marks == mark else payer

        await self._organizations.change(payer_id, decide)


def _refuse_payers(organization: Organization) -> None:
    _refuse_where(organization.is_payer, "cannot be given: the organization pays, or has paid, for another one")


def _has_payer(organization: Organization, now: datetime) -> bool:
    """Now, or from some time on."""
    entries = organization.payers.entries[organization.payers.index_at(now) or 0 :]
    return any(entry.value is not None for entry in entries)


def _refuse_where(is_wrong: bool, detail: str) -> None:
    if is_wrong:
        raise ValidationError.at("/payer_id", detail)
