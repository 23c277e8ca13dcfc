"""Models of `subscriptions`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import CreditNoteAnswer, InvoiceAnswer, LimitWarning, Line, SpanAnswer


class CancelRequest(TypedDict):
    at: NotRequired[Literal["now", "period_end"] | str]
    """`period_end` (of the plan's month, quarter or year), `now`, or a time ahead. Only the operator ends a quarter or
    year before its end."""
    proration: NotRequired[Literal["days", "none"]]
    """`days`: fees are shared by days. `none`: it ends when the plan's month, quarter or year does."""
    reason: NotRequired[str | None]
    """Why, for the audit trail."""


class ChangeRequest(TypedDict):
    plan: NotRequired[str | None]
    """The other plan's key or id; left out, the plan stays."""
    seats: NotRequired[int | None]
    """The organization's number of seats from then on; left out, it stays."""
    quantity: NotRequired[int | None]
    """How often an add-on is had from then on; left out, it stays."""
    at: NotRequired[Literal["now", "period_end"] | str]
    """`now`, `period_end` (of the plan's month, quarter or year), or a time ahead."""
    proration: NotRequired[Literal["days", "none"]]
    """`days`: fees are shared by days. `none`: the change waits for the end of the plan's month, quarter or year."""
    reset_anchor: NotRequired[bool]
    """Whether quarters and years begin again then; of a base plan by the month, the organization's months do, from the
    end of the period on."""
    trial_days: NotRequired[int | None]
    """A trial of the other plan. Only for the operator."""
    invoice: NotRequired[Literal["now", "next"]]
    """`now`: what it makes due in advance is invoiced when it takes effect. `next`: with the next invoice."""


class PauseRequest(TypedDict):
    at: NotRequired[Literal["now", "period_end"] | str]
    """`now`, `period_end`, or a time ahead."""
    until: NotRequired[str | None]
    """When it is resumed by itself; left out, by `/resume`."""


class PreviewAnswer(TypedDict):
    invoice: InvoiceAnswer | None
    """The interim invoice that would be issued now; null where none is."""
    note: CreditNoteAnswer | None
    """The credit note that would be issued now. None is: what falls is offset on the invoice of the period."""
    later: Sequence[Line]
    """What moves when the change takes effect, or with the invoice of the period: the first 500 lines."""


class SubscriptionAnswer(TypedDict):
    id: str
    """Its id."""
    organization_id: str
    """The organization that it belongs to."""
    place: str
    """`base`, or the key of an add-on. There is one subscription at a place."""
    plan: str
    """The plan's key."""
    plan_version: str
    """The id of the plan's version; a newer one moves no subscription."""
    status: Literal["scheduled", "trialing", "active", "paused", "canceled"] | Literal["past_due"]
    """`scheduled` until it begins, `past_due` while an overdue invoice has fees of its place; never stored."""
    trial_ends_at: str | None
    """Null where it is in no trial."""
    seats: int
    """The organization's number of seats now."""
    quantity: int
    """How often its plan is had."""
    purchase_order: str | None
    """The number of the customer's order at its place."""
    anchor: Literal["anniversary", "calendar"]
    """From where its quarters and years are counted."""
    current_period: SpanAnswer
    """The organization's billing period."""
    current_cycle: SpanAnswer
    """The month, quarter or year of its plan; a month is the billing period."""
    upcoming: Sequence[TermsAnswer]
    """What lies ahead, earliest first."""
    history: Sequence[TermsAnswer]
    """What has begun, oldest first: the last 100 entries."""
    invoice_id: str | None
    """The interim invoice that this request issued; null where it issued none."""
    warnings: Sequence[LimitWarning]
    """Soft limits of the plan that this request passed; empty where it passed none."""


class SubscriptionList(TypedDict):
    data: Sequence[SubscriptionAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class SubscriptionRequest(TypedDict):
    plan: str
    """The plan's key or id."""
    organization_id: NotRequired[str | None]
    """The organization's id, slug or external id. Only operators need it."""
    seats: NotRequired[int | None]
    """The organization's number of seats from now on; left out, it stays."""
    start: NotRequired[str | None]
    """When it begins: now or later. Only for the operator; by default now."""
    trial_days: NotRequired[int | None]
    """A trial in place of the plan's; 0 for none. Only for the operator."""
    quantity: NotRequired[int]
    """How often an add-on is had: it multiplies its flat fees and setup fees. 1 for a base plan."""
    anchor: NotRequired[Literal["anniversary", "calendar"] | None]
    """From where quarters and years are counted, in place of what the plan says: `anniversary`, the first day that is
    paid, or `calendar`, 1 January. `anniversary` of a base plan by the month moves the organization's months to that
    day."""
    purchase_order: NotRequired[str | None]
    """The number of the customer's order: the organization's invoices name it from then on."""
    coupons: NotRequired[Sequence[str]]
    """Codes to redeem with it, from the billing period on in which it begins."""


class TermsAnswer(TypedDict):
    plan: str
    """The plan's key."""
    plan_version: str
    """The id of the plan's version."""
    status: Literal["trialing", "active", "paused", "canceled"]
    """What the subscription is from then on."""
    fees_from: str
    """When this begins."""
    usage_from: str | None
    """From when on it prices usage, at least 10 minutes after the change; null where another one takes its place."""
