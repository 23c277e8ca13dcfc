"""Tax rates, how organizations are taxed, and periods that are taxed otherwise."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from functions.fields import Listed, Name, OrganizationPath
from shared.domain.access.identity import Permission
from shared.domain.billing.tax_settings import TaxId, TaxRate, TaxSettings, TaxTerms
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.money import Currency, ExactDecimal, NonNegativeAmount
from shared.domain.kernel.validation import Length, refusal
from shared.domain.pricing.treatments import Restatement, TaxStatus
from shared.http import (
    CalendarDate,
    Call,
    ListQuery,
    NoBody,
    PathValues,
    Query,
    Reply,
    Schema,
    ThingId,
    ZonedTime,
    endpoint,
)
from shared.services.billing.taxes import TaxRateDraft

blueprint = func.Blueprint()

MAXIMUM_IDS = 10
MAXIMUM_CHARGES = 100


def _at_most_all(percent: Any) -> Any:  # noqa: ANN401  a decimal
    if percent > 100:  # noqa: PLR2004  percent
        raise ValueError("is more than 100")
    return percent


Percent = Annotated[NonNegativeAmount, AfterValidator(_at_most_all)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
RateId = Annotated[str, StringConstraints(min_length=1, max_length=100)]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class TaxRatePath(PathValues):
    rate_id: Annotated[str, ThingId("tax")]
    """The rate's id."""


class PeriodPath(PathValues):
    start: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    """The period's local start date, such as 2026-10-01."""


class TaxRateRequest(Schema):
    name: ShortText
    """What the tax is called, such as VAT."""
    country: Country
    """ISO 3166-1, two capital letters."""
    percent: Percent
    """From the first day on."""
    inclusive: bool = False
    """Whether prices contain the tax."""
    category: Literal["S", "Z"] = "S"
    """The category of EN 16931: `S` standard or reduced, `Z` zero rate."""
    start: CalendarDate | None = Field(default=None, alias="from")
    """The first day (UTC) of this percent, which may lie in the past; left out, today."""


class PercentRequest(Schema):
    percent: Percent
    """The new percent."""
    start: CalendarDate | None = Field(default=None, alias="from")
    """The first day of the new percent: today (UTC) or later; left out, today."""


class PercentEntry(Schema):
    start: datetime = Field(serialization_alias="from")
    """The first day (UTC)."""
    percent: ExactDecimal
    """From then on."""


class TaxRateAnswer(Schema):
    id: str
    name: str
    country: str
    """ISO 3166-1."""
    category: str
    """The category of EN 16931."""
    inclusive: bool
    """Whether prices contain the tax."""
    percent: ExactDecimal | None
    """Today's; null before the first day."""
    percents: list[PercentEntry]
    """All of them, by their first days."""

    @classmethod
    def at(cls, rate: TaxRate, now: datetime) -> Self:
        entries = [PercentEntry(start=entry.effective_from, percent=entry.value) for entry in rate.percents.entries]
        return cls.showing(rate, percent=rate.percents.at(now), percents=entries)


class TaxIdRequest(Schema):
    type: ShortText
    """`eu_vat`, `gb_vat`, `ch_vat`, `no_vat`, `us_ein`, `au_abn`, `in_gst`, `ca_bn` or `br_cnpj`."""
    value: ShortText
    """Its check digits are checked."""
    verified_at: ZonedTime | None = None
    """When you verified it elsewhere."""


class TaxTermsRequest(Schema):
    default_rate: RateId | None = None
    """The id of the rate of all lines that have none of their own; null for no tax."""
    by_charge: Annotated[dict[str, RateId], Length(0, MAXIMUM_CHARGES)] = {}
    """The ids of the rates of charges, by the charge's key."""
    status: TaxStatus = "taxable"
    reason: ShortText | None = None
    """What invoices say of an exemption; of a reverse charge in place of the usual words."""
    tax_ids: Annotated[tuple[TaxIdRequest, ...], Length(0, MAXIMUM_IDS)] = ()
    """At most 10."""
    tax_currency: Currency | None = None
    """The currency of the tax office, where that is another one: documents say their tax in it, too, at the exchange
    rate of the day of the invoice.
    """
    start: CalendarDate | None = Field(default=None, alias="from")
    """The first local day of these terms: today or later; left out, today."""


class TaxIdAnswer(Schema):
    type: str
    """Such as `eu_vat`."""
    value: str
    """In its compact form."""
    verified_at: datetime | None
    """When the operator verified it elsewhere."""


class TaxTermsEntry(Schema):
    start: datetime = Field(serialization_alias="from")
    """When the first day of these terms begins."""
    default_rate: str | None
    """The id of the rate of all lines that have none of their own."""
    by_charge: dict[str, str]
    """The ids of the rates of charges, by the charge's key."""
    status: TaxStatus
    """Whether, or why not, lines are taxed."""
    reason: str | None
    """What invoices say."""
    tax_ids: list[TaxIdAnswer]
    """Under which tax offices know it."""
    tax_currency: str | None
    """In which documents say their tax, beside their own currency."""


class TaxTermsAnswer(Schema):
    entries: list[TaxTermsEntry]
    """All terms, by their first days. A line is taxed by those in force on the last day that it covers."""

    @classmethod
    def of(cls, settings: TaxSettings | None) -> Self:
        entries = settings.terms.entries if settings is not None else ()
        return cls(entries=[TaxTermsEntry.showing(entry.value, start=entry.effective_from) for entry in entries])


