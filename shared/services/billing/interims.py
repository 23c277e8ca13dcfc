"""Interim invoices: of what a change of subscriptions makes due in advance, on the day it does."""

from shared.domain.billing.documents import interim_id
from shared.domain.kernel.errors import UnavailableError
from shared.services.billing.issuing import Issuing
from shared.services.pricing.places import PlaceHistories
from shared.services.tenancy.organizations import Organizations

INTERIM_DUE = "interim_due"
"""The effect of a command that changes what is due in advance; its value is a stored name."""


class Interims:
    def __init__(self, organizations: Organizations, place_histories: PlaceHistories, issuing: Issuing) -> None:
        self._organizations = organizations
        self._place_histories = place_histories
        self._issuing = issuing

    async def issue(self, organization_id: str, command_id: str, revision: str, seat_commands: str) -> None:
        """What happens for `INTERIM_DUE`, however often it is repeated.

        Raises `UnavailableError` where the command itself cannot be read yet.
        """
        organization = await self._organizations.made(organization_id)
        places = await self._place_histories.of(organization_id)
        if places.revision < int(revision) or organization.seat_commands < int(seat_commands):
            raise UnavailableError("The command was given a moment ago and cannot be read yet")
        await self._issuing.issue_interim(organization, interim_id(organization_id, command_id))
