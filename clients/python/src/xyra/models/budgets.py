"""Models of `budgets`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import BudgetAnswer


class BudgetList(TypedDict):
    data: Sequence[BudgetAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class BudgetRequest(TypedDict):
    limit: str | int | Decimal
    """In credits with at most 6 decimals, or in money."""
    unit: NotRequired[Literal["credits", "money"]]
    """Money is credits by what each is worth when it is spent or set aside: the `credit_value` of who pays."""
    name: NotRequired[str | None]
    """For people."""
    scope: Literal["organization", "project", "department", "agent", "api_key", "run"]
    """What kind of thing it limits."""
    ref: NotRequired[str | None]
    """The id of the thing; an agent's may be its external id, a run's is its key. `each` limits each thing of the scope
    by itself. An organization's budget needs none."""
    window: Literal["hour", "day", "month", "once"]
    """A clock hour, day or calendar month in the organization's timezone, or `once` for all time."""
    kind: NotRequired[str]
    """The kind of credits. Only `default` has a value in money."""
    enforcement: NotRequired[Literal["hard", "soft"]]
    """`hard` refuses what would pass the limit, `soft` only notes it."""
    alert_at: NotRequired[Sequence[str | int | Decimal]]
    """Percent of the limit at which to note it, up to 1,000."""


class BudgetStatusAnswer(TypedDict):
    id: str
    """Its id."""
    name: str | None
    """For people."""
    scope: Literal["organization", "project", "department", "agent", "api_key", "run"]
    """What kind of thing it limits."""
    ref: str
    """The thing that is counted here."""
    kind: str
    """The kind of credits."""
    enforcement: Literal["hard", "soft"]
    """`hard` refuses, `soft` only notes."""
    alert_at: Sequence[str]
    """Percent of the limit at which it is noted."""
    window: CountedWindow
    """The present one."""
    unit: Literal["credits", "money"]
    """Of all amounts here."""
    limit: str
    """The most that may be spent in a window."""
    spent: str
    """What was spent and captured, less what was refunded."""
    held: str
    """What holds and leases have set aside."""
    unreported: str
    """Of leases that expired: what their holders have not accounted for."""
    metered: str
    """What reported usage comes to."""
    left: str
    """What may still be spent; never below 0."""
    over: str
    """By how much the limit is passed; 0 while it is not."""
    pending: PendingEvents
    """Events of the organization that are on their way. They have no amount yet, so `left` may be too much."""
    counted_to: str
    """Usage that was metered until then is in `metered`."""
    revision: int
    """Of the wallet; send it as `at_least` to see at least what is seen here."""
    state: Literal["ok", "alert", "exhausted"]
    """`exhausted` where nothing is left, `alert` where a share of `alert_at` is reached, else `ok`."""


class CountedWindow(TypedDict):
    """A span of time [start, end)."""

    start: str | None
    """Null for `once`."""
    end: str | None
    """Null for `once`."""
    timezone: str
    """The organization's, in which days begin."""


class PendingEvents(TypedDict):
    """Accepted events that have no amount yet."""

    events: int
    """How many."""
    oldest: str | None
    """When the oldest of them was accepted; null for none."""
    at_least: bool
    """Whether there may be more: counting was cut off."""
