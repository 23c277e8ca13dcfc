"""Tax rates of the operator, terms of organizations, and restated periods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.containers import CATALOG, INVOICES
from shared.domain.billing.tax_ids import checked_tax_id
from shared.domain.billing.tax_settings import (
    TaxRate,
    TaxSettings,
    TaxTerms,
    Treatments,
    first_instant,
    taxed_at,
    utc_day,
    with_entry,
)
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.histories import History
from shared.domain.pricing.treatments import Restatement, Treatment
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.services.periods.periods import PeriodItem, Periods
from shared.services.storage import Page, Records, Store, Stored, noting, retry_lost_races

_RATES = "tax_rates"
_SETTINGS = "tax_settings"


@dataclass(frozen=True, slots=True)
class TaxRateDraft:
    """A tax of a country; its percent holds from a day on, which may lie in the past."""

    name: str
    country: str
    category: str
    inclusive: bool
    percent: Decimal
    start: date | None = None


class Taxes:
    def __init__(self, store: Store, clock: Clock, periods: Periods) -> None:
        self._clock = clock
        self._periods = periods
        self._rates = Records(store, CATALOG, TaxRate, prefix="tax", called="tax rate")
        self._settings = Records(store, INVOICES, TaxSettings)

    # The operator's rates

    async def create_rate(self, rate_id: str, draft: TaxRateDraft) -> Stored[TaxRate]:
        """Repeating it with the same id gives what was created."""
        now = self._clock.now()
        rate = TaxRate(
            id=rate_id,
            name=draft.name,
            country=draft.country,
            category=draft.category,
            inclusive=draft.inclusive,
            percents=History[Decimal].starting(draft.percent, at=utc_day(draft.start or now.date())),
            created_at=now,
        )
        return await self._rates.create(_RATES, rate)

    async def put_percent(
        self, rate_id: str, percent: Decimal, start: date | None, if_match: str | None
    ) -> Stored[TaxRate]:
        """Another percent from a day on, today (UTC) at the earliest. Raises `ValidationError`, `NotFoundError`."""
        today = utc_day(self._clock.now().date())

        def decide(rate: TaxRate) -> TaxRate:
            begins = today if start is None else utc_day(start)
            return rate.changed(percents=with_entry(rate.percents, percent, begins, today, "/from"))

        return await self._rates.change(_RATES, rate_id, decide, if_match)

    async def rate(self, rate_id: str) -> Stored[TaxRate]:
        """Raises `NotFoundError`."""
        return await self._rates.get(_RATES, rate_id)

    async def rates(self, limit: int, cursor: str | None) -> Page[TaxRate]:
        return await self._rates.page(_RATES, limit=limit, cursor=cursor)

    # Terms of organizations

    async def put_terms(
        self, organization: Organization, terms: TaxTerms, start: date | None, if_match: str | None
    ) -> Stored[TaxSettings]:
        """Other terms from a local day on, today at the earliest. Raises `ValidationError` for what cannot be."""
        checked = await self._checked(terms)
        midnight = self._local_midnight(organization)

        def decide(known: TaxSettings | None) -> TaxSettings:
            begins = midnight if start is None else first_instant(start, midnight)
            if begins < midnight:
                raise ValidationError.at("/from", "must not be before today; a period's mistake is restated")
            if known is None:
                return TaxSettings(terms=History[TaxTerms].starting(checked, at=begins))
            return known.changed(terms=with_entry(known.terms, checked, begins, midnight, "/from"))

        return await self._settings.change_or_create(organization.id, _SETTINGS, decide, if_match)

    async def terms(self, organization_id: str) -> Stored[TaxSettings] | None:
        """None where no tax was ever set."""
        return await self._settings.find(organization_id, _SETTINGS)

    async def restate(self, organization: Organization, start: date, restatement: Restatement) -> PeriodItem:
        """Tax an ended or open period otherwise; it is billed again. Raises `NotFoundError`, `ValidationError`."""
        if restatement.rate is not None:
            await self._check_rates({"/rate": restatement.rate})
        begins = await self._period_start(organization.id, start)

        async def attempt() -> PeriodItem:
            current = await self._periods.item(organization.id, begins)
            if current.entity.tax == restatement:
                return current.entity
            changed = current.entity.changed(
                tax=restatement,
                settled=False,
                open_until=None,
                changes_after_end=current.entity.changes_after_end + 1,
                changed_after_end_at=self._clock.now(),
            )
            details = {"reason": restatement.reason, "status": restatement.status, "rate": restatement.rate}
            note = noting("periods.restate_tax", Target("period", changed.id), [organization.id], details=details)
            await self._periods.replace(organization.id, current, changed, note)
            return changed

        return await retry_lost_races(attempt, UnavailableError("The period is being changed by many at once"))

    async def _period_start(self, organization_id: str, start: date) -> datetime:
        for period in await self._periods.created(organization_id):
            if period.start.astimezone(ZoneInfo(period.timezone)).date() == start:
                return period.start
        raise NotFoundError(f"No billing period begins on {start.isoformat()}")

    # What bills ask

    async def treatments(self, organization_id: str, *, is_restated: bool = False) -> Treatments:
        """How the lines of an organization are taxed.

        Where no tax was ever set, rates are read only for periods that are restated.
        """
        stored = await self._settings.find(organization_id, _SETTINGS)
        if stored is None:
            return Treatments(None, await self._all_rates() if is_restated else {})
        return Treatments(stored.entity.terms, await self._all_rates())

    async def of_manual_lines(
        self, organization: Organization, rate_ids: Sequence[str | None]
    ) -> list[Treatment | None]:
        """How lines by hand are taxed today: by the rate that each names, else as the organization is.

        Raises `ValidationError` for a rate that there is not.
        """
        now, timezone = self._clock.now(), organization.timezone
        treatments = await self.treatments(organization.id)
        named = {f"/lines/{place}/rate": rate_id for place, rate_id in enumerate(rate_ids) if rate_id is not None}
        known = await self._check_rates(named)
        return [
            treatments.at(now, timezone, None) if rate_id is None else taxed_at(known[rate_id], now, timezone)
            for rate_id in rate_ids
        ]

    async def _all_rates(self) -> Mapping[str, TaxRate]:
        return {rate.id: rate async for rate, _ in self._rates.all(_RATES)}

    async def _checked(self, terms: TaxTerms) -> TaxTerms:
        named = {f"/by_charge/{charge}": rate for charge, rate in terms.by_charge.items()}
        if terms.default_rate is not None:
            named["/default_rate"] = terms.default_rate
        await self._check_rates(named)
        ids = tuple(
            tax_id.model_copy(update={"value": checked_tax_id(tax_id.type, tax_id.value, f"/tax_ids/{place}")})
            for place, tax_id in enumerate(terms.tax_ids)
        )
        if terms.status == "reverse_charge" and not ids:
            raise ValidationError.at("/tax_ids", "need at least one: reverse charge is for businesses with a tax id")
        if terms.status == "exempt" and not terms.reason:
            raise ValidationError.at("/reason", "is needed: the invoice has to say why nothing is taxed")
        return terms.model_copy(update={"tax_ids": ids})

    async def _check_rates(self, named: Mapping[str, str]) -> Mapping[str, TaxRate]:
        stored = await self._rates.get_many(_RATES, set(named.values()))
        known = {rate_id: rate for rate_id, (rate, _) in stored.items()}
        for pointer, rate_id in named.items():
            if rate_id not in known:
                raise ValidationError.at(pointer, "is no tax rate")
        return known

    def _local_midnight(self, organization: Organization) -> datetime:
        local = self._clock.now().astimezone(ZoneInfo(organization.timezone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0)
