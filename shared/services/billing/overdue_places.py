"""Overdue places: those whose fees stand on an invoice that should have been paid."""

from collections.abc import Mapping

from shared.domain.billing.documents import Invoice
from shared.domain.pricing.places import Places
from shared.ports.clock import Clock
from shared.services.billing.documents import BillingDocuments
from shared.services.pricing.places import PlaceHistories

MAXIMUM_INVOICES = 100
"""The newest ones that are open: of older ones no place is told."""


class OverduePlaces:
    def __init__(self, clock: Clock, place_histories: PlaceHistories, documents: BillingDocuments) -> None:
        self._clock = clock
        self._place_histories = place_histories
        self._documents = documents

    async def of(self, organization_id: str) -> frozenset[str]:
        """The places with lines on an overdue invoice, whichever subscription these are of."""
        overdue: list[Invoice] = []
        for status in ("pending", "overdue"):  # in the order in which the hourly run moves them, so that none is missed
            page = await self._documents.invoices(organization_id, status, MAXIMUM_INVOICES, None)
            overdue += [invoice for invoice in page.entities if self._is_overdue(invoice)]
        if not overdue:
            return frozenset()
        place_of = await self._place_of_model(await self._place_histories.of(organization_id))
        wanted, found = set(place_of.values()), set[str]()
        for invoice in overdue:
            if found == wanted:
                break
            lines = await self._documents.lines(organization_id, invoice)
            found |= {place_of[line.model_id] for line in lines if line.model_id in place_of and line.amount > 0}
        return frozenset(found)

    def _is_overdue(self, invoice: Invoice) -> bool:
        return invoice.payable_by is not None and invoice.payable_by < self._clock.now() and invoice.amount_due > 0

    async def _place_of_model(self, places: Places) -> Mapping[str | None, str]:
        """By the billing model that prices a plan: each is for plans of one place."""
        versions = (await self._place_histories.prices(places)).versions
        return {
            versions[entry.value.charges_id].model_id: place
            for place, history in places.fees.items()
            for entry in history.entries
        }