class RestatementRequest(Schema):
    status: TaxStatus | None = None
    """How the period is taxed: `taxable`, `reverse_charge` or `exempt`."""
    rate: RateId | None = None
    """The id of the rate of all its lines."""
    reason: Name
    """What was wrong; invoices say it where the period is exempt."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.status is None and self.rate is None:
            raise refusal((("status",), "or rate is needed"))
        return self


class RestatementAnswer(Schema):
    start: datetime
    """The period's."""
    end: datetime
    """The period's, exclusive."""
    status: TaxStatus | None
    """Null where only the rate is another one."""
    rate: str | None
    """Null where only the status is another one."""
    reason: str
    """What was wrong."""
    restated_at: datetime
    """When it was corrected."""


@endpoint(
    blueprint,
    "POST",
    "tax-rates",
    summary="Create a tax rate",
    access=Permission.TAX_WRITE,
    body=TaxRateRequest,
    answers={201: TaxRateAnswer},
    example={"name": "VAT", "country": "DE", "percent": "19", "from": "2026-01-01"},
)
async def create_tax_rate(call: Call[TaxRateRequest]) -> Reply:
    body = call.body
    draft = TaxRateDraft(body.name, body.country, body.category, body.inclusive, body.percent, body.start)
    rate, etag = await call.services.account.taxes.create_rate(call.new_id("tax"), draft)
    return Reply(TaxRateAnswer.at(rate, call.now), etag=etag)


@endpoint(
    blueprint,
    "PUT",
    "tax-rates/{rate_id}",
    summary="Let another percent hold from a day on",
    access=Permission.TAX_WRITE,
    path_values=TaxRatePath,
    body=PercentRequest,
    answers={200: TaxRateAnswer},
    example={"percent": "16"},
)
async def put_tax_rate(call: Call[PercentRequest, Query, TaxRatePath]) -> Reply:
    body = call.body
    rate, etag = await call.services.account.taxes.put_percent(
        call.path.rate_id, body.percent, body.start, call.if_match
    )
    return Reply(TaxRateAnswer.at(rate, call.now), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "tax-rates",
    summary="All tax rates",
    access=Permission.BILLING_READ,
    query=ListQuery,
    answers={200: Listed[TaxRateAnswer]},
)
async def list_tax_rates(call: Call[NoBody, ListQuery]) -> Reply:
    page = await call.services.account.taxes.rates(call.query.limit, call.query.cursor)
    return Reply(Listed(data=[TaxRateAnswer.at(rate, call.now) for rate in page.entities], next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "organizations/{organization_id}/tax",
    summary="How an organization is taxed, as a history",
    access=Permission.BILLING_READ,
    path_values=OrganizationPath,
    answers={200: TaxTermsAnswer},
)
async def get_tax_terms(call: Call[NoBody, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    stored = await call.services.account.taxes.terms(organization_id)
    if stored is None:
        return Reply(TaxTermsAnswer.of(None))
    return Reply(TaxTermsAnswer.of(stored.entity), etag=stored.etag)


@endpoint(
    blueprint,
    "PUT",
    "organizations/{organization_id}/tax",
    summary="Tax an organization otherwise, from a day on",
    access=Permission.TAX_WRITE,
    path_values=OrganizationPath,
    body=TaxTermsRequest,
    answers={200: TaxTermsAnswer},
    example={"status": "exempt", "reason": "Educational services"},
)
async def put_tax_terms(call: Call[TaxTermsRequest, Query, OrganizationPath]) -> Reply:
    body = call.body
    organization_id = await call.organization_id(call.path.organization_id)
    organization = await call.services.organizations.get(organization_id)
    terms = TaxTerms(
        default_rate=body.default_rate,
        by_charge=body.by_charge,
        status=body.status,
        reason=body.reason,
        tax_ids=tuple(TaxId(**dict(tax_id)) for tax_id in body.tax_ids),
        tax_currency=body.tax_currency,
    )
    await call.services.account.tax_currencies.check(organization, body.tax_currency)
    stored = await call.services.account.taxes.put_terms(organization, terms, body.start, call.if_match)
    return Reply(TaxTermsAnswer.of(stored.entity), etag=stored.etag)


@endpoint(
    blueprint,
    "POST",
    "periods/{start}/tax",
    summary="Correct how a period was taxed: it is billed again",
    access=Permission.TAX_WRITE,
    path_values=PeriodPath,
    body=RestatementRequest,
    answers={200: RestatementAnswer},
    example={"status": "reverse_charge", "reason": "The tax id was there from the beginning"},
)
async def restate_tax(call: Call[RestatementRequest, Query, PeriodPath]) -> Reply:
    body = call.body
    restatement = Restatement(status=body.status, rate=body.rate, reason=body.reason, restated_at=call.now)
    organization = await call.organization()
    start = _day(call.path.start)
    item = await call.services.account.taxes.restate(organization, start, restatement)
    return Reply(RestatementAnswer.showing(restatement, start=item.start, end=item.end))


def _day(text: str) -> date:
    """Raises `ValidationError` for a day that no calendar has."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValidationError.at("{start}", "is no date such as 2026-10-01") from None
