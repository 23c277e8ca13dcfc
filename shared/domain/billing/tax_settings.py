"""Tax rates of the operator, and how an organization is taxed: both histories by days."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal, TypeVar
from zoneinfo import ZoneInfo

from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value
from shared.domain.pricing.lines import Line
from shared.domain.pricing.treatments import Restatement, TaxStatus, Treatment

MAXIMUM_ENTRIES = 500
REVERSE_CHARGE_TEXT = "Reverse charge: the recipient is liable for the tax"
T = TypeVar("T")

_INSTANT = timedelta(microseconds=1)


class TaxRate(Entity):
    """A tax of a country. Only its percent changes, by days (UTC)."""

    kind: ClassVar[str] = "tax_rate"
    audit: ClassVar[Audit] = Audited(area="tax_rates")

    name: str
    country: str
    category: str
    inclusive: bool
    percents: History[ExactDecimal]
    created_at: Instant


class TaxId(Value):
    """A number under which a business is known to a tax office."""

    type: str
    value: str
    verified_at: Instant | None = None
    """When the operator verified it elsewhere; its check digits are always checked."""


class TaxTerms(Value):
    """How an organization is taxed from some day on."""

    default_rate: str | None = None
    """The id of the rate of all lines that have none of their own; null for no tax."""
    by_charge: Mapping[str, str] = {}
    """The ids of the rates of charges, by their key."""
    status: TaxStatus = "taxable"
    reason: str | None = None
    """What the invoice says of an exemption, or in place of the usual words of reverse charge."""
    tax_ids: tuple[TaxId, ...] = ()
    tax_currency: str | None = None
    """In which documents say their tax, beside their own currency."""


class TaxSettings(Entity):
    """The terms of an organization, by local days."""

    kind: ClassVar[str] = "tax_settings"
    audit: ClassVar[Audit] = Audited(area="tax_settings")

    id: str = "tax_settings"
    terms: History[TaxTerms]


def with_entry(history: History[T], value: T, start: datetime, today: datetime, pointer: str) -> History[T]:
    """The history with this value from a day on, today at the earliest.

    What begins that day or later is withdrawn. Raises `ValidationError`.
    """
    if start < today:
        raise ValidationError.at(pointer, "must not be before today; a period's mistake is restated")
    kept = tuple(entry for entry in history.entries if entry.effective_from < start)
    if len(kept) >= MAXIMUM_ENTRIES:
        raise ValidationError.at(pointer, f"there are at most {MAXIMUM_ENTRIES} entries")
    return type(history)(entries=(*kept, Entry(effective_from=start, value=value)))


class Treatments:
    """How lines are taxed: by the terms and the rates in force on the last day that a line covers."""

    def __init__(self, terms: History[TaxTerms] | None, rates: Mapping[str, TaxRate]) -> None:
        self._terms = terms
        self._rates = rates

    def of(self, line: Line, timezone: str, restatement: Restatement | None = None) -> Treatment | None:
        """None where no tax is set. The last day is that of the quarter or year of a line, else that of its period."""
        end = line.covers.end if line.covers is not None else line.period.end
        return self.at(end - _INSTANT, timezone, line.charge, restatement)

    def at(
        self, instant: datetime, timezone: str, charge: str | None, restatement: Restatement | None = None
    ) -> Treatment | None:
        terms = self._terms.at(instant) if self._terms is not None else None
        if restatement is not None:
            terms = _restated(terms or TaxTerms(), restatement)
        if terms is None:
            return None
        if terms.status != "taxable":
            return _untaxed(terms, terms.status)
        rate = self._rates.get(terms.by_charge.get(charge or "", "") or terms.default_rate or "")
        return None if rate is None else taxed_at(rate, instant, timezone)


def taxed_at(rate: TaxRate, instant: datetime, timezone: str) -> Treatment | None:
    """The treatment by a rate on the local day of an instant; None before its first percent."""
    day = instant.astimezone(ZoneInfo(timezone)).date()
    percent = rate.percents.at(utc_day(day))
    if percent is None:
        return None
    return Treatment(
        rate_id=rate.id,
        name=rate.name,
        country=rate.country,
        category=rate.category,
        percent=percent,
        inclusive=rate.inclusive,
        status="taxable",
    )


def _restated(terms: TaxTerms, restatement: Restatement) -> TaxTerms:
    changes: dict[str, object] = {"status": restatement.status or "taxable", "reason": restatement.reason}
    if restatement.rate is not None:
        changes |= {"default_rate": restatement.rate, "by_charge": {}}
    return terms.model_copy(update=changes)


def _untaxed(terms: TaxTerms, status: Literal["reverse_charge", "exempt"]) -> Treatment:
    usual = REVERSE_CHARGE_TEXT if status == "reverse_charge" else None
    return Treatment(
        rate_id=None,
        name="Reverse charge" if status == "reverse_charge" else "Exempt",
        country=None,
        category="AE" if status == "reverse_charge" else "E",
        percent=Decimal(0),
        inclusive=False,
        status=status,
        text=terms.reason or usual,
    )


def utc_day(day: date) -> datetime:
    """When an entry of a rate that holds from this day on takes effect."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def first_instant(day: date, zone_midnight: datetime) -> datetime:
    """The start of a day in the zone of `zone_midnight`."""
    return zone_midnight.replace(year=day.year, month=day.month, day=day.day)
