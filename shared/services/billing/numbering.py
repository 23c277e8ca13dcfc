"""The numbers of documents that are issued by themselves, beside the runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from shared.containers import INVOICES
from shared.domain.billing.documents import Numbering
from shared.domain.tenancy.organizations import Organization
from shared.services.storage import Operation, Records, Store, Stored, creating, replacing

NUMBERING = "numbering"
"""The id of the numbering in an organization's partition."""


@dataclass(frozen=True, slots=True)
class ReadNumbering:
    """The numbering as it was read, to be written in the batch of the document that takes a number."""

    organization: Organization
    stored: Stored[Numbering] | None

    def next(self, series: Literal["INV", "CN"], now: datetime) -> tuple[str, Operation]:
        """The next number, and the write that takes it. Its year is that of the organization's timezone."""
        numbering = self.stored.entity if self.stored is not None else first_numbering(self.organization)
        year = now.astimezone(ZoneInfo(self.organization.timezone)).year
        number, counted = numbering.next(series, year)
        return number, replacing(self.stored, counted) if self.stored is not None else creating(counted)


class Numberings:
    def __init__(self, store: Store) -> None:
        self._numberings = Records(store, INVOICES, Numbering)

    async def read(self, organization: Organization) -> ReadNumbering:
        return ReadNumbering(organization, await self._numberings.find(organization.id, NUMBERING))


def first_numbering(organization: Organization) -> Numbering:
    """Its name is the organization's slug, frozen at the first number."""
    return Numbering(id=NUMBERING, name=organization.slug.upper(), livemode=organization.livemode)
