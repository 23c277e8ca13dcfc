"""Models of `organizations`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import (
    AddressRequest,
    EInvoiceSettings,
    ElectronicAddress,
    ElectronicAddressRequest,
    LimitWarning,
    OrganizationAnswer,
    OrganizationSettings,
    PostalAddress,
    SpanAnswer,
    TaxIdAnswer,
    TaxIdRequest,
    TopUpSetting,
)


class AccountAnswer(TypedDict):
    organization_id: str
    """The organization that it belongs to."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    balance: str
    """What was paid or credited and is not applied to an invoice yet. The next invoice takes it."""
    open: str
    """What is still to be paid of issued invoices."""
    entries: Sequence[EntryAnswer]
    """Newest first. All of them add up to `balance` less `open`."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class ChangedOrganizationAnswer(TypedDict):
    warnings: Sequence[LimitWarning]
    """Soft limits of the plan that were passed; empty where none was."""
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


class EInvoiceRequest(TypedDict):
    """How an organization takes electronic invoices."""

    format: Literal["factur-x", "xrechnung", "peppol"]
    """`factur-x` (ZUGFeRD): a PDF with its XML inside; `xrechnung`: XML in CII; `peppol`: XML in UBL."""


class EntryAnswer(TypedDict):
    id: str
    """Its id."""
    time: str
    """When it was booked."""
    kind: Literal["opening", "invoice", "credit_note", "payment", "cancellation"]
    """`opening`: documents that were issued before the account was kept."""
    amount: str
    """Positive in favour of the organization: payments, notes, cancellations. Negative for invoices."""
    balance: str
    """The sum up to this entry: what was paid beyond what was owed, negative where more was owed."""
    document: str | None
    """The id of the invoice, credit note or payment."""


class ExportAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    status: Literal["pending", "running", "done", "failed"]
    """The state that it is in."""
    created_at: str
    """When it was created."""
    counts: Mapping[str, int]
    """How many items of each list are in the archive."""
    reason: str | None
    """Why it failed; null where it did not."""
    url: str | None
    """Where the archive is fetched, without a credential; null until it is done, and once the link has expired."""
    urls: Sequence[str]
    """The same for each of its volumes, the first of which is at `url`: a large archive has several."""
    expires_at: str | None
    """When the link expires; null until it is done."""


class LimitsRequest(TypedDict):
    """All limits at once; what is null or not sent has its default."""

    agents: NotRequired[int | None]
    """Agents that are not deleted."""
    api_keys: NotRequired[int | None]
    """The organization's API keys, inactive and expired ones too."""
    threads: NotRequired[int | None]
    """Threads."""
    billing_models: NotRequired[int | None]
    """Billing models of its own, archived ones too."""
    stored_bytes: NotRequired[int | None]
    """Bytes of agents, API keys, threads, projects, departments and billing models."""
    key_requests_per_minute: NotRequired[int | None]
    """Requests of each API key in any minute; by default any number."""
    requests_per_minute: NotRequired[int | None]
    """Requests of all API keys and members together in any minute; by default any number."""


