"""Paid cycles: whether anything of a plan's fees in advance is still owed for a cycle."""

from shared.domain.kernel.money import total
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.domain.pricing.places import Places
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.bills import Bills
from shared.services.billing.documents import BillingDocuments
from shared.services.periods.periods import Periods
from shared.services.pricing.places import PlaceHistories


class PaidCycles:
    def __init__(
        self,
        clock: Clock,
        periods: Periods,
        place_histories: PlaceHistories,
        bills: Bills,
        documents: BillingDocuments,
    ) -> None:
        self._clock = clock
        self._periods = periods
        self._place_histories = place_histories
        self._bills = bills
        self._documents = documents

    async def is_paid(self, organization: Organization, places: Places, place: str, cycle: Period) -> bool:
        """Whether all fees in advance at a place for a cycle are billed, and all invoices with them paid.

        What was waived is not owed. Raises `UnavailableError`.
        """
        model_ids = await self._model_ids(places, place)
        return await self._is_billed(organization, places, model_ids, cycle) and not await self._is_open(
            organization.id, model_ids, cycle
        )

    async def _model_ids(self, places: Places, place: str) -> frozenset[str]:
        """Of the billing models that price plans of the place."""
        versions = (await self._place_histories.prices(places)).versions
        return frozenset(versions[entry.value.charges_id].model_id for entry in places.fees[place].entries)

    async def _is_billed(
        self, organization: Organization, places: Places, model_ids: frozenset[str], cycle: Period
    ) -> bool:
        """Whether no interim invoice would bill more of them. Of a cycle that is over, the invoices of periods did."""
        now = places.no_earlier(self._clock.now())
        if cycle.end <= now:
            return True
        bill = await self._bills.interim(organization, now, places, is_preview=True)
        return total(line.amount for line in bill.lines if line.model_id in model_ids) <= 0

    async def _is_open(self, organization_id: str, model_ids: frozenset[str], cycle: Period) -> bool:
        """Whether something is to be paid of an invoice with such a fee."""
        looked_at = set[str]()
        for period in await self._periods.created(organization_id):
            if cycle.end <= period.start or period.end <= cycle.start:
                continue
            item = await self._periods.item(organization_id, period.start)
            for document in item.entity.documents:
                if document.type != "invoice" or document.id in looked_at:
                    continue
                looked_at.add(document.id)
                invoice = await self._documents.find_invoice(organization_id, document.id)
                if invoice is not None and not invoice.amount_due:
                    continue
                lines = await self._documents.lines(organization_id, document)
                if any(_is_fee_of(line, model_ids, cycle) for line in lines):
                    return True
        return False


def _is_fee_of(line: Line, model_ids: frozenset[str], cycle: Period) -> bool:
    belongs = line.period.start < cycle.end and cycle.start < line.period.end
    return belongs and line.model_id in model_ids and line.timing == "advance" and line.amount > 0
