"""Bills: what is due for periods against what documents have billed for them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.billing.documents import Invoice
from shared.domain.billing.tax_settings import Treatments
from shared.domain.periods.periods import Period, Span, next_period, periods_to_create
from shared.domain.periods.settlements import POSTPAID
from shared.domain.pricing.lines import Line
from shared.domain.pricing.places import Places
from shared.domain.rating.rated_lines import RatedLine
from shared.domain.rating.rating import CYCLES, RECURRENCES, rate_by_segment, rate_in_advance
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.billing.bill import (
    Bill,
    Concessions,
    GuardedPeriod,
    IssueTime,
    RatedPeriod,
    bill_of,
    interim_bill_of,
)
from shared.services.billing.documents import BillingDocuments
from shared.services.billing.drawn_amounts import DrawnAmountsStore
from shared.services.billing.facts import FactsReader
from shared.services.billing.interim_moments import InterimMoments
from shared.services.billing.redemptions import Redemptions
from shared.services.billing.taxes import Taxes
from shared.services.periods.periods import PeriodItem, Periods

PERIODS_PER_BILL = 60
"""How many older periods a bill looks at: all of them are replaced in one batch."""
_INSTANT = timedelta(microseconds=1)


class Bills:
    """Makes the bills of periods.

    A bill covers every ended period that is not settled, the invoiced period itself, and what is charged in advance for
    the period after it.

    All raise `UnavailableError`, also for usage whose agent or model version cannot be read yet.
    """

    def __init__(  # noqa: PLR0913  what it reads
        self,
        clock: Clock,
        periods: Periods,
        facts: FactsReader,
        documents: BillingDocuments,
        drawn: DrawnAmountsStore,
        taxes: Taxes,
        moments: InterimMoments,
        redemptions: Redemptions,
    ) -> None:
        self._clock = clock
        self._periods = periods
        self._facts = facts
        self._documents = documents
        self._drawn = drawn
        self._taxes = taxes
        self._moments = moments
        self._redemptions = redemptions

    async def to_issue(self, organization: Organization, invoiced_period: Period) -> Bill:
        """A bill whose periods are all stored, so that their ETags guard what it decides."""
        created = await self._periods.cover(organization, invoiced_period.start, invoiced_period.end + _INSTANT)
        guarded_periods = await self._guarded_periods(organization, invoiced_period, created)
        now = self._clock.now()
        rated = await self._all_rated(organization, guarded_periods)
        return bill_of(rated, invoiced_period, (), lambda _: now, organization.currency)

    async def of_draft(self, organization: Organization, invoiced_period: Period) -> Bill:
        """What finalizing the period's draft would issue, once the drafts of earlier periods are issued.

        Changes nothing.
        """
        now = self._clock.now()
        return await self._bill_after_others(organization, invoiced_period, _is_drafted, lambda _: now)

    async def preview(self, organization: Organization, invoiced_period: Period) -> Bill:
        """What the close of the period would issue if nothing more were reported.

        Earlier periods that are still to be invoiced are issued by their own invoices first, and so are the interim
        invoices of what begins before. Changes nothing.
        """
        now, grace = self._clock.now(), timedelta(hours=organization.grace_hours)

        def after_grace(period: Period) -> datetime:
            return max(now, period.end + grace)

        issued_at = after_grace(invoiced_period)
        moments: Sequence[datetime] = ()
        if now < issued_at:
            moments = await self._moments.within(organization, Span(start=now, end=issued_at))
        return await self._bill_after_others(organization, invoiced_period, _is_to_be_invoiced, after_grace, moments)

    async def interim(
        self, organization: Organization, now: datetime, places: Places | None = None, *, is_preview: bool = False
    ) -> Bill:
        """What is due in advance by now in the open period, and in ended ones whose quarter or year still runs.

        It is compared with what was billed. With `places`, as if these were the organization's subscriptions. A preview
        changes nothing; otherwise the period is stored, so that its ETag guards what is decided.
        """
        if is_preview:
            open_period = await self._periods.would_contain(organization, now)
            created = {period.start for period in await self._periods.created(organization.id)}
        else:
            open_period = await self._periods.containing(organization, now)
            created = {open_period.start}
        unsettled = await self._periods.unsettled(organization.id, open_period.start, PERIODS_PER_BILL)
        guarded_periods = [GuardedPeriod(item.entity.period, item) for item in unsettled]
        item = await self._periods.item(organization.id, open_period.start) if open_period.start in created else None
        guarded_periods.append(GuardedPeriod(open_period, item))
        facts = await self._facts.in_advance(organization, [guarded.period for guarded in guarded_periods], places)
        in_advance = [
            await self._whole(organization, guarded, places)
            if guarded.is_discounted and guarded.period.end <= now
            else rate_in_advance(each, RECURRENCES if each.period == open_period else CYCLES)
            for guarded, each in zip(guarded_periods, facts, strict=True)
        ]
        rated = await self._with_billed(organization, guarded_periods, in_advance)
        return interim_bill_of(rated, open_period, now, organization.currency)

    async def _whole(
        self, organization: Organization, guarded: GuardedPeriod, places: Places | None
    ) -> Sequence[RatedLine]:
        """All lines of an ended period: they share its coupons, whatever of them is billed."""
        (facts,) = await self._facts.of(organization, [guarded.period], places)
        return rate_by_segment(facts)

    async def _bill_after_others(
        self,
        organization: Organization,
        invoiced_period: Period,
        is_issued_first: Callable[[GuardedPeriod, Invoice | None], bool],
        issue_time: IssueTime,
        interim_moments: Sequence[datetime] = (),
    ) -> Bill:
        created = await self._periods.created(organization.id)
        guarded_periods = await self._guarded_periods(organization, invoiced_period, created)
        issued_first: list[Period] = []
        for guarded in guarded_periods:
            if guarded.period.start < invoiced_period.start:
                invoice = await self._documents.latest_invoice(organization.id, guarded.period)
                if is_issued_first(guarded, invoice):
                    issued_first.append(guarded.period)
        rated = await self._all_rated(organization, guarded_periods)
        currency = organization.currency
        return bill_of(rated, invoiced_period, issued_first, issue_time, currency, interim_moments)

    async def _guarded_periods(
        self, organization: Organization, invoiced_period: Period, created: Sequence[Period]
    ) -> list[GuardedPeriod]:
        """The periods of a bill in their order, with their ETags, read before the facts.

        So whatever changes a period after its facts were read changes its ETag, too.
        """
        unsettled = await self._periods.unsettled(organization.id, invoiced_period.start, PERIODS_PER_BILL)
        guarded_periods = [GuardedPeriod(item.entity.period, item) for item in unsettled]
        guarded_periods += [GuardedPeriod(period) for period in _to_create(organization, created, invoiced_period)]
        stored = {period.start: period for period in created}
        following = stored.get(invoiced_period.end) or next_period(invoiced_period, organization.calendars)
        for period in (invoiced_period, following):
            if period.start in stored:
                item = await self._periods.item(organization.id, period.start)
                guarded_periods.append(GuardedPeriod(item.entity.period, item))
            else:
                guarded_periods.append(GuardedPeriod(period))
        return guarded_periods

    async def _all_rated(
        self, organization: Organization, guarded_periods: Sequence[GuardedPeriod]
    ) -> list[RatedPeriod]:
        facts = await self._facts.of(organization, [guarded.period for guarded in guarded_periods])
        return await self._with_billed(organization, guarded_periods, [rate_by_segment(each) for each in facts])

    async def _with_billed(
        self,
        organization: Organization,
        guarded_periods: Sequence[GuardedPeriod],
        rated: Sequence[Sequence[RatedLine]],
    ) -> list[RatedPeriod]:
        """The rated lines of each period with how they are taxed, and what documents have billed and conceded."""
        is_restated = any(guarded.stored is not None and guarded.stored.entity.tax for guarded in guarded_periods)
        treatments = await self._taxes.treatments(organization.id, is_restated=is_restated)
        discounts = await self._redemptions.discounts(organization, guarded_periods)
        with_billed = [
            await self._rated(organization, guarded, _treated(of_period, guarded, treatments))
            for guarded, of_period in zip(guarded_periods, rated, strict=True)
        ]
        return [replace(each, discounts=discounts.get(each.period.start, ())) for each in with_billed]

    async def _rated(
        self, organization: Organization, guarded: GuardedPeriod, rated: Sequence[RatedLine]
    ) -> RatedPeriod:
        if guarded.stored is None:
            settlement = organization.settlements.at(guarded.period.start) or POSTPAID
            return RatedPeriod(guarded, rated, (), Concessions(), settlement.is_prepaid)
        item = guarded.stored.entity
        billed, concessions = await self._listed(organization.id, item)
        drawn = await self._drawn.of(organization.id, item)
        return RatedPeriod(guarded, rated, billed, concessions, item.settlement.is_prepaid, drawn)

    async def _listed(self, organization_id: str, item: PeriodItem) -> tuple[list[Line], Concessions]:
        """The lines of the documents that the period lists, in the order of their issue, and what is conceded."""
        billed: list[Line] = []
        waived: list[Line] = []
        given: list[Line] = []
        by_type = {"invoice": billed, "credit_note": billed, "waiver": waived, "goodwill": given}
        for document in item.documents:
            by_type[document.type] += await self._documents.lines(organization_id, document)
        return billed, Concessions(waived, given)


def _treated(rated: Sequence[RatedLine], guarded: GuardedPeriod, treatments: Treatments) -> list[RatedLine]:
    """The lines, each with how it is taxed."""
    restatement = guarded.stored.entity.tax if guarded.stored is not None else None
    timezone = guarded.period.timezone
    return [
        replace(each, line=each.line.model_copy(update={"treatment": treatment}))
        if (treatment := treatments.of(each.line, timezone, restatement)) is not None
        else each
        for each in rated
    ]


def _to_create(organization: Organization, created: Sequence[Period], invoiced_period: Period) -> list[Period]:
    """The periods between the last one that is stored and the invoiced one."""
    if not created:
        return []
    new = periods_to_create(created, organization.calendars, invoiced_period.start, invoiced_period.start)
    return [period for period in new if created[-1].end <= period.start < invoiced_period.start]


def _is_drafted(_: GuardedPeriod, invoice: Invoice | None) -> bool:
    return invoice is not None and invoice.status == "draft"


def _is_to_be_invoiced(guarded: GuardedPeriod, invoice: Invoice | None) -> bool:
    """False where the next invoice bills what has changed: after its own, or after a bill that was right."""
    if invoice is None or invoice.status == "cancelled":
        return guarded.stored is None or guarded.stored.entity.open_until is None
    return invoice.status == "draft"