class OrganizationList(TypedDict):
    data: Sequence[OrganizationAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class OrganizationPatch(TypedDict):
    """JSON Merge Patch. The currency cannot be changed."""

    name: NotRequired[str]
    """Its name, for people."""
    timezone: NotRequired[str]
    """IANA name. A new one applies from the end of the last billing period that exists."""
    description: NotRequired[str | None]
    """What it is, for people."""
    billing_mode: NotRequired[Literal["postpaid", "prepaid"]]
    """A new one applies from the end of the last billing period that exists."""
    credit_value: NotRequired[str | int | Decimal | None]
    """What one credit is worth. A new one applies from the end of the last billing period that exists."""
    credit_values: NotRequired[Mapping[str, str | int | Decimal]]
    """What one credit of other kinds than `default` is worth, by kind: all of them, from the same time on."""
    billing_email: NotRequired[str | None]
    """The address that invoices are sent to."""
    contact: NotRequired[str | None]
    """The person to contact."""
    address: NotRequired[AddressRequest | None]
    """As invoices show it: the parts to change; null in it removes one."""
    tax_id: NotRequired[str | None]
    """As invoices show it."""
    language: NotRequired[Literal["en", "de", "fr", "es"]]
    """Of its invoices, credit notes, and the mails with them."""
    electronic_address: NotRequired[ElectronicAddressRequest | None]
    """Where electronic invoices are delivered."""
    buyer_reference: NotRequired[str | None]
    """What it asks to be written on its invoices, such as a Leitweg-ID."""
    e_invoice: NotRequired[EInvoiceRequest | None]
    """How it takes electronic invoices. While it is set, what they need and is missing stops finalizing."""
    due_days: NotRequired[int]
    """Days from the issue of an invoice until it is due."""
    grace_hours: NotRequired[int]
    """Hours from a period's end until its invoice is issued."""
    late_window_days: NotRequired[int]
    """Days after which an event is too old to be accepted."""
    shard_count: NotRequired[Literal[1, 2, 4, 8, 16, 32, 64]]
    """The number of store partitions for its usage. It can only grow."""
    seats: NotRequired[int]
    """The number of seats that seat charges bill from `seats_from` on, in place of a number that has not begun.
    
    The number in force withdraws what has not begun."""
    seats_from: NotRequired[str | None]
    """When new seats take effect: in 10 minutes (the default) or later."""
    settings: NotRequired[SettingsPatch | None]
    """Needs the header If-Match."""


class OrganizationRequest(TypedDict):
    name: str
    """Its name, for people."""
    currency: str
    """ISO 4217. It can never be changed."""
    timezone: NotRequired[str]
    """IANA name. Billing periods are calendar months there."""
    slug: NotRequired[str | None]
    """Short name, unique among all organizations; by default made from the name."""
    external_id: NotRequired[str | None]
    """The caller's own id for it, unique among all organizations."""
    description: NotRequired[str | None]
    """What it is, for people."""
    billing_mode: NotRequired[Literal["postpaid", "prepaid"]]
    """`postpaid`: usage is invoiced after each period. `prepaid`: it is drawn from the credits as it happens."""
    credit_value: NotRequired[str | int | Decimal | None]
    """What one credit is worth, in the organization's currency. `prepaid` needs it."""
    credit_values: NotRequired[Mapping[str, str | int | Decimal]]
    """What one credit of other kinds than `default` is worth, by kind."""
    billing_email: NotRequired[str | None]
    """The address that invoices are sent to."""
    contact: NotRequired[str | None]
    """The person to contact."""
    address: NotRequired[AddressRequest | None]
    """As invoices show it."""
    tax_id: NotRequired[str | None]
    """As invoices show it."""
    language: NotRequired[Literal["en", "de", "fr", "es"]]
    """Of its invoices, credit notes, and the mails with them."""
    electronic_address: NotRequired[ElectronicAddressRequest | None]
    """Where electronic invoices are delivered."""
    buyer_reference: NotRequired[str | None]
    """What it asks to be written on its invoices, such as a Leitweg-ID."""
    e_invoice: NotRequired[EInvoiceRequest | None]
    """How it takes electronic invoices; null where it takes none."""
    due_days: NotRequired[int | None]
    """Days from the issue of an invoice until it is due; by default the operator's setting."""
    grace_hours: NotRequired[int | None]
    """Hours from a period's end until its invoice is issued; by default the operator's setting."""
    late_window_days: NotRequired[int | None]
    """Days after which an event is too old to be accepted; by default the operator's setting."""
    shard_count: NotRequired[Literal[1, 2, 4, 8, 16, 32, 64] | None]
    """The number of store partitions for its usage; by default the operator's setting."""
    seats: NotRequired[int]
    """The number of seats that seat charges bill."""
    settings: NotRequired[OrganizationSettingsInput]
    """What the operator allows the organization."""
    livemode: NotRequired[bool]
    """False to try Xyra out: documents are numbered TEST-..., and no sum over organizations has them. It stays."""


class OrganizationSettingsInput(TypedDict):
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
    overdraft: NotRequired[str | int | Decimal]
    """How far below zero the available credits of the default kind may fall by uses and holds."""
    reminder_days: NotRequired[Sequence[int]]
    """When people are reminded of an open invoice: days from when it is due, negative before that. Empty for never."""
    restricted_after_days: NotRequired[int | None]
    """How many days an invoice may be overdue before new agents, keys and spending are refused; null for ever."""
    flags: NotRequired[Mapping[str, bool]]
    """Feature flags: which features the operator switched on or off."""


OrganizationStatsAnswer = TypedDict(
    "OrganizationStatsAnswer",
    {
        "provider_cost": "str",
        "billed_amount": "str",
        "outcome_value": "str",
        "margin": "str",
        "return": "str",
        "organization_id": "str",
        "currency": "str",
        "period": "SpanAnswer",
        "agents": "int",
        "active_agents": "int",
    },
)


PayerAnswer = TypedDict("PayerAnswer", {"payer_id": "str | None", "from": "str | None"})


class PayerRequest(TypedDict):
    payer_id: str | None
    """The id, slug or external id of the organization whose credits are spent; null for its own."""


class RedemptionAnswer(TypedDict):
    id: str
    """Its id."""
    coupon: str
    """The coupon's code."""
    coupon_id: str
    """The coupon's id."""
    name: str
    """What invoices say."""
    percent: str | None
    """What it takes off of each period, in percent; null where `amount` says it."""
    amount: str | None
    """What it takes off of each period at most, in the organization's currency; null where `percent` says it."""
    charges: Sequence[str] | None
    """The keys of the charges that it is for; null for all."""
    plans: Sequence[str] | None
    """The ids of the plans whose lines it is for; null for all lines."""
    periods: Sequence[SpanAnswer]
    """The billing periods that it counts for: all, or where it has no end those that have come up; the last 60."""
    ends: str | None
    """The end of the last one; null where it has no end."""
    redeemed_at: str
    """When it was redeemed."""
    ended_at: str | None
    """When it was ended, with the period that was open then."""


class RedemptionList(TypedDict):
    data: Sequence[RedemptionAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


RedemptionRequest = TypedDict("RedemptionRequest", {"code": "str", "from": "NotRequired[str | None]"})


class SettingsAnswer(TypedDict):
    """The operator's settings of an organization, and its own."""

    self_managed_pricing: bool
    """Whether the organization writes its own billing models."""
    reported_llm_costs: bool
    """Whether the cost that an LLM call reports is its cost, where neither an override nor the price list has one."""
    reported_llm_terms: bool
    """Whether the organization's credentials may report LLM calls with the customer's own key (`byok`), and with other
    service tiers than the standard one; else those calls cost the standard price."""
    paid_usage: bool
    """Whether events may name with `paid_with` what credits have paid for, and then cost only what goes beyond that."""
    unverified_may_write: bool
    """Whether members whose e-mail address is not verified may change things, as if it were."""
    overdraft: str
    """How far below zero the available credits of the default kind may fall by uses and holds."""
    reminder_days: Sequence[int]
    """When people are reminded of an open invoice: days from when it is due, negative before that. Empty for never."""
    restricted_after_days: int | None
    """How many days an invoice may be overdue before new agents, keys and spending are refused; null for ever."""
    flags: Mapping[str, bool]
    """Feature flags: which features the operator switched on or off."""
    billing_contacts: Sequence[str]
    """E-mail addresses that get what concerns billing, besides the organization's `billing_email`."""
    webhook_url: str | None
    """An https URL of the organization's own."""
    metadata: Mapping[str, Any]
    """Data of the organization's own."""
    mfa_required: bool
    """Whether members need a second factor."""
    top_up: TopUpSetting | None
    """When credits are bought by themselves; null for never."""
    balance_alerts: Sequence[str]
    """Balances of the default kind: each time one falls below such an amount, an alert is raised."""
    step_up_required: bool
    """Whether members show anew who they are to change money or access."""


class SettingsPatch(TypedDict):
    """Settings to change; null resets one to its default."""

    self_managed_pricing: NotRequired[bool | None]
    """Whether the organization writes billing models of its own."""
    reported_llm_costs: NotRequired[bool | None]
    """Whether the cost that an LLM call reports is its cost, where neither an override nor the price list has one."""
    reported_llm_terms: NotRequired[bool | None]
    """Whether the organization's credentials may report LLM calls with the customer's own key (`byok`), and with other
    service tiers than the standard one; else those calls cost the standard price."""
    paid_usage: NotRequired[bool | None]
    """Whether events may name with `paid_with` what credits have paid for, and then cost only what goes beyond that."""
    unverified_may_write: NotRequired[bool | None]
    """Whether members whose e-mail address is not verified may change things, as if it were."""
    overdraft: NotRequired[str | int | Decimal | None]
    """How far below zero the available credits of the default kind may fall by uses and holds."""
    flags: NotRequired[Mapping[str, bool] | None]
    """All feature flags. They take the place of those that were there."""


class SettingsRequest(TypedDict):
    """All of them: what is left out of the organization's own is reset to its default."""

    billing_contacts: NotRequired[Sequence[str]]
    """E-mail addresses that get what concerns billing, besides the organization's `billing_email`."""
    webhook_url: NotRequired[str | None]
    """An https URL of the organization's own."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""
    mfa_required: NotRequired[bool | None]
    """Whether members need a second factor; only an owner changes it. Left out it stays as it is."""
    top_up: NotRequired[TopUpSettingInput | None]
    """When credits are bought by themselves; null for never."""
    balance_alerts: NotRequired[Sequence[str | int | Decimal]]
    """Balances of the default kind: each time one falls below such an amount, an alert is raised."""
    step_up_required: NotRequired[bool | None]
    """Whether members show anew who they are, 10 minutes before at most, to change money or access; only an owner
    changes it. Left out it stays as it is."""
    self_managed_pricing: NotRequired[bool | None]
    """The operator's. Left out it stays as it is."""
    reported_llm_costs: NotRequired[bool | None]
    """The operator's. Left out it stays as it is."""
    reported_llm_terms: NotRequired[bool | None]
    """The operator's. Left out it stays as it is."""
    paid_usage: NotRequired[bool | None]
    """The operator's. Left out it stays as it is."""
    unverified_may_write: NotRequired[bool | None]
    """The operator's. Left out it stays as it is."""
    reminder_days: NotRequired[Sequence[int] | None]
    """The operator's. Left out they stay as they are."""
    restricted_after_days: NotRequired[int | None]
    """The operator's. Left out it stays as it is; switched off by `PATCH /organizations/{id}`."""
    flags: NotRequired[Mapping[str, bool] | None]
    """The operator's. Left out they stay as they are."""


class TaxTermsAnswer(TypedDict):
    entries: Sequence[TaxTermsEntry]
    """All terms, by their first days. A line is taxed by those in force on the last day that it covers."""


TaxTermsEntry = TypedDict(
    "TaxTermsEntry",
    {
        "from": "str",
        "default_rate": "str | None",
        "by_charge": "Mapping[str, str]",
        "status": "Literal['taxable', 'reverse_charge', 'exempt']",
        "reason": "str | None",
        "tax_ids": "Sequence[TaxIdAnswer]",
        "tax_currency": "str | None",
    },
)


TaxTermsRequest = TypedDict(
    "TaxTermsRequest",
    {
        "default_rate": "NotRequired[str | None]",
        "by_charge": "NotRequired[Mapping[str, str]]",
        "status": "NotRequired[Literal['taxable', 'reverse_charge', 'exempt']]",
        "reason": "NotRequired[str | None]",
        "tax_ids": "NotRequired[Sequence[TaxIdRequest]]",
        "tax_currency": "NotRequired[str | None]",
        "from": "NotRequired[str | None]",
    },
)


class TopUpSettingInput(TypedDict):
    """When credits are bought by themselves, and how many."""

    threshold: str | int | Decimal
    """Below this balance of the default kind."""
    package: Literal["small", "medium", "large", "jumbo"]
    """Small, medium, large, jumbo: 100, 500, 2,000, 5,000 credits for 9.90, 39.90, 149.90, 349.90 USD."""
    monthly_maximum: str | int | Decimal
    """What all top-ups of a local month may cost, in USD."""
    cool_down_seconds: NotRequired[int]
    """The pause after one has ended, paid or not."""


class WalletBudgetRequest(TypedDict):
    monthly: str | int | Decimal | None
    """Credits of the kind `default` that may be spent in a calendar month; null for any number."""
    enforcement: NotRequired[Literal["hard", "soft"]]
    """`hard` refuses what would pass it, `soft` only notes it."""
