"""Models of `billing_models`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import (
    ActivityCharge,
    AgentCharge,
    CostCharge,
    Dynamic,
    FlatFee,
    Line,
    OutcomeCharge,
    SeatCharge,
    SetupFee,
    WorkflowCharge,
    YearlyCommitment,
)


BillingModelTemplate = Mapping[str, Any]


class ActivityChargeInput(TypedDict):
    """What agents do, metered and priced."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["activity"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    base_fee: NotRequired[BaseFeeInput | None]
    """Due besides the price of usage."""
    discount: NotRequired[DiscountInput | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | int | Decimal | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any usage."""
    maximum: NotRequired[str | int | Decimal | None]
    """What the line costs at most."""
    meter: MeterInput
    """How events become the quantity; the same in all versions."""
    pricing: (
        PerUnitInput
        | GraduatedInput
        | VolumeInput
        | PackageInput
        | PercentageInput
        | GraduatedPercentageInput
        | VolumePercentageInput
        | Dynamic
    )
    """The price of the quantity, or of the events' values."""
    included_units: NotRequired[str | int | Decimal]
    """Units that are free in a whole period; prorated by day."""
    commitment: NotRequired[CommitmentInput | None]
    """On the quantity; units beyond it cost a multiple."""


class AgentChargeInput(TypedDict):
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
    pricing: (
        PerUnitInput
        | GraduatedInput
        | VolumeInput
        | PackageInput
        | PercentageInput
        | GraduatedPercentageInput
        | VolumePercentageInput
        | Dynamic
    )
    """The price of a number of agents or seats, for a whole interval."""
    discount: NotRequired[DiscountInput | None]
    """Given from a number of agents or seats on."""
    tier: NotRequired[str | None]
    """A label for people, such as the name of a plan."""


AnythingElseInput = TypedDict("AnythingElseInput", {"not": "Sequence[str | bool | int | Decimal | None]"})


class AutoVerifyInput(TypedDict):
    """Bounds of the values that are verified on arrival; at least one bound is given."""

    minimum_value: NotRequired[str | int | Decimal | None]
    """Inclusive."""
    maximum_value: NotRequired[str | int | Decimal | None]
    """Inclusive."""


class BaseFeeInput(TypedDict):
    """A fee for the period beside the price of usage."""

    amount: str | int | Decimal
    """For a whole period."""
    per: NotRequired[Literal["agent", "charge"]]
    """Whether it is due once per line, or once per agent."""


class BillingModelAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str | None
    """Null for a model that every organization can use."""
    name: str
    """Its name, for people."""
    description: str
    """What it is, for people."""
    currency: str
    """The currency of all amounts, ISO 4217."""
    archived_at: str | None
    """Since when no agent can be given it."""
    version: int
    """The number of the newest version. It may not be in force yet."""
    version_id: str
    """Of the newest version."""
    effective_from: str
    """When the newest version takes effect."""
    charges: Sequence[
        FlatFee | SetupFee | SeatCharge | AgentCharge | ActivityCharge | OutcomeCharge | WorkflowCharge | CostCharge
    ]
    """Of the newest version."""
    commitments: Sequence[YearlyCommitment]
    """Of the newest version."""


class BillingModelDraft(TypedDict):
    """A billing model, or a new version of one, as it is sent."""

    name: str
    """For people."""
    description: NotRequired[str]
    """For people."""
    currency: str
    """Of all amounts in the model."""
    effective_from: NotRequired[str | None]
    """When the version takes effect; null for as soon as it may."""
    charges: Sequence[
        FlatFeeInput
        | SetupFeeInput
        | SeatChargeInput
        | AgentChargeInput
        | ActivityChargeInput
        | OutcomeChargeInput
        | WorkflowChargeInput
        | CostChargeInput
    ]
    """What is priced; each has a key of its own."""
    commitments: NotRequired[Sequence[YearlyCommitmentInput]]
    """What some of these charges come to in a year at least, in the billing models of plans."""


class BillingModelList(TypedDict):
    data: Sequence[BillingModelAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class BillingModelRequest(TypedDict):
    name: str
    """For people."""
    description: NotRequired[str]
    """For people."""
    currency: str
    """Of all amounts in the model."""
    effective_from: NotRequired[str | None]
    """When the version takes effect; null for as soon as it may."""
    charges: Sequence[
        FlatFeeInput
        | SetupFeeInput
        | SeatChargeInput
        | AgentChargeInput
        | ActivityChargeInput
        | OutcomeChargeInput
        | WorkflowChargeInput
        | CostChargeInput
    ]
    """What is priced; each has a key of its own."""
    commitments: NotRequired[Sequence[YearlyCommitmentInput]]
    """What some of these charges come to in a year at least, in the billing models of plans."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. An operator who names none publishes for all organizations."""


class BillingModelTemplateList(TypedDict):
    data: Sequence[BillingModelTemplate]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class CalculateRequest(TypedDict):
    usage: NotRequired[Sequence[UsageEntry]]
    """The usage of each charge. A charge that is not named has none."""
    period: NotRequired[CalculatedPeriod | None]
    """By default the current calendar month in UTC."""
    only: NotRequired[Sequence[str] | None]
    """The keys of the charges to calculate; by default all."""


class CalculatedPeriod(TypedDict):
    """A span of time [start, end)."""

    start: str
    """Inclusive."""
    end: str
    """Exclusive."""


class Calculation(TypedDict):
    """What estimated usage would cost."""

    currency: str
    """The currency of all amounts, ISO 4217."""
    lines: Sequence[Line]
    """The lines, each with its arithmetic."""
    exact_total: str
    """The sum of the lines' exact amounts."""
    total: str
    """The sum of the lines' rounded amounts."""


class CommitmentInput(TypedDict):
    """An agreed quantity, and the multiple that usage beyond it costs.

    Of one metered quantity, the units beyond the commitment cost the multiple, flat amounts of tiers never do. Of all
    types of workflows together, exceeding it multiplies all that is due for usage."""

    quantity: str | int | Decimal
    """The agreed quantity in a period; included units count towards it."""
    overage_multiplier: str | int | Decimal
    """What usage beyond it costs, as a multiple of its price; 1 or more."""


class CostChargeInput(TypedDict):
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
    base_fee: NotRequired[BaseFeeInput | None]
    """Due besides the price of usage."""
    discount: NotRequired[DiscountInput | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | int | Decimal | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any usage."""
    maximum: NotRequired[str | int | Decimal | None]
    """What the line costs at most."""
    categories: NotRequired[Sequence[str] | None]
    """Which categories are passed on, null for all; `llm` is the category of LLM calls."""
    markup_percent: NotRequired[str | int | Decimal]
    """Added to the costs, in percent of them."""


class DiscountInput(TypedDict):
    """A percentage, or an amount per period, off a line."""

    from_quantity: NotRequired[str | int | Decimal]
    """The line's quantity from which on the discount is given."""
    percent: NotRequired[str | int | Decimal | None]
    """In percent of what is due; at most 100."""
    amount: NotRequired[str | int | Decimal | None]
    """For a whole period; never more than what is due."""


class FlatFeeInput(TypedDict):
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
    amount: str | int | Decimal
    """For a whole interval."""


class GraduatedInput(TypedDict):
    """Each unit costs the price of its tier. A tier's flat amount is due once it is reached."""

    type: Literal["graduated"]
    """Which pricing it is."""
    tiers: Sequence[TierInput]
    """In rising order; the last one is open."""


class GraduatedPercentageInput(TypedDict):
    """Each part of the value costs the rate of its tier.

    A tier's flat amount is due once it is reached."""

    type: Literal["graduated_percentage"]
    """Which pricing it is."""
    tiers: Sequence[PercentageTierInput]
    """In rising order; the last one is open."""
    fixed_per_event: NotRequired[str | int | Decimal]
    """Due for every event besides."""


class MeterInput(TypedDict):
    """Aggregates the events that match: counts them, or reads the values at a path."""

    event_type: str
    """Only events of this type match."""
    aggregation: NotRequired[Literal["count", "sum", "max", "last", "unique", "weighted_sum"]]
    """How the events that match become one quantity."""
    value: NotRequired[str | None]
    """The path of what it reads of an event, such as `data.quantity`."""
    filter: NotRequired[Mapping[str, Sequence[str | bool | int | Decimal | None] | AnythingElseInput]]
    """An event matches when each of these paths has one of its values, or none of those in `{"not": [...]}`."""
    unit: NotRequired[UnitConversionInput | None]
    """What is counted."""


class ModelSketch(TypedDict):
    """A billing model to calculate with; it is never saved and needs no name."""

    name: NotRequired[str]
    """For people."""
    description: NotRequired[str]
    """For people."""
    currency: str
    """Of all amounts in the model."""
    effective_from: NotRequired[str | None]
    """When the version takes effect; null for as soon as it may."""
    charges: Sequence[
        FlatFeeInput
        | SetupFeeInput
        | SeatChargeInput
        | AgentChargeInput
        | ActivityChargeInput
        | OutcomeChargeInput
        | WorkflowChargeInput
        | CostChargeInput
    ]
    """What is priced; each has a key of its own."""
    commitments: NotRequired[Sequence[YearlyCommitmentInput]]
    """What some of these charges come to in a year at least, in the billing models of plans."""


class OutcomeChargeInput(TypedDict):
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
    base_fee: NotRequired[BaseFeeInput | None]
    """Due besides the price of usage."""
    discount: NotRequired[DiscountInput | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | int | Decimal | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any usage."""
    maximum: NotRequired[str | int | Decimal | None]
    """What the line costs at most."""
    meter: MeterInput
    """How events become the quantity; the same in all versions."""
    pricing: (
        PerUnitInput
        | GraduatedInput
        | VolumeInput
        | PackageInput
        | PercentageInput
        | GraduatedPercentageInput
        | VolumePercentageInput
        | Dynamic
    )
    """The price of the quantity, or of the events' values."""
    verification: NotRequired[Literal["required", "none"]]
    """Whether outcomes count once verified, or as soon as they are reported."""
    auto_verify: NotRequired[AutoVerifyInput | None]
    """Which outcomes are verified on arrival, where verification is required."""
    verified_by: NotRequired[Literal["operator", "organization"]]
    """Who may verify outcomes besides the operator."""
    attribution_window_days: NotRequired[int]
    """The days within which an outcome has to follow its interaction."""
    minimum_value: NotRequired[str | int | Decimal | None]
    """Outcomes of less value do not count."""
    risk_premium_percent: NotRequired[str | int | Decimal]
    """Added to the price of the outcomes, in percent of it."""
    success_bonus: NotRequired[SuccessBonusInput | None]
    """Due besides, once the outcomes' total value is high enough."""


class PackageInput(TypedDict):
    """Units are sold in packages of a fixed size and price."""

    type: Literal["package"]
    """Which pricing it is."""
    package_size: str | int | Decimal
    """Units in one package, more than 0."""
    package_amount: str | int | Decimal
    """The price of one package."""
    free_units: NotRequired[str | int | Decimal]
    """Units that are free before the first package starts."""
    rounding: NotRequired[Literal["up", "down"]]
    """`up` charges a started package in full, `down` charges full packages only."""


class PerUnitInput(TypedDict):
    """The same price for every unit."""

    type: Literal["per_unit"]
    """Which pricing it is."""
    unit_amount: str | int | Decimal
    """The price of one unit."""


class PercentageInput(TypedDict):
    """A percentage of each event's value and a fixed amount, within bounds per event.

    The first `free_events` cost nothing, nor do events that the `free_amount` covers wholly."""

    type: Literal["percentage"]
    """Which pricing it is."""
    rate: NotRequired[str | int | Decimal]
    """In percent of the values beyond `free_amount`."""
    fixed_per_event: NotRequired[str | int | Decimal]
    """Due for every event besides."""
    free_events: NotRequired[int]
    """How many events at the beginning of the period cost nothing."""
    free_amount: NotRequired[str | int | Decimal]
    """The value at the beginning of the period that costs nothing."""
    minimum_per_event: NotRequired[str | int | Decimal | None]
    """What an event costs at least."""
    maximum_per_event: NotRequired[str | int | Decimal | None]
    """What an event costs at most."""


class PercentageTierInput(TypedDict):
    """A range of the value with its rate."""

    up_to: NotRequired[str | int | Decimal | None]
    """The inclusive upper bound; null in the last tier, which has none."""
    flat_amount: NotRequired[str | int | Decimal]
    """Due once, as soon as the tier is reached."""
    rate: str | int | Decimal
    """In percent of the value."""


class SeatChargeInput(TypedDict):
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
    pricing: (
        PerUnitInput
        | GraduatedInput
        | VolumeInput
        | PackageInput
        | PercentageInput
        | GraduatedPercentageInput
        | VolumePercentageInput
        | Dynamic
    )
    """The price of a number of agents or seats, for a whole interval."""
    discount: NotRequired[DiscountInput | None]
    """Given from a number of agents or seats on."""
    tier: NotRequired[str | None]
    """A label for people, such as the name of a plan."""
    quantity: NotRequired[Literal["members", "seats"] | str | int | Decimal]
    """Which headcount of the organization is priced, or a fixed whole number."""


class SetupFeeInput(TypedDict):
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
    amount: str | int | Decimal
    """Due in full."""
    timing: NotRequired[Literal["arrears", "advance"]]
    """Whether it is billed after the period of the first use or in advance."""


class SketchCalculateRequest(TypedDict):
    usage: NotRequired[Sequence[UsageEntry]]
    """The usage of each charge. A charge that is not named has none."""
    period: NotRequired[CalculatedPeriod | None]
    """By default the current calendar month in UTC."""
    only: NotRequired[Sequence[str] | None]
    """The keys of the charges to calculate; by default all."""
    model: ModelSketch
    """The billing model to calculate with. It is not saved."""


class SuccessBonusInput(TypedDict):
    """A percentage of all values, once their sum reaches a threshold."""

    from_value: NotRequired[str | int | Decimal]
    """The sum of the line's values from which on the bonus is due."""
    percent: str | int | Decimal
    """In percent of all values, not only of those beyond the threshold."""


class TierInput(TypedDict):
    """A range of units with their price."""

    up_to: NotRequired[str | int | Decimal | None]
    """The inclusive upper bound; null in the last tier, which has none."""
    flat_amount: NotRequired[str | int | Decimal]
    """Due once, as soon as the tier is reached."""
    unit_amount: str | int | Decimal
    """The price of one unit in this tier."""


class UnitConversionInput(TypedDict):
    """Divides, multiplies or rounds a period's quantity: tokens to millions of tokens, for example."""

    multiply_by: NotRequired[str | int | Decimal | None]
    """The factor; null where it divides or leaves the quantity as it is."""
    divide_by: NotRequired[str | int | Decimal | None]
    """The divisor; null where it multiplies or leaves the quantity as it is."""
    rounding: NotRequired[Literal["up", "down", "half_up"] | None]
    """To an integer, once for the whole period."""


class UsageEntry(TypedDict):
    """Estimated usage of one charge, by one agent or by all."""

    charge: str
    """The charge's key."""
    agent: NotRequired[str | None]
    """Any name for the agent whose usage it is; null where it is not attributed."""
    quantity: NotRequired[str | int | Decimal | None]
    """What the meter comes to, after its unit conversion; beside `value` the number of events."""
    value: NotRequired[str | int | Decimal | None]
    """The sum of the events' values, where their order does not matter to the price."""
    values: NotRequired[Sequence[str | int | Decimal] | None]
    """The value of each event, in their order: of outcomes, percentages and dynamic prices."""
    workflows: NotRequired[Mapping[str, str | int | Decimal] | None]
    """The number of workflows of each type."""
    agents: NotRequired[str | int | Decimal | None]
    """The number of agents whose usage it is together."""


class VersionAnswer(TypedDict):
    id: str
    """Its id."""
    number: int
    """From 1 on."""
    effective_from: str
    """When it takes effect."""
    charges: Sequence[
        FlatFee | SetupFee | SeatCharge | AgentCharge | ActivityCharge | OutcomeCharge | WorkflowCharge | CostCharge
    ]
    """What it prices, and how."""
    commitments: Sequence[YearlyCommitment]
    """What some of them come to in a year at least."""


class VersionList(TypedDict):
    data: Sequence[VersionAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class VolumeInput(TypedDict):
    """All units cost the price of the tier that the whole quantity reaches.

    The tier's flat amount is due once."""

    type: Literal["volume"]
    """Which pricing it is."""
    tiers: Sequence[TierInput]
    """In rising order; the last one is open."""


class VolumePercentageInput(TypedDict):
    """The whole value costs the rate of the tier that it reaches.

    The tier's flat amount is due once."""

    type: Literal["volume_percentage"]
    """Which pricing it is."""
    tiers: Sequence[PercentageTierInput]
    """In rising order; the last one is open."""
    fixed_per_event: NotRequired[str | int | Decimal]
    """Due for every event besides."""


class WorkflowChargeInput(TypedDict):
    """Workflows that agents complete, each type at its own price."""

    key: str
    """Names the charge in its model; stable over the model's versions."""
    type: Literal["workflow"]
    """Which kind of charge it is."""
    scope: NotRequired[Literal["agent", "organization"]]
    """Whether tiers, fees and bounds are per agent, or pooled over all agents."""
    settles: NotRequired[Literal["invoice", "wallet"]]
    """What pays it in a prepaid period: the wallet until the period's close, or the invoice."""
    base_fee: NotRequired[BaseFeeInput | None]
    """Due besides the price of usage."""
    discount: NotRequired[DiscountInput | None]
    """Off base fee and usage."""
    minimum: NotRequired[str | int | Decimal | None]
    """What the line costs at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any workflow."""
    maximum: NotRequired[str | int | Decimal | None]
    """What the line costs at most."""
    workflows: Mapping[str, Any]
    """The price of each type, by the type's name."""
    commitment: NotRequired[CommitmentInput | None]
    """On the number of workflows of all types. Exceeding it multiplies their price, not the base fee."""


class WorkflowTypeInput(TypedDict):
    """The price of one type of workflow. Its amounts are for a whole period and prorated by day."""

    pricing: (
        PerUnitInput
        | GraduatedInput
        | VolumeInput
        | PackageInput
        | PercentageInput
        | GraduatedPercentageInput
        | VolumePercentageInput
        | Dynamic
    )
    """The price of the number of workflows, or of their values."""
    included_units: NotRequired[str | int | Decimal]
    """Workflows of this type that are free."""
    minimum: NotRequired[str | int | Decimal | None]
    """What all workflows of this type cost at least."""
    minimum_when_unused: NotRequired[bool]
    """Whether the minimum is due without any workflow of this type."""
    maximum: NotRequired[str | int | Decimal | None]
    """What all workflows of this type cost at most."""
    commitment: NotRequired[CommitmentInput | None]
    """On the number of workflows of this type."""


class YearlyCommitmentInput(TypedDict):
    """An amount that the charges of a year come to at least; what is missing is due at its end."""

    key: str
    """Names its line in the billing model, as the key of a charge does."""
    amount: str | int | Decimal
    """For a whole year; by days where a plan has a part of it."""
    interval: NotRequired[Literal["year"]]
    """For how long it holds: a year of the place at which the plan stands."""
    charges: Sequence[str]
    """The keys of the charges that count, over all agents."""
