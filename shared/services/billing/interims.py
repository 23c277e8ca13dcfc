"""Interim invoices: of what a change of subscriptions makes due in advance, on the day it does."""

import logging
from datetime import timedelta

from shared.domain.billing.documents import interim_id
from shared.domain.kernel.errors import UnavailableError, ValidationError
from shared.domain.kernel.times import from_text, to_text
from shared.domain.periods.periods import Span
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.interim_moments import InterimMoments, is_withdrawn
from shared.services.billing.issuing import Issuing
from shared.services.periods.periods import Periods
from shared.services.pricing.places import PlaceHistories
from shared.services.tenancy.organizations import Organizations

LOOKED_FOR = timedelta(days=3)
_INSTANT = timedelta(microseconds=1)

_log = logging.getLogger(__name__)


class Interims:
    def __init__(  # noqa: PLR0913  its neighbours
        self,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        place_histories: PlaceHistories,
        moments: InterimMoments,
        issuing: Issuing,
    ) -> None:
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._place_histories = place_histories
        self._moments = moments
        self._issuing = issuing

    async def issue(  # noqa: PLR0913  the payload
        self,
        organization_id: str,
        command_id: str,
        moment: str,
        revision: str,
        seat_commands: str,
        commanded_at: str = "",
    ) -> None:
        """What happens for `INTERIM_DUE`, however often it is repeated; `moment` is when it is due.

        Where that period has ended meanwhile, its own invoice bills what it would have. Where what was to begin then
        was withdrawn, nothing is invoiced.
        Raises `UnavailableError` where the command itself cannot be read yet.
        """
        organization = await self._organizations.made(organization_id)
        places = await self._place_histories.of(organization_id)
        if places.revision < int(revision) or organization.seat_commands < int(seat_commands):
            raise UnavailableError("The command was given a moment ago and cannot be read yet")
        if is_withdrawn(organization, places, moment, commanded_at):
            return
        open_period = await self._periods.containing(organization, self._clock.now())
        if open_period.contains(from_text(moment)):
            await self._issue(organization, interim_id(organization_id, command_id))

    async def issue_anniversaries(self, organization: Organization) -> None:
        """What begins in the open period without a command: a plan's next quarter or year, by its place and start.

        It is looked for three days. What nobody looked for by then is on the period's own invoice.
        Raises `UnavailableError`.
        """
        now = self._clock.now()
        open_period = await self._periods.containing(organization, now)
        span = Span(start=max(open_period.start, now - LOOKED_FOR), end=now + _INSTANT)
        for start, place in await self._moments.anniversaries(organization, span):
            if start == open_period.start:
                continue  # the invoice of the period before has it
            await self._issue(organization, interim_id(organization.id, f"{place}:{to_text(start)}"))

    async def _issue(self, organization: Organization, invoice_id: str) -> None:
        """What cannot be issued now, as its electronic invoice lacks a field, is on the period's own invoice."""
        try:
            await self._issuing.issue_interim(organization, invoice_id)
        except ValidationError as error:
            said = {"organization_id": organization.id, "reason": error.detail}
            _log.warning("an interim invoice is left to the period's own", extra=said)
