"""Models of `credits`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

from xyra.models.shared import TopUpSetting


class ActionCostAnswer(TypedDict):
    agent_type: str
    """Whose action it is."""
    action: str
    """What is done."""
    cost: str
    """Credits for doing it once."""


class ActionCostRequest(TypedDict):
    cost: str | int | Decimal
    """Credits for doing it once, with at most 6 decimals."""


class ActionCostTable(TypedDict):
    """What every action costs."""

    data: Sequence[ActionCostAnswer]
    """By agent type and action."""
    default_cost: str
    """What an action costs that the table does not have."""


class AlertAnswer(TypedDict):
    id: str
    """Its id."""
    type: Literal["low_balance", "budget_share", "forecast", "unusual_spending"]
    """What happened: a low balance, a reached share of a budget, a budget that will not last, or unusual spending."""
    time: str
    """When."""
    kind: str
    """The kind of credits."""
    used: str
    """What was used by then; of a balance what was available, of a forecast what the window comes to."""
    threshold: str
    """What was crossed: the amount of the balance, the limit of the budget, or the mean of the days before."""
    unit: Literal["credits", "money"]
    """Of both amounts."""
    share: str | None
    """Percent of the limit that were reached; of a `budget_share` only."""
    budget_id: str | None
    """Of the budget."""
    scope: Literal["organization", "project", "department", "agent", "api_key", "run"] | None
    """What kind of thing spends."""
    ref: str | None
    """Which thing spends."""
    window_start: str | None
    """When the window began; null for `once`."""
    window_end: str | None
    """When it ends; null for `once`."""


class AlertList(TypedDict):
    data: Sequence[AlertAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class BalanceAnswer(TypedDict):
    """available = granted - consumed - reserved - leased - expired - clawed_back."""

    kind: str
    """The kind of credits."""
    available: str
    """What can be spent; below zero in debt. Where another organization pays, no more than own budgets leave."""
    held: str
    """What is set aside: reserved and leased."""
    granted: str
    """All that was given."""
    purchased: str
    """What of it was bought."""
    consumed: str
    """What was spent, less what was refunded."""
    reserved: str
    """What holds have set aside."""
    leased: str
    """What leases have set aside."""
    expired: str
    """What lapsed."""
    clawed_back: str
    """What was taken back as its payment was."""
    debt: str
    """What was spent beyond what was given; what comes in pays it first."""
    expiring: Sequence[ExpiringCredits]
    """What lapses within 30 days if it is not spent, earliest first."""
    sequence: int
    """The number of the last transfer that is counted."""
    currency: str
    """The organization's: ISO 4217."""
    credit_value: str | None
    """What one of them is worth now, in that currency, by who pays; null where credits have no value in money."""
    payer_id: str | None
    """Whose credits are available, where another organization pays; the other figures are its own."""


class CaptureAnswer(TypedDict):
    transaction_id: str
    """The transfer that spent them."""
    hold_id: str
    """The hold that was captured."""
    amount: str
    """How many credits were spent."""
    returned: str
    """How many of the hold were not."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""


class CaptureRequest(TypedDict):
    amount: NotRequired[str | int | Decimal | None]
    """How many credits were used, at most those of the hold; by default all of them. The rest returns."""
    agent_type: NotRequired[str | None]
    """Whose action it was, for the lists and sums of what was spent."""
    action: NotRequired[str | None]
    """What was done."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""


class CreditGrantAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    amount: str
    """How many credits were given."""
    remaining: str
    """What is free of them."""
    held: str
    """What holds have set aside of them."""
    source: Literal["purchase", "subscription", "bonus", "refund", "adjustment"]
    """Where they come from."""
    kind: str
    """The kind of credits."""
    promotional: bool
    """Whether they were given away."""
    priority: int
    """Lower ones burn first."""
    expires_at: str | None
    """When what is left of them is gone: later than they were given where they have rolled over."""
    rollover: RolloverTerms | None
    """What goes on when they end."""
    cost_basis: MoneyPaid | None
    """What the organization paid for them."""
    clawed_back: str
    """What was taken back as their payment was."""
    reason: str | None
    """Why they were given."""
    created_at: str
    """When it was created."""


