"""What several resources have in common.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict


Permission = Literal[
    "organizations:read",
    "organizations:write",
    "organizations:create",
    "api_keys:read",
    "api_keys:write",
    "agents:read",
    "agents:write",
    "projects:read",
    "projects:write",
    "events:write",
    "events:read",
    "parked_events:write",
    "outcomes:read",
    "outcomes:verify",
    "usage:read",
    "billing_models:read",
    "billing_models:write",
    "prices:read",
    "prices:write",
    "plans:write",
    "invoices:read",
    "invoices:write",
    "subscriptions:read",
    "subscriptions:write",
    "members:read",
    "members:write",
    "owners:write",
    "users:write",
    "staff:write",
    "identity_providers:write",
    "organizations:export",
    "service_accounts:write",
    "audit:read",
    "credits:read",
    "credits:use",
    "credits:use_amount",
    "credits:write",
    "budgets:write",
    "billing:read",
    "billing:write",
    "tax:write",
]


class ActivityCharge(TypedDict):
    """What agents do, metered and priced."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["activity"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    base_fee: NotRequired[BaseFee | None]
    """Due besides the price of usage."""
    discount: NotRequired[Discount | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any usage."""
    maximum: NotRequired[str | None]
    """What the line costs at most."""
    meter: Meter
    """How events become the quantity; the same in all versions."""
    pricing: PerUnit | Graduated | Volume | Package | Percentage | GraduatedPercentage | VolumePercentage | Dynamic
    """The price of the quantity, or of the events' values."""
    included_units: NotRequired[str]
    """Units that are free in a whole period; prorated by day."""
    commitment: NotRequired[Commitment | None]
    """On the quantity; units beyond it cost a multiple."""


class AddressRequest(TypedDict):
    """Where a business is."""

    line1: NotRequired[str | None]
    """Street and number."""
    line2: NotRequired[str | None]
    """What else there is to say, such as a floor or a building."""
    postal_code: NotRequired[str | None]
    """As the country writes it."""
    city: NotRequired[str | None]
    """Town or city."""
    region: NotRequired[str | None]
    """State or province."""
    country: NotRequired[str | None]
    """ISO 3166-1, two capital letters."""


class AgentCharge(TypedDict):
    """A fee by the number of agents on the billing model at each day's end."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["agent"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    interval: NotRequired[Literal["month", "quarter", "year"]]
    """How often the fee is due; a month is a billing period."""
    timing: NotRequired[Literal["arrears", "advance"]]
    """Whether it is billed after the interval or in advance."""
    pricing: PerUnit | Graduated | Volume | Package | Percentage | GraduatedPercentage | VolumePercentage | Dynamic
    """The price of a number of agents or seats, for a whole interval."""
    discount: NotRequired[Discount | None]
    """Given from a number of agents or seats on."""
    tier: NotRequired[str | None]
    """A label for people, such as the name of a plan."""


AnythingElse = TypedDict("AnythingElse", {"not": "Sequence[str | bool | None]"})


class AppliedAnswer(TypedDict):
    invoice_id: str
    """The invoice that it was applied to."""
    amount: str
    """What the invoice took."""


class AutoVerify(TypedDict):
    """Bounds of the values that are verified on arrival; at least one bound is given."""

    minimum_value: NotRequired[str | None]
    """Inclusive."""
    maximum_value: NotRequired[str | None]
    """Inclusive."""


class BaseFee(TypedDict):
    """A fee for the period beside the price of usage."""

    amount: str
    """For a whole period."""
    per: NotRequired[Literal["agent", "charge"]]
    """Whether it is due once per line, or once per agent."""


class BudgetAnswer(TypedDict):
    id: str
    """Its id."""
    name: str | None
    """For people."""
    scope: Literal["organization", "project", "department", "agent", "api_key", "run"]
    """What kind of thing it limits."""
    ref: str
    """The id of the thing, or `each`."""
    window: Literal["hour", "day", "month", "once"]
    """The span of time in which it counts."""
    limit: str
    """The most that may be spent in a window."""
    unit: Literal["credits", "money"]
    """What the limit counts."""
    kind: str
    """The kind of credits."""
    enforcement: Literal["hard", "soft"]
    """`hard` refuses, `soft` only notes."""
    alert_at: Sequence[str]
    """Percent of the limit at which it is noted."""
    created_at: str
    """When it was created."""


class CategoryCost(TypedDict):
    category: str
    """`llm`, `compute`, `api`, `labor`, `tools` or any other that was reported."""
    amount: str
    """The cost at providers."""


class ChargeShareAnswer(TypedDict):
    """The agents' share of a charge."""

    billing_model_id: str | None
    """The billing model of the charge."""
    charge: str | None
    """The charge's key."""
    type: str
    """The type of the charge."""
    description: str
    """What it is, for people."""
    pooled: bool
    """Whether its lines are shared by the organization's agents."""
    amount: str
    """The agents' share."""
    organization_amount: str
    """The sum of all lines of the charge."""


class Commitment(TypedDict):
    """An agreed quantity, and the multiple that usage beyond it costs.

    Of one metered quantity, the units beyond the commitment cost the multiple, flat amounts of tiers never do. Of all
    types of workflows together, exceeding it multiplies all that is due for usage."""

    quantity: str
    """The agreed quantity in a period; included units count towards it."""
    overage_multiplier: str
    """What usage beyond it costs, as a multiple of its price; 1 or more."""


class CostCharge(TypedDict):
    """Provider costs of some categories, or of all, passed on with a markup.

    Costs are in the organization's currency, converted at the exchange rate of the event's time."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["cost"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    base_fee: NotRequired[BaseFee | None]
    """Due besides the price of usage."""
    discount: NotRequired[Discount | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any usage."""
    maximum: NotRequired[str | None]
    """What the line costs at most."""
    categories: NotRequired[Sequence[str] | None]
    """Which categories are passed on, null for all; `llm` is the category of LLM calls."""
    markup_percent: NotRequired[str]
    """Added to the costs, in percent of them."""


class CountAnswer(TypedDict):
    event_type: str
    """`*` stands for all types beyond those that are counted one by one."""
    count: int
    """How many events."""


class CreditNoteAnswer(TypedDict):
    id: str | None
    """Null in a draft or preview."""
    number: str | None
    """Null in a draft or preview."""
    reason: str
    """Why it is issued: `correction` brings what was billed to what is due, `goodwill` is given by hand."""
    text: str | None
    """Why goodwill was given."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    lines: Sequence[Line]
    """The first 500."""
    tax_lines: Sequence[TaxLine]
    """The taxes of the lines, by treatment."""
    tax_currency: TaxCurrency | None
    """Its taxes in the currency of a tax office, at the rate of the invoice; null without one, and in a draft."""
    total: str
    """The sum of the lines, with the tax that is added to them."""
    issued_at: str | None
    """Null in a draft or preview."""
    corrects: Sequence[str]
    """The id of the last invoice of what it corrects; empty where there is none."""
    applied: Sequence[CreditedAmount]
    """The invoices of which it covers what was open."""
    to_balance: str
    """What it credits beyond these: balance of the account."""


class CreditedAmount(TypedDict):
    """What of an invoice a credit note covers."""

    invoice_id: str
    """The invoice's id."""
    amount: str
    """What of it is covered."""


class Discount(TypedDict):
    """A percentage, or an amount per period, off a line."""

    from_quantity: NotRequired[str]
    """The line's quantity from which on the discount is given."""
    percent: NotRequired[str | None]
    """In percent of what is due; at most 100."""
    amount: NotRequired[str | None]
    """For a whole period; never more than what is due."""


class DocumentDiscount(TypedDict):
    """What one redemption takes off a document."""

    redemption_id: str
    """The redemption's id."""
    name: str
    """The coupon's."""
    amount: str
    """Positive for what is taken off; negative where a document takes a discount back."""


class Dynamic(TypedDict):
    """Each event carries its own price, whatever its quantity."""

    type: Literal["dynamic"]
    """Which pricing it is."""
    value: str
    """The path of the price in the event, such as `data.price`."""


class EInvoiceSettings(TypedDict):
    """How an organization takes electronic invoices."""

    format: Literal["factur-x", "xrechnung", "peppol"]
    """`factur-x`, `xrechnung` or `peppol`."""


class ElectronicAddress(TypedDict):
    """Where electronic invoices are delivered (BT-34, BT-49)."""

    scheme: str
    """The code of the list EAS, such as `0204`, `9930` or `EM` for e-mail."""
    id: str
    """The address in that scheme."""


class ElectronicAddressRequest(TypedDict):
    """Where electronic invoices are delivered."""

    scheme: str
    """A code of the list EAS, such as `0204` (Leitweg-ID), `9930` (German VAT number) or `EM` (e-mail)."""
    id: str
    """The address in that scheme."""


class EventWarning(TypedDict):
    index: int
    """The place of the event in the request, from 0."""
    code: str
    """`unpriced`, `no_count`, `unknown_count`, `total_mismatch`, `standard_price`, `no_billing_model`, `no_charge`; or
    `limit_exceeded`, at the first event: the plan includes fewer events than there are in the billing period."""
    detail: str
    """What is missing, or did not count."""


class FlatFee(TypedDict):
    """An amount per period, quarter or year, with or without usage."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["flat_fee"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    interval: NotRequired[Literal["month", "quarter", "year"]]
    """How often the fee is due; a month is a billing period."""
    timing: NotRequired[Literal["arrears", "advance"]]
    """Whether it is billed after the interval or in advance."""
    amount: str
    """For a whole interval."""


class Graduated(TypedDict):
    """Each unit costs the price of its tier. A tier's flat amount is due once it is reached."""

    type: Literal["graduated"]
    """Which pricing it is."""
    tiers: Sequence[Tier]
    """In rising order; the last one is open."""


class GraduatedPercentage(TypedDict):
    """Each part of the value costs the rate of its tier.

    A tier's flat amount is due once it is reached."""

    type: Literal["graduated_percentage"]
    """Which pricing it is."""
    tiers: Sequence[PercentageTier]
    """In rising order; the last one is open."""
    fixed_per_event: NotRequired[str]
    """Due for every event besides."""


class InvoiceAnswer(TypedDict):
    id: str | None
    """Null in a preview, and where finalizing a draft left only a credit note."""
    number: str | None
    """Given when it is finalized."""
    organization_id: str
    """The organization that it belongs to."""
    payer_id: str
    """The organization that pays it."""
    kind: Literal["period", "interim", "manual"]
    """`period`; `interim`: what a change of subscriptions made due in advance; `manual`: entered by hand."""
    status: Literal["draft", "pending", "paying", "paid", "overdue", "cancelled"]
    """The state that it is in."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    period: SpanAnswer
    """The billing period that is invoiced."""
    issued_at: str | None
    """Null for a draft."""
    issue_date: str | None
    """The local date on which it was issued, of a preview on which it would be; null for a draft."""
    due_at: str | None
    """When it has to be paid; null for a draft."""
    lines: Sequence[Line]
    """The first 500; in a list none."""
    lines_url: str | None
    """Where all lines are; null where `id` is."""
    revision: int
    """Counts the invoices of the same period, from 1 on; 0 in a preview and of an interim one."""
    finalized_at: str | None
    """Null for a draft."""
    subtotal: str
    """The sum of the lines' amounts before discounts; they contain their tax where it is inclusive."""
    discounts: Sequence[DocumentDiscount]
    """What coupons take off, by their redemption."""
    discount_total: str
    """The sum of `discounts`."""
    tax_total: str
    """All taxes, those that the amounts contain, too."""
    tax_lines: Sequence[TaxLine]
    """The parts of `tax_total`, by treatment."""
    tax_currency: TaxCurrency | None
    """`tax_total` in the currency of a tax office, at the rate of the issue; null without one, and in a draft."""
    credits_applied: str
    """What was paid from the balance of the account; 0 for a draft."""
    total: str
    """After discounts and taxes."""
    amount_paid: str
    """By payments, of what was due."""
    amount_due: str
    """What is still to be paid: `total` less `credits_applied`, `amount_paid` and what credit notes cover of it.
    
    0 for a draft and a cancelled invoice."""
    credit_notes: Sequence[CreditNoteAnswer]
    """In a list none."""
    subtotals: Sequence[SubtotalAnswer] | None
    """By `group_by`, over all lines: they add up to `subtotal` less `discount_total`. Null without it."""
    purchase_order: str | None
    """The number of the customer's order."""
    reference: str | None
    """What the operator calls it."""
    notes: str | None
    """Printed on the invoice."""
    custom_fields: Mapping[str, str]
    """Labels with their texts."""
    metadata: Mapping[str, Any]
    """The caller's own data."""
    as_of: str | None
    """When the amounts of a draft or preview were computed; null once it is finalized, as they stay."""
    assumes_issued: Sequence[SpanAnswer]
    """Earlier periods whose own invoices a draft or preview assumes to be issued before; in a list none."""
    later: Sequence[Line]
    """In a preview, the lines of interim invoices that it assumes to be issued before, for what begins until then: the
    first 500."""


class LimitWarning(TypedDict):
    """A soft limit of a plan that was passed. What was asked for is done all the same."""

    code: Literal["limit_exceeded"]
    """What the warning is about."""
    feature: str
    """What there is more of than the plan includes."""
    limit: str
    """How much the plan includes."""
    used: int
    """How much there is now."""
    detail: str
    """The same in words, for people."""


class LimitsAnswer(TypedDict):
    organization_id: str
    """The organization that it belongs to."""
    quotas: QuotasAnswer
    """How much there may be of each thing."""
    key_requests_per_minute: int | None
    """Requests of each API key in any minute; null for any number."""
    requests_per_minute: int | None
    """Requests of all API keys and members together in any minute; null for any number."""


class Line(TypedDict):
    """What is due for one charge, or taken off it, as previews, calculations and invoices show it."""

    key: str
    """`{model}/{charge}/{agent or -}`: the same in every period. A discount's has `#{redemption}` after it."""
    type: str
    """The charge's type, or `discount`, `adjustment` or `correction`."""
    model_id: NotRequired[str | None]
    """The billing model's id."""
    model_name: NotRequired[str | None]
    """The billing model's name; on an invoice as it was when that was finalized. Null in calculations."""
    charge: NotRequired[str | None]
    """The charge's key."""
    agent_id: NotRequired[str | None]
    """Null where the line is for all agents of the organization."""
    agent_name: NotRequired[str | None]
    """The agent's name; on an invoice as it was when that was finalized. Null in calculations."""
    description: str
    """The charge in words, for people, with the names of agent and model where two lines would read the same."""
    quantity: str
    """The units of the whole line, before any included units."""
    unit: NotRequired[str | None]
    """The name of one unit."""
    unit_amount: NotRequired[str | None]
    """The price of one unit, where all units have the same."""
    steps: NotRequired[Sequence[Step]]
    """How `exact_amount` comes about; the steps add up to it."""
    exact_amount: str
    """Truncated to 12 places."""
    amount: str
    """`exact_amount` rounded once, half up, to the currency's minor unit."""
    period: Span
    """The billing period that the line belongs to."""
    covers: NotRequired[Span | None]
    """The quarter or year that a quarterly or yearly fee is for."""
    adjusts: NotRequired[Span | None]
    """The ended period whose bill the line corrects."""
    timing: NotRequired[Literal["arrears", "advance"]]
    """Whether the line is billed after its period or in advance."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    discount: NotRequired[LineDiscount | None]
    """On a discount, what takes it off; null on all other lines."""
    treatment: NotRequired[Treatment | None]
    """How it is taxed; null where no tax is set."""
    discount_amount: NotRequired[str | None]
    """On a document: what the discounts beside it take off this line; null where none does."""
    net_amount: NotRequired[str | None]
    """On a document: `amount` after its discounts, without the tax that this contains. Null without a treatment and
    discounts, and on a discount whose line is beside it."""
    tax_amount: NotRequired[str | None]
    """On a document: its share of the tax; null without a treatment."""


class LineDiscount(TypedDict):
    """The redemption of a coupon that takes something off a line."""

    redemption_id: str
    """The redemption's id."""
    name: str
    """The coupon's."""


class Meter(TypedDict):
    """Aggregates the events that match: counts them, or reads the values at a path."""

    event_type: str
    """Only events of this type match."""
    aggregation: NotRequired[Literal["count", "sum", "max", "last", "unique", "weighted_sum"]]
    """How the events that match become one quantity."""
    value: NotRequired[str | None]
    """The path of what it reads of an event, such as `data.quantity`."""
    filter: NotRequired[Mapping[str, Sequence[str | bool | None] | AnythingElse]]
    """An event matches when each of these paths has one of its values, or none of those in `{"not": [...]}`."""
    unit: NotRequired[UnitConversion | None]
    """What is counted."""


class OrganizationAnswer(TypedDict):
    id: str
    """Its id."""
    name: str
    """Its name, for people."""
    slug: str
    """Short name, unique among all organizations; part of invoice numbers."""
    external_id: str | None
    """The caller's own id, unique among all organizations."""
    description: str | None
    """What it is, for people."""
    billing_email: str | None
    """The address that invoices are sent to."""
    contact: str | None
    """The person to contact."""
    address: PostalAddress | None
    """As invoices show it."""
    tax_id: str | None
    """As invoices show it."""
    language: Literal["en", "de", "fr", "es"]
    """Of its invoices, credit notes, and the mails with them."""
    electronic_address: ElectronicAddress | None
    """Where electronic invoices are delivered."""
    buyer_reference: str | None
    """What it asks to be written on its invoices."""
    e_invoice: EInvoiceSettings | None
    """How it takes electronic invoices; null where it takes none."""
    currency: str
    """ISO 4217 code. It never changes."""
    timezone: str
    """IANA name. Billing periods are calendar months there."""
    billing_mode: str
    """`postpaid`: usage is invoiced after each period. `prepaid`: it is drawn from the credits as it happens."""
    credit_value: str | None
    """What one credit is worth, in the organization's currency."""
    credit_values: Mapping[str, str]
    """What one credit of other kinds than `default` is worth, by kind."""
    billing_mode_from: str | None
    """Since when, or from when on, this mode and value hold; null for the first ones. A period keeps its own."""
    status: str
    """The state that it is in."""
    settings: OrganizationSettings
    """What the operator allows the organization."""
    due_days: int
    """Days from the issue of an invoice until it is due."""
    grace_hours: int
    """Hours from a period's end until its invoice is issued."""
    late_window_days: int
    """Days after which an event is too old to be accepted."""
    shard_count: int
    """The number of store partitions for the organization's usage."""
    seats: int
    """The number of seats that seat charges bill, from `seats_from` on."""
    seats_from: str | None
    """Null where the number never changed."""
    livemode: bool
    """False where it only tries Xyra out. It never changes."""
    created_at: str
    """When it was created."""
    ended_at: str | None
    """When it was deleted. Usage until then is still invoiced."""


class OrganizationSettings(TypedDict):
    """Settings of an organization that only the operator changes."""

    self_managed_pricing: NotRequired[bool]
    """Whether the organization writes its own billing models."""
    reported_llm_costs: NotRequired[bool]
    """Whether the cost that an LLM call reports is its cost, where neither an override nor the price list has one."""
    reported_llm_terms: NotRequired[bool]
    """Whether the organization's credentials may report LLM calls with the customer's own key (`byok`), and with other
    service tiers than the standard one; else those calls cost the standard price."""
    paid_usage: NotRequired[bool]
    """Whether events may name with `paid_with` what credits have paid for, and then cost only what goes beyond that."""
    unverified_may_write: NotRequired[bool]
    """Whether members whose e-mail address is not verified may change things, as if it were."""
    overdraft: NotRequired[str]
    """How far below zero the available credits of the default kind may fall by uses and holds."""
    reminder_days: NotRequired[Sequence[int]]
    """When people are reminded of an open invoice: days from when it is due, negative before that. Empty for never."""
    restricted_after_days: NotRequired[int | None]
    """How many days an invoice may be overdue before new agents, keys and spending are refused; null for ever."""
    flags: NotRequired[Mapping[str, bool]]
    """Feature flags: which features the operator switched on or off."""


class OutcomeCharge(TypedDict):
    """What agents achieve, priced by the number or the value of verified outcomes.

    A line is the price of the outcomes, a risk premium on it and a success bonus, beside the base fee. The maximum
    reduces the price of outcomes only, never the base fee."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["outcome"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    base_fee: NotRequired[BaseFee | None]
    """Due besides the price of usage."""
    discount: NotRequired[Discount | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any usage."""
    maximum: NotRequired[str | None]
    """What the line costs at most."""
    meter: Meter
    """How events become the quantity; the same in all versions."""
    pricing: PerUnit | Graduated | Volume | Package | Percentage | GraduatedPercentage | VolumePercentage | Dynamic
    """The price of the quantity, or of the events' values."""
    verification: NotRequired[Literal["required", "none"]]
    """Whether outcomes count once verified, or as soon as they are reported."""
    auto_verify: NotRequired[AutoVerify | None]
    """Which outcomes are verified on arrival, where verification is required."""
    verified_by: NotRequired[Literal["operator", "organization"]]
    """Who may verify outcomes besides the operator."""
    attribution_window_days: NotRequired[int]
    """The days within which an outcome has to follow its interaction."""
    minimum_value: NotRequired[str | None]
    """Outcomes of less value do not count."""
    risk_premium_percent: NotRequired[str]
    """Added to the price of the outcomes, in percent of it."""
    success_bonus: NotRequired[SuccessBonus | None]
    """Due besides, once the outcomes' total value is high enough."""


class Package(TypedDict):
    """Units are sold in packages of a fixed size and price."""

    type: Literal["package"]
    """Which pricing it is."""
    package_size: str
    """Units in one package, more than 0."""
    package_amount: str
    """The price of one package."""
    free_units: NotRequired[str]
    """Units that are free before the first package starts."""
    rounding: NotRequired[Literal["up", "down"]]
    """`up` charges a started package in full, `down` charges full packages only."""


class PaymentAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    target: str
    """The invoice that it was made for."""
    method: str
    """How it was paid."""
    reference: str | None
    """What the bank or the payer called it."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    received: str
    """What came."""
    applied: Sequence[AppliedAnswer]
    """What invoices took of it when it came."""
    unapplied: str
    """What became balance of the account."""
    received_at: str
    """When the money came."""
    recorded_at: str
    """When it was entered."""


class PerUnit(TypedDict):
    """The same price for every unit."""

    type: Literal["per_unit"]
    """Which pricing it is."""
    unit_amount: str
    """The price of one unit."""


class Percentage(TypedDict):
    """A percentage of each event's value and a fixed amount, within bounds per event.

    The first `free_events` cost nothing, nor do events that the `free_amount` covers wholly."""

    type: Literal["percentage"]
    """Which pricing it is."""
    rate: NotRequired[str]
    """In percent of the values beyond `free_amount`."""
    fixed_per_event: NotRequired[str]
    """Due for every event besides."""
    free_events: NotRequired[int]
    """How many events at the beginning of the period cost nothing."""
    free_amount: NotRequired[str]
    """The value at the beginning of the period that costs nothing."""
    minimum_per_event: NotRequired[str | None]
    """What an event costs at least."""
    maximum_per_event: NotRequired[str | None]
    """What an event costs at most."""


class PercentageTier(TypedDict):
    """A range of the value with its rate."""

    up_to: NotRequired[str | None]
    """The inclusive upper bound; null in the last tier, which has none."""
    flat_amount: NotRequired[str]
    """Due once, as soon as the tier is reached."""
    rate: str
    """In percent of the value."""


class PlanEntitlement(TypedDict):
    """A feature of a plan: `value` says whether it is there, or `limit` with `mode` how much there may be."""

    feature: str
    """`agents`, `api_keys`, `credits`, `events`, `models`, `projects`, `runs` and `seats` are counted by Xyra."""
    value: NotRequired[bool | None]
    """Whether the plan has it; null for a limit."""
    limit: NotRequired[str | None]
    """How much there may be; null for any number. Runs and events are those of a billing period, credits those of a
    calendar month."""
    mode: NotRequired[Literal["hard", "soft"] | None]
    """`hard`: what is more is refused. `soft`: it is accepted with a warning. Null for a flag."""


class PlanGrant(TypedDict):
    """Credits that a plan brings in each of its cycles."""

    key: str
    """Names the grant over all versions and plans of a place: after a change the other plan's goes on under it."""
    amount: str
    """Credits for a whole cycle, with at most 6 decimals."""
    kind: NotRequired[str]
    """The kind of credits. Kinds never mix."""
    promotional: NotRequired[bool]
    """Whether they burn before bought ones of the same priority and expiry."""
    every: NotRequired[Literal["cycle"]]
    """They are given once for each cycle."""
    on: NotRequired[Literal["start", "paid"]]
    """`start`: they are there from the cycle's start on. `paid`: as soon as nothing of the plan's fees in advance for
    the cycle is owed."""
    expires: NotRequired[Literal["cycle", "never"]]
    """`cycle`: what is left at the cycle's end is gone, but for `rollover`. `never`: they stay."""
    rollover: NotRequired[str]
    """How many of them at most go on for one more cycle."""


class PostalAddress(TypedDict):
    """Where a business is."""

    line1: NotRequired[str | None]
    """Street and number."""
    line2: NotRequired[str | None]
    """What else there is to say, such as a floor or a building."""
    postal_code: NotRequired[str | None]
    """As the country writes it."""
    city: NotRequired[str | None]
    """Town or city."""
    region: NotRequired[str | None]
    """State or province."""
    country: NotRequired[str | None]
    """ISO 3166-1, two capital letters."""


class ProjectGrant(TypedDict):
    """What a member limited to projects is in one of them."""

    id: str
    """The project's id."""
    role: Literal["admin", "developer", "viewer"]
    """What the member is there."""


class QuotaAnswer(TypedDict):
    limit: int
    """The most that there may be."""
    used: int
    """What there is now."""


class QuotasAnswer(TypedDict):
    agents: QuotaAnswer
    """Agents that are not deleted."""
    api_keys: QuotaAnswer
    """The organization's API keys, inactive and expired ones too."""
    threads: QuotaAnswer
    """Threads."""
    billing_models: QuotaAnswer
    """Billing models of its own, archived ones too."""
    stored_bytes: QuotaAnswer
    """Bytes of agents, API keys, threads, projects, departments and billing models."""


class SeatCharge(TypedDict):
    """A fee by a fixed number of seats, or by members or seats each day."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["seat"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    interval: NotRequired[Literal["month", "quarter", "year"]]
    """How often the fee is due; a month is a billing period."""
    timing: NotRequired[Literal["arrears", "advance"]]
    """Whether it is billed after the interval or in advance."""
    pricing: PerUnit | Graduated | Volume | Package | Percentage | GraduatedPercentage | VolumePercentage | Dynamic
    """The price of a number of agents or seats, for a whole interval."""
    discount: NotRequired[Discount | None]
    """Given from a number of agents or seats on."""
    tier: NotRequired[str | None]
    """A label for people, such as the name of a plan."""
    quantity: NotRequired[Literal["members", "seats"] | str]
    """Which headcount of the organization is priced, or a fixed whole number."""


class SetupFee(TypedDict):
    """An amount once, in the period in which its billing model is first used.

    It is never prorated. First used by any agent of the organization, or with the scope `agent` by each agent. A fee
    that a later version adds is due in full where that version is in force in the period of the first use, and else
    never."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["setup_fee"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    amount: str
    """Due in full."""
    timing: NotRequired[Literal["arrears", "advance"]]
    """Whether it is billed after the period of the first use or in advance."""


class Span(TypedDict):
    """A span of time [start, end)."""

    start: str
    """Inclusive."""
    end: str
    """Exclusive."""


class SpanAnswer(TypedDict):
    """A span of time [start, end)."""

    start: str
    """Inclusive."""
    end: str
    """Exclusive."""


Step = TypedDict(
    "Step",
    {
        "kind": "Literal['base_fee', 'tier', 'unit', 'percentage', 'package', 'minimum', 'maximum', 'discount', 'premium', 'bonus', 'overage', 'proration', 'adjustment', 'waiver', 'goodwill']",
        "version": "NotRequired[int | None]",
        "from": "NotRequired[str | None]",
        "to": "NotRequired[str | None]",
        "quantity": "NotRequired[str | None]",
        "unit_amount": "NotRequired[str | None]",
        "flat_amount": "NotRequired[str | None]",
        "rate": "NotRequired[str | None]",
        "workflow": "NotRequired[str | None]",
        "amount": "str",
    },
)


class SubtotalAnswer(TypedDict):
    id: str | None
    """Null for lines of no agent, and of agents without a project or department."""
    name: str | None
    """Null where `id` is, and for what is gone."""
    lines: int
    """How many lines there are in it."""
    amount: str
    """The sum of their amounts."""


class SuccessBonus(TypedDict):
    """A percentage of all values, once their sum reaches a threshold."""

    from_value: NotRequired[str]
    """The sum of the line's values from which on the bonus is due."""
    percent: str
    """In percent of all values, not only of those beyond the threshold."""


class TaxCurrency(TypedDict):
    """A document's tax in another currency, at a rate that it keeps."""

    currency: str
    """ISO 4217."""
    rate: str
    """What one unit of the document's currency is in it, by the operator's exchange rate at the invoice's issue."""
    tax_total: str
    """All taxes of the document at that rate, rounded half up."""


class TaxIdAnswer(TypedDict):
    type: str
    """Such as `eu_vat`."""
    value: str
    """In its compact form."""
    verified_at: str | None
    """When the operator verified it elsewhere."""


class TaxIdRequest(TypedDict):
    type: str
    """`eu_vat`, `gb_vat`, `ch_vat`, `no_vat`, `us_ein`, `au_abn`, `in_gst`, `ca_bn` or `br_cnpj`."""
    value: str
    """Its check digits are checked."""
    verified_at: NotRequired[str | None]
    """When you verified it elsewhere."""


class TaxLine(TypedDict):
    """What a document says of one treatment."""

    name: str
    """Its name, for people."""
    country: str | None
    """ISO 3166-1; null where no rate is asked."""
    percent: str
    """0 under reverse charge and for what is exempt."""
    category: str
    """The category of EN 16931."""
    inclusive: bool
    """Whether the lines' amounts contain it."""
    taxable: str
    """What it is a percentage of: the lines without tax."""
    amount: str
    """The tax, rounded once."""
    text: str | None
    """What has to be said of it: reverse charge, or why nothing is taxed."""


class Tier(TypedDict):
    """A range of units with their price."""

    up_to: NotRequired[str | None]
    """The inclusive upper bound; null in the last tier, which has none."""
    flat_amount: NotRequired[str]
    """Due once, as soon as the tier is reached."""
    unit_amount: str
    """The price of one unit in this tier."""


class TopUpSetting(TypedDict):
    """When credits are bought by themselves, and how many."""

    threshold: str
    """Below this balance of the default kind."""
    package: Literal["small", "medium", "large", "jumbo"]
    """Small, medium, large, jumbo: 100, 500, 2,000, 5,000 credits for 9.90, 39.90, 149.90, 349.90 USD."""
    monthly_maximum: str
    """What all top-ups of a local month may cost, in USD."""
    cool_down_seconds: NotRequired[int]
    """The pause after one has ended, paid or not."""


class Treatment(TypedDict):
    """The rate that a line is taxed at, or why it is not taxed."""

    rate_id: str | None
    """Null where no rate is asked: under reverse charge, and for what is exempt."""
    name: str
    """What the tax is called, such as VAT."""
    country: str | None
    """ISO 3166-1."""
    category: str
    """The category of EN 16931: `S` standard, `Z` zero, `AE` reverse charge, `E` exempt."""
    percent: str
    """0 under reverse charge and for what is exempt."""
    inclusive: bool
    """Whether amounts contain the tax."""
    status: Literal["taxable", "reverse_charge", "exempt"]
    """The state that it is in."""
    text: NotRequired[str | None]
    """What the invoice has to say about it."""


class Trial(TypedDict):
    """Time without fees at the beginning of a subscription."""

    days: int
    """Local days, to the same local time."""
    usage: NotRequired[Literal["free"]]
    """What is used in it costs nothing, and counts in no tier."""
    then: NotRequired[Literal["active", "canceled", "paused"]]
    """What the subscription is from its end on."""


class UnitConversion(TypedDict):
    """Divides, multiplies or rounds a period's quantity: tokens to millions of tokens, for example."""

    multiply_by: NotRequired[str | None]
    """The factor; null where it divides or leaves the quantity as it is."""
    divide_by: NotRequired[str | None]
    """The divisor; null where it multiplies or leaves the quantity as it is."""
    rounding: NotRequired[Literal["up", "down", "half_up"] | None]
    """To an integer, once for the whole period."""


class UnpricedAnswer(TypedDict):
    """LLM calls of models that have no price."""

    calls: int
    """How many."""
    tokens: str
    """Input and output together."""


class Volume(TypedDict):
    """All units cost the price of the tier that the whole quantity reaches.

    The tier's flat amount is due once."""

    type: Literal["volume"]
    """Which pricing it is."""
    tiers: Sequence[Tier]
    """In rising order; the last one is open."""


class VolumePercentage(TypedDict):
    """The whole value costs the rate of the tier that it reaches.

    The tier's flat amount is due once."""

    type: Literal["volume_percentage"]
    """Which pricing it is."""
    tiers: Sequence[PercentageTier]
    """In rising order; the last one is open."""
    fixed_per_event: NotRequired[str]
    """Due for every event besides."""


class WorkflowCharge(TypedDict):
    """Workflows that agents complete, each type at its own price."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["workflow"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    base_fee: NotRequired[BaseFee | None]
    """Due besides the price of usage."""
    discount: NotRequired[Discount | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any workflow."""
    maximum: NotRequired[str | None]
    """What the line costs at most."""
    workflows: Mapping[str, Any]
    """The price of each type, by the type's name."""
    commitment: NotRequired[Commitment | None]
    """On the number of workflows of all types. Exceeding it multiplies their price, not the base fee."""


class WorkflowType(TypedDict):
    """The price of one type of workflow. Its amounts are for a whole period and prorated by day."""

    pricing: PerUnit | Graduated | Volume | Package | Percentage | GraduatedPercentage | VolumePercentage | Dynamic
    """The price of the number of workflows, or of their values."""
    included_units: NotRequired[str]
    """Workflows of this type that are free."""
    minimum: NotRequired[str | None]
    """What all workflows of this type cost at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any workflow of this type."""
    maximum: NotRequired[str | None]
    """What all workflows of this type cost at most."""
    commitment: NotRequired[Commitment | None]
    """On the number of workflows of this type."""


class YearlyCommitment(TypedDict):
    """An amount that the charges of a year come to at least; what is missing is due at its end."""

    key: str
    """Names its line in the billing model, as the key of a charge does."""
    amount: str
    """For a whole year; by days where a plan has a part of it."""
    interval: NotRequired[Literal["year"]]
    """For how long it holds: a year of the place at which the plan stands."""
    charges: Sequence[str]
    """The keys of the charges that count, over all agents."""
