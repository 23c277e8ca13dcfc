"""Interim invoices: of what a change of subscriptions makes due in advance, on the day it does."""

from shared.domain.billing.documents import interim_id
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.times import from_text
from shared.ports.clock import Clock
from shared.services.billing.issuing import Issuing
from shared.services.periods.periods import Periods
from shared.services.pricing.places import PlaceHistories
from shared.services.tenancy.organizations import Organizations

INTERIM_DUE = "interim_due"
"""The effect of a command that changes what is due in advance; its value is a stored name."""


class Interims:
    def __init__(
        self,
        clock: Clock,
        organizations: Organizations,
        periods: Periods,
        place_histories: PlaceHistories,
        issuing: Issuing,
    ) -> None:
        self._clock = clock
        self._organizations = organizations
        self._periods = periods
        self._place_histories = place_histories
        self._issuing = issuing

    async def issue(
        self, organization_id: str, command_id: str, moment: str, revision: str, seat_commands: str
    ) -> None:
        """What happens for `INTERIM_DUE`, however often it is repeated; `moment` is when it is due.

        Where that period has ended meanwhile, its own invoice bills what it would have.
        Raises `UnavailableError` where the command itself cannot be read yet.
        """
        organization = await self._organizations.made(organization_id)
        places = await self._place_histories.of(organization_id)
        if places.revision < int(revision) or organization.seat_commands < int(seat_commands):
            raise UnavailableError("The command was given a moment ago and cannot be read yet")
        open_period = await self._periods.containing(organization, self._clock.now())
        if open_period.contains(from_text(moment)):
            await self._issuing.issue_interim(organization, interim_id(organization_id, command_id))