class CreditGrantList(TypedDict):
    data: Sequence[CreditGrantAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class CreditLine(TypedDict):
    """One account's part of a transfer."""

    kind: str
    """The kind of credits."""
    account: str
    """The account, such as `free`, `consumed` or `granted.purchase`."""
    amount: str
    """Positive where the account receives."""


class CreditUsageAnswer(TypedDict):
    """One use, what of a hold was captured or of a lease reported, or what of any of these was refunded."""

    transaction_id: str
    """The transfer."""
    time: str
    """When it was booked."""
    type: Literal["use", "capture", "lease_settlement", "refund"]
    """What happened."""
    amount: str
    """How many credits; below zero for a refund."""
    agent_id: str | None
    """The agent that it is about."""
    project_id: str | None
    """The project that it is allocated to."""
    department_id: str | None
    """The department that it is allocated to."""
    run: str | None
    """The run's key."""
    agent_type: str | None
    """Whose action it was, in the cost table."""
    action: str | None
    """What was done."""
    quantity: str | None
    """How often it was done."""
    metadata: Mapping[str, Any]
    """Data of the caller's own."""


class CreditUsageList(TypedDict):
    data: Sequence[CreditUsageAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class CreditUsageSummary(TypedDict):
    """What credits were spent on."""

    by: Literal["day", "agent", "project", "department", "run", "agent_type", "action"]
    """What the sums are for."""
    data: Sequence[UsageGroup]
    """Days in their order; else the largest amounts first, at most 1,000."""
    rest: UsageSums
    """What the list leaves out."""
    total: UsageSums
    """Of all."""


class CreditUse(TypedDict):
    """An amount, or an action of an agent type that has a price."""

    agent: NotRequired[str | None]
    """The agent's id or external id."""
    project_id: NotRequired[str | None]
    """By default the agent's."""
    department_id: NotRequired[str | None]
    """By default the agent's."""
    run: NotRequired[str | None]
    """The run's key."""
    amount: NotRequired[str | int | Decimal | None]
    """How many credits, with at most 6 decimals. Needs the permission `credits:use_amount`."""
    agent_type: NotRequired[str | None]
    """Whose action it is, in the cost table."""
    action: NotRequired[str | None]
    """What was done; an action that the table does not have costs 1."""
    quantity: NotRequired[str | int | Decimal | None]
    """How often; by default once."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""


class DepartmentLimitAnswer(TypedDict):
    limit: str | None
    """Null for no limit."""
    spent: str
    """What was spent and is held in the present day or month."""


class DepartmentLimitsAnswer(TypedDict):
    department_id: str
    """Whose limits they are."""
    daily: DepartmentLimitAnswer
    """Of the day."""
    monthly: DepartmentLimitAnswer
    """Of the calendar month."""


class DepartmentLimitsRequest(TypedDict):
    """Replaces both limits. They hold from now on, for credits of the kind `default`."""

    daily: NotRequired[str | int | Decimal | None]
    """The most that may be spent and held in a day of the organization's timezone; null for no limit."""
    monthly: NotRequired[str | int | Decimal | None]
    """The same for a calendar month."""


class EndRequest(TypedDict):
    total: str | int | Decimal
    """Everything that was spent since the lease began. A lower one than before changes nothing."""
    entries: NotRequired[Sequence[LeaseEntry]]
    """What the increase was spent on; they add up to it."""


class ExpiringCredits(TypedDict):
    """Free credits that are gone at an instant."""

    amount: str
    """How many."""
    at: str
    """When."""


class ExtendRequest(TypedDict):
    amount: NotRequired[str | int | Decimal | None]
    """How many credits are added; by default none."""
    expires_in: NotRequired[int]
    """Seconds from now until the client must have stopped; it never becomes less time than before."""


class GrantAnswer(TypedDict):
    transaction_id: str
    """The transfer that gave them."""
    grant_id: str
    """The new grant."""
    amount: str
    """How many credits were given."""
    available: str
    """The available credits of this kind after it."""


class GrantPart(TypedDict):
    """The part of a transaction that one grant bears."""

    grant_id: str | None
    """Null for debt."""
    amount: str
    """How many credits."""


class GrantRequest(TypedDict):
    organization_id: NotRequired[str | None]
    """The organization that gets the credits: id, slug or external id."""
    amount: str | int | Decimal
    """How many credits, with at most 6 decimals."""
    source: Literal["purchase", "subscription", "bonus", "refund", "adjustment"]
    """Where the credits come from."""
    kind: NotRequired[str]
    """Kinds never mix: a use takes credits of one kind."""
    promotional: NotRequired[bool]
    """Whether they were given away: these burn before others of the same priority and expiry."""
    priority: NotRequired[int]
    """Lower ones burn first."""
    expires_at: NotRequired[str | None]
    """The instant at which what is left of them is gone; null for never."""
    rollover: NotRequired[RolloverTermsInput | None]
    """What goes on when they end; needs `expires_at`."""
    cost_basis: NotRequired[MoneyPaidInput | None]
    """What the organization paid for them."""
    reason: NotRequired[str | None]
    """Why, for people."""


class HoldAnswer(TypedDict):
    transaction_id: str
    """The transfer that set them aside."""
    hold_id: str
    """The hold, to be captured or released."""
    amount: str
    """How many credits were set aside."""
    expires_at: str
    """When they return by themselves."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""


class LeaseAnswer(TypedDict):
    lease_id: str
    """Its id."""
    transaction_id: str
    """The transfer that made it."""
    organization_id: str
    """The organization that it belongs to."""
    state: Literal["open", "ended", "expired"]
    """`open`, `ended` by its holder, or `expired`."""
    kind: str
    """The kind of credits."""
    amount: str
    """The whole slice."""
    reported: str
    """What was spent of it, as reported so far."""
    left: str
    """What of the slice may still be spent."""
    over: str
    """What was reported beyond the slice."""
    unreported: str
    """What its budgets count without a report, as it expired."""
    written_off: str
    """What the operator took out of its budgets."""
    project_id: str | None
    """The project that it is spent for."""
    department_id: str | None
    """The department that it is spent for."""
    agent_id: str | None
    """The agent that spends it."""
    api_key_id: str | None
    """The key that took it."""
    run: str | None
    """The run's key."""
    created_at: str
    """When it was created."""
    expires_at: str
    """When the client must have stopped spending."""
    returns_at: str
    """When what was not reported returns."""


class LeaseEntry(TypedDict):
    """What a part of the increase was spent on."""

    agent_type: NotRequired[str | None]
    """Whose action it was."""
    action: NotRequired[str | None]
    """What was done."""
    amount: str | int | Decimal
    """What it cost."""


class LeaseGivenAnswer(TypedDict):
    transaction_id: str
    """The transfer that set the credits aside."""
    lease_id: str
    """The lease, to be settled, extended or ended."""
    amount: str
    """The whole slice."""
    expires_in: int
    """Seconds in which the client may spend, counted from when it first sent the request; maybe fewer than asked."""
    expires_at: str
    """When the client must have stopped, by the clock of the ledger."""
    returns_at: str
    """When what was not reported returns: until then a report is in time."""
    cut_by: str | None
    """The budget whose window ends before the time that was asked for; null for none."""
    credit_value: str | None
    """What one of its credits counts in budgets in money; null where credits have no value."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""


class LeaseList(TypedDict):
    data: Sequence[LeaseAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class LeaseRequest(TypedDict):
    agent: NotRequired[str | None]
    """The agent's id or external id."""
    project_id: NotRequired[str | None]
    """By default the agent's."""
    department_id: NotRequired[str | None]
    """By default the agent's."""
    run: NotRequired[str | None]
    """The run's key."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    amount: str | int | Decimal
    """How many credits the client may spend by itself, with at most 6 decimals."""
    kind: NotRequired[str]
    """The kind of credits."""
    expires_in: NotRequired[int]
    """Seconds until the client must have stopped spending; at most a day."""


class LedgerProblemAnswer(TypedDict):
    """What is wrong with the ledger, and where."""

    sequence: int | None
    """The place in the ledger."""
    transaction_id: str | None
    """The transfer that is wrong."""
    kind: str
    """What is wrong: `altered`, `missing`, `misplaced`, `chain_broken`, `unbalanced`, `cut_differs`, `head_differs`,
    `grant_page`."""


class MoneyPaid(TypedDict):
    """An amount of money."""

    amount: str
    """What was paid."""
    currency: str
    """The currency of all amounts, ISO 4217."""


class MoneyPaidInput(TypedDict):
    """An amount of money."""

    amount: str | int | Decimal
    """What was paid."""
    currency: str
    """The currency of all amounts, ISO 4217."""


class OpenTopUp(TypedDict):
    """A package of credits that is being bought."""

    id: str
    """Its id."""
    package: Literal["small", "medium", "large", "jumbo"]
    """Which package."""
    credits: str
    """How many credits it has."""
    price: str
    """What it costs."""
    opened_at: str
    """When the balance was found low."""


class PaidUsageAnswer(TypedDict):
    """A payment whose events are worth more than it kept."""

    payment_id: str
    """The transaction, hold or lease; of a hold also where its capture was named."""
    spent: str
    """The credits that were used or captured."""
    refunded: str
    """The credits of them that were returned."""
    credit_value: str
    """What one of its credits was worth, in `currency`."""
    events: int
    """How many events name it."""
    worth: str
    """What those cost alone, in `currency`."""
    beyond: str
    """What is billed of that, as the credits do not cover it, in `currency`."""
    currency: str
    """The organization's."""
    last_event_at: str
    """When the last of its events was counted."""


class PaidUsageList(TypedDict):
    data: Sequence[PaidUsageAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class RefundAnswer(TypedDict):
    transaction_id: str
    """The transfer that returned them."""
    amount: str
    """How many credits returned."""
    refunded: str
    """How many of the transaction were refunded in all."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""


class RefundRequest(TypedDict):
    amount: NotRequired[str | int | Decimal | None]
    """How many credits; by default all that is left of the transaction."""
    reason: str
    """Why, for people."""


class ReleaseAnswer(TypedDict):
    transaction_id: str
    """The transfer that returned them."""
    hold_id: str
    """The hold that was released."""
    amount: str
    """How many credits returned."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""


class ReserveRequest(TypedDict):
    agent: NotRequired[str | None]
    """The agent's id or external id."""
    project_id: NotRequired[str | None]
    """By default the agent's."""
    department_id: NotRequired[str | None]
    """By default the agent's."""
    run: NotRequired[str | None]
    """The run's key."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    amount: str | int | Decimal
    """How many credits, with at most 6 decimals."""
    kind: NotRequired[str]
    """The kind of credits."""
    expires_in: NotRequired[int]
    """Seconds until what was not captured returns by itself; at most a day."""


class RolloverTerms(TypedDict):
    """What of credits goes on when they end, and how long."""

    maximum: str
    """How many of them at most; the rest is gone."""
    days: int
    """For how many times 24 hours; then they are gone for good."""


class RolloverTermsInput(TypedDict):
    """What of credits goes on when they end, and how long."""

    maximum: str | int | Decimal
    """How many of them at most; the rest is gone."""
    days: int
    """For how many times 24 hours; then they are gone for good."""


class SettleAnswer(TypedDict):
    transaction_id: str
    """The transfer of this report."""
    lease_id: str
    """The lease."""
    reported: str
    """Everything that was reported so far."""
    left: str
    """What of the slice may still be spent."""
    over: str
    """What was reported beyond the slice."""
    state: Literal["open", "ended", "expired"]
    """`open`, `ended` by its holder, or `expired`."""
    late: bool
    """Whether the credits had returned already, so that others may have spent them."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""


class SettleRequest(TypedDict):
    total: str | int | Decimal
    """Everything that was spent since the lease began. A lower one than before changes nothing."""
    entries: NotRequired[Sequence[LeaseEntry]]
    """What the increase was spent on; they add up to it."""
    final: NotRequired[bool]
    """Whether nothing more will be spent: the rest of the slice returns."""


class StatementAnswer(TypedDict):
    """What moved one kind of credits in a time [from, to), page by page."""

    kind: str
    """The kind of credits."""
    opening: str
    """The available credits before it."""
    lines: Sequence[StatementLineAnswer]
    """In the order of the ledger; opening and all changes add up to closing."""
    closing: str
    """The available credits after it."""
    next_cursor: str | None
    """The `cursor` of the next page, whose opening is this one's closing; null on the last one."""


class StatementLineAnswer(TypedDict):
    """A transfer on a statement."""

    transaction_id: str
    """The transfer."""
    sequence: int
    """Its place in the ledger."""
    time: str
    """When it was booked."""
    type: Literal[
        "grant",
        "use",
        "reserve",
        "capture",
        "release",
        "hold_expiry",
        "lease",
        "lease_extension",
        "lease_settlement",
        "lease_expiry",
        "lease_write_off",
        "grant_expiry",
        "rollover",
        "refund",
        "clawback",
        "top_up_failure",
        "draw",
    ]
    """What happened."""
    change: str
    """Of the available credits."""
    available: str
    """The available credits after it."""
    reason: str | None
    """Why, for people."""


class TopUpAnswer(TypedDict):
    """When credits are bought by themselves, and how that stands."""

    setting: TopUpSetting | None
    """Null where nothing is bought by itself; `PUT /organizations/{id}/settings` changes it."""
    open: OpenTopUp | None
    """What is being bought; null for nothing."""
    last_closed_at: str | None
    """When the last one ended, paid or not; the pause begins then."""
    charged: str
    """What the top-ups of this local month cost."""
    currency: str
    """Of all prices here."""


class TransactionAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    type: Literal[
        "grant",
        "use",
        "reserve",
        "capture",
        "release",
        "hold_expiry",
        "lease",
        "lease_extension",
        "lease_settlement",
        "lease_expiry",
        "lease_write_off",
        "grant_expiry",
        "rollover",
        "refund",
        "clawback",
        "top_up_failure",
        "draw",
    ]
    """What happened."""
    sequence: int
    """Its place in the ledger."""
    time: str
    """When it was booked."""
    kind: str
    """The kind of credits."""
    amount: str
    """How many credits it is about."""
    lines: Sequence[CreditLine]
    """What the accounts received; they sum to zero."""
    parts: Sequence[GrantPart]
    """The grants that it moved credits from or to."""
    uses: Sequence[UsedCredits]
    """What was spent or set aside, and for what."""
    corrects: str | None
    """The hold, grant or transaction that it is about."""
    reason: str | None
    """Why, for people."""
    hash: str
    """Over all of it and the hash of the transfer before."""
    previous_hash: str
    """The hash of the transfer before."""


class TransactionList(TypedDict):
    data: Sequence[TransactionAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class UsageGroup(TypedDict):
    """The sums of one day, agent, project, department, run, agent type or action."""

    amount: str
    """What was spent in the end."""
    spent: str
    """By uses and captures."""
    refunded: str
    """What of such came back in this time."""
    uses: int
    """How many uses and captures."""
    name: str | None
    """A date, an id, the run's key, or the action behind its agent type and a slash; null where none was named."""


class UsageSums(TypedDict):
    """amount = spent - refunded."""

    amount: str
    """What was spent in the end."""
    spent: str
    """By uses and captures."""
    refunded: str
    """What of such came back in this time."""
    uses: int
    """How many uses and captures."""


class UseAmount(TypedDict):
    """One use of a list."""

    amount: str
    """What it cost."""


class UseAnswer(TypedDict):
    transaction_id: str
    """The transfer that spent them."""
    amount: str
    """How many credits were spent."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""
    uses: Sequence[UseAmount] | None
    """Of a list, each use in its order; else null."""


class UseRequest(TypedDict):
    """One use, or a list of uses that are taken all or nothing."""

    agent: NotRequired[str | None]
    """The agent's id or external id."""
    project_id: NotRequired[str | None]
    """By default the agent's."""
    department_id: NotRequired[str | None]
    """By default the agent's."""
    run: NotRequired[str | None]
    """The run's key."""
    amount: NotRequired[str | int | Decimal | None]
    """How many credits, with at most 6 decimals. Needs the permission `credits:use_amount`."""
    agent_type: NotRequired[str | None]
    """Whose action it is, in the cost table."""
    action: NotRequired[str | None]
    """What was done; an action that the table does not have costs 1."""
    quantity: NotRequired[str | int | Decimal | None]
    """How often; by default once."""
    metadata: NotRequired[Mapping[str, Any]]
    """Data of the caller's own: an object of at most 50 keys."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    kind: NotRequired[str]
    """The kind of credits."""
    uses: NotRequired[Sequence[CreditUse] | None]
    """Several uses, instead of the fields of one."""


class UsedCredits(TypedDict):
    """What credits were spent on."""

    amount: str
    """How many credits."""
    agent_id: str | None
    """The agent that it is about."""
    project_id: str | None
    """The project that it is allocated to."""
    department_id: str | None
    """The department that it is allocated to."""
    run: str | None
    """The run's key."""
    agent_type: str | None
    """Whose action it was, in the cost table."""
    action: str | None
    """What was done."""
    quantity: str | None
    """How often it was done."""
    metadata: Mapping[str, Any]
    """Data of the caller's own."""


class VerificationAnswer(TypedDict):
    id: str
    """Its id."""
    status: Literal["running", "done"]
    """The state that it is in."""
    created_at: str
    """When it was created."""
    ok: bool | None
    """Whether nothing is wrong; null while it is running."""
    checked_to: int | None
    """The place in the ledger up to which it looked."""
    problems: Sequence[LedgerProblemAnswer]
    """The first 100."""


class VerificationRequest(TypedDict):
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    from_beginning: NotRequired[bool]
    """Whether to look at the whole ledger, and not only at what came after the last month's cut."""


class WriteOffAnswer(TypedDict):
    transaction_id: str
    """The transfer that says so."""
    lease_id: str
    """The lease."""
    written_off: str
    """What its budgets count no longer."""
    available: str
    """The available credits of this kind after it."""
    revision: int | None
    """Of the wallet. Budgets that are read with it as `at_least` count this. Null of older answers."""


class WriteOffRequest(TypedDict):
    reason: NotRequired[str | None]
    """Why, for people."""
