"""Bills: what is due for periods against what documents have billed for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.billing.invoicing import BilledLine, Composed, PeriodBill, billed_lines, compose, differences
from shared.domain.periods.periods import Period, next_period
from shared.domain.pricing.lines import Line
from shared.domain.rating.facts import Facts
from shared.domain.rating.rating import rate
from shared.domain.tenancy.organizations import Organization
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.facts import FactsReader
from shared.services.periods.periods import PeriodItem, Periods
from shared.services.storage import Stored

PERIODS_PER_BILL = 90
"""How many older periods a bill looks at: all of them are replaced in one batch."""
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class GuardedPeriod:
    """A period as it was read before its facts: writing it fails where it has changed since.

    Only a preview sees periods that are not stored yet.
    """

    period: Period
    stored: Stored[PeriodItem] | None = None


@dataclass(frozen=True, slots=True)
class BilledPeriod:
    """What one period contributes to a bill: the lines that bring it from billed to due."""

    guarded: GuardedPeriod
    lines: Sequence[Line]
    open_until: datetime
    """Until when what is due for it can change by plan."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What the invoice of a period would say now."""

    invoiced_period: Period
    periods: Sequence[BilledPeriod]

    @property
    def lines(self) -> tuple[Line, ...]:
        """By period, oldest first."""
        return tuple(line for billed in self.periods for line in billed.lines)

    def composed(self) -> Composed:
        return compose(self.lines)

    def last_invoice_for(self, starts: set[datetime]) -> str | None:
        """The id of the last invoice that bills a period with one of these starts."""
        invoices = [
            document.id
            for billed in self.periods
            if billed.guarded.stored is not None and billed.guarded.period.start in starts
            for document in billed.guarded.stored.entity.documents
            if document.type == "invoice"
        ]
        return invoices[-1] if invoices else None


class Bills:
    """Makes the bills of periods.

    A bill covers every ended period that is not settled, the invoiced period itself, and what is charged in advance for
    the period after it.
    """

    def __init__(self, periods: Periods, facts: FactsReader, documents: BillingDocuments) -> None:
        self._periods = periods
        self._facts = facts
        self._documents = documents

    async def to_issue(self, organization: Organization, invoiced_period: Period) -> Bill:
        """A bill whose periods are all stored, so that their ETags guard what it decides.

        Raises `UnavailableError`, also for usage whose agent or model version cannot be read yet.
        """
        created = await self._periods.cover(organization, invoiced_period.start, invoiced_period.end + _INSTANT)
        return await self._bill(organization, invoiced_period, created)

    async def preview(self, organization: Organization, invoiced_period: Period) -> Bill:
        """What the close of the period would issue if nothing more were reported. Changes nothing.

        Raises `UnavailableError`.
        """
        return await self._bill(organization, invoiced_period, await self._periods.created(organization.id))

    async def _bill(self, organization: Organization, invoiced_period: Period, created: Sequence[Period]) -> Bill:
        guarded_periods = await self._guarded_periods(organization, invoiced_period, created)
        facts = await self._facts.of(organization, [guarded.period for guarded in guarded_periods])
        billed_periods = [
            await self._billed_period(organization, invoiced_period, guarded, facts_of_period)
            for guarded, facts_of_period in zip(guarded_periods, facts, strict=True)
        ]
        return Bill(invoiced_period, billed_periods)

    async def _guarded_periods(
        self, organization: Organization, invoiced_period: Period, created: Sequence[Period]
    ) -> list[GuardedPeriod]:
        """The periods of a bill with their ETags, read before the facts.

        So whatever changes a period after its facts were read changes its ETag, too.
        """
        unsettled = await self._periods.unsettled(organization.id, invoiced_period.start, PERIODS_PER_BILL)
        guarded_periods = [GuardedPeriod(item.entity.period, item) for item in unsettled]
        stored = {period.start: period for period in created}
        following = stored.get(invoiced_period.end) or next_period(invoiced_period, organization.calendars)
        for period in (invoiced_period, following):
            if period.start in stored:
                item = await self._periods.item(organization.id, period.start)
                guarded_periods.append(GuardedPeriod(item.entity.period, item))
            else:
                guarded_periods.append(GuardedPeriod(period))
        return guarded_periods

    async def _billed_period(
        self, organization: Organization, invoiced_period: Period, guarded: GuardedPeriod, facts: Facts
    ) -> BilledPeriod:
        due = rate(facts)
        open_until = _open_until(guarded.period, due)
        billed = await self._billed(organization.id, guarded)
        if guarded.period.start >= invoiced_period.end:
            due = [line for line in due if line.timing == "advance"]
            keys = {line.key for line in due}
            billed = {key: line for key, line in billed.items() if key in keys}
        lines = differences(PeriodBill(guarded.period, due, billed), invoiced_period, organization.currency)
        return BilledPeriod(guarded, lines, open_until)

    async def _billed(self, organization_id: str, guarded: GuardedPeriod) -> dict[str, BilledLine]:
        """What the documents that the period lists have billed for it, by line key."""
        if guarded.stored is None:
            return {}
        lines: list[Line] = []
        for document in guarded.stored.entity.documents:
            lines += await self._documents.lines(organization_id, document)
        return billed_lines(lines, guarded.period.start)


def _open_until(period: Period, due: Sequence[Line]) -> datetime:
    """The period's end, or that of its longest cycle that is due in advance.

    A cycle is a quarter or a year. Agents and seats come and go until then, and change what is due.
    """
    ahead = [line.covers.end for line in due if line.timing == "advance" and line.covers is not None]
    return max([period.end, *ahead])
