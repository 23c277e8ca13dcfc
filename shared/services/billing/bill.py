"""A bill: what the invoice of a period says, from what is due and billed for the periods that it looks at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.billing.concessions import conceded
from shared.domain.billing.discounts import Discount, discount_lines
from shared.domain.billing.invoicing import BilledLine, Composed, PeriodBill, billed_lines, compose, differences
from shared.domain.billing.moved_goodwill import is_goodwill
from shared.domain.billing.prepaid import lowered, settles_from_wallet
from shared.domain.kernel.money import total
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.domain.rating.rated_lines import RatedLine
from shared.services.periods.periods import PeriodItem
from shared.services.storage import Stored


@dataclass(frozen=True, slots=True)
class GuardedPeriod:
    """A period as it was read before its facts: writing it fails where it has changed since.

    Only a preview sees periods that are not stored yet.
    """

    period: Period
    stored: Stored[PeriodItem] | None = None

    @property
    def is_discounted(self) -> bool:
        """Whether coupons lie on it."""
        return self.stored is not None and bool(self.stored.entity.redemptions)


@dataclass(frozen=True, slots=True)
class Concessions:
    """The lines that are waived of a period, and those that goodwill has given back."""

    waived: Sequence[Line] = ()
    given: Sequence[Line] = ()


@dataclass(frozen=True, slots=True)
class RatedPeriod:
    """What is due for a period, and the lines of the documents that it lists."""

    guarded: GuardedPeriod
    rated: Sequence[RatedLine]
    billed: Sequence[Line]
    concessions: Concessions
    is_prepaid: bool = False
    """Whether a wallet pays for its usage until its close."""
    drawn: Mapping[str, Decimal] | None = None
    """What the wallet paid until the close, by line key; None before it."""
    discounts: Sequence[Discount] = ()
    """What coupons take off its lines."""

    @property
    def period(self) -> Period:
        return self.guarded.period

    @property
    def open_until(self) -> datetime:
        """The period's end, or that of its longest cycle that is due in advance.

        A cycle is a quarter or a year. Agents and seats come and go until then, and change what is due.
        """
        ahead = [line.covers.end for line in self.due if line.timing == "advance" and line.covers is not None]
        return max([self.period.end, *ahead])

    @property
    def due(self) -> list[Line]:
        """All that is due for it."""
        return [rated.line for rated in self.rated]

    def due_by(self, now: datetime) -> list[Line]:
        """What is due by then: as long as the period goes on, in advance only that whose first day has begun."""
        return [
            rated.line
            for rated in self.rated
            if rated.line.timing == "arrears" or rated.first_day <= now or self.period.end <= now
        ]

    def discounted(self, due: Sequence[Line], now: datetime, currency: str) -> list[Line]:
        """What coupons take off what is due by then; no line that a wallet pays has a coupon.

        As long as the period goes on, they are shared by what is due in advance alone.
        """
        invoiced = [line for line in due if not (self.is_prepaid and settles_from_wallet(line))]
        if now < self.period.end:
            invoiced = [line for line in invoiced if line.timing == "advance"]
        return discount_lines(invoiced, self.discounts, currency)


@dataclass(frozen=True, slots=True)
class BilledPeriod:
    """What one period contributes to a bill: the lines that bring it from billed to due."""

    guarded: GuardedPeriod
    lines: Sequence[Line]
    open_until: datetime
    """Until when what is due for it can change by plan."""
    is_drawn_from: bool = False
    """Whether a wallet still pays for its usage, so that it cannot be settled."""
    drawn: Mapping[str, Decimal] | None = None
    """What the wallet is to have paid, where that is less than it has."""
    is_partial: bool = False
    """Whether only some of its lines were compared, so that it cannot be settled by that."""
    has_commitments: bool = False
    """Whether a yearly commitment ends in it, which earlier periods of the year change."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What the invoice of a period would say now."""

    invoiced_period: Period
    periods: Sequence[BilledPeriod]
    issued_first: Sequence[Period] = ()
    """Earlier periods whose own invoices it assumes to be issued before."""
    currency: str = ""
    interims: Sequence["Bill"] = ()
    """The interim invoices that it assumes to be issued before."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """By period, oldest first."""
        return tuple(line for billed in self.periods for line in billed.lines)

    @property
    def is_to_be_issued(self) -> bool:
        """Whether an interim invoice is issued of it: what falls waits for the invoice of the period."""
        is_rising = total(line.amount for line in self.lines) >= 0
        return bool(self.lines) and is_rising and bool(self.composed().invoice)

    def composed(self) -> Composed:
        return compose(self.lines, self.currency)

    def invoices_for(self, starts: set[datetime]) -> list[str]:
        """The ids of the invoices that bill a period with one of these starts, the last one first."""
        invoices = [
            document.id
            for billed in self.periods
            if billed.guarded.stored is not None and billed.guarded.period.start in starts
            for document in billed.guarded.stored.entity.documents
            if document.type == "invoice"
        ]
        return list(dict.fromkeys(reversed(invoices)))

    def last_invoice_for(self, starts: set[datetime]) -> str | None:
        """The id of the last of them."""
        return next(iter(self.invoices_for(starts)), None)


IssueTime = Callable[[Period], datetime]
"""When the invoice of a period is issued."""


def bill_of(  # noqa: PLR0913  what is issued before, and when
    periods: Sequence[RatedPeriod],
    invoiced_period: Period,
    issued_first: Sequence[Period],
    issue_time: IssueTime,
    currency: str,
    interim_moments: Sequence[datetime] = (),
) -> Bill:
    """The bill of one of these periods, once what comes before it is issued, in the order of time.

    That are the bills of earlier periods, and interim invoices at their moments.
    """
    issued: list[Line] = []
    interims: list[Bill] = []
    starts = {rated.period.start for rated in periods}
    between = [moment for moment in interim_moments if moment not in starts]  # what begins then is on a period's bill
    before = [*((issue_time(period), period) for period in issued_first), *((moment, None) for moment in between)]
    for moment, earlier in sorted(before, key=lambda document: document[0]):
        if earlier is not None:
            billed = _billed(periods, earlier, issued, moment, currency)
            issued += [line for of_period in billed for line in of_period.lines]
            continue
        begun = [rated for rated in periods if rated.period.start <= moment]
        interim = interim_bill_of(begun, begun[-1].period, moment, currency, issued)
        if interim.is_to_be_issued:
            interims.append(interim)
            issued += interim.lines
    billed = _billed(periods, invoiced_period, issued, issue_time(invoiced_period), currency)
    return Bill(invoiced_period, billed, issued_first, currency, interims)


def interim_bill_of(
    periods: Sequence[RatedPeriod],
    open_period: Period,
    now: datetime,
    currency: str,
    issued: Sequence[Line] = (),
) -> Bill:
    """The bill of what is due in advance in the open period, the last of these, and in others for cycles that go on."""
    billed = [
        _billed_period(
            rated,
            open_period,
            _When(now, only_in_advance=True, only_running=rated.period.start < open_period.start),
            currency,
            issued,
        )
        for rated in periods
    ]
    return Bill(open_period, billed, currency=currency)


def _billed(
    periods: Sequence[RatedPeriod], invoiced_period: Period, issued: Sequence[Line], now: datetime, currency: str
) -> list[BilledPeriod]:
    """What a bill that is issued now says of each period up to its own, and of the one after it.

    Of a later period it says only what is charged in advance.
    """
    return [
        _billed_period(
            rated,
            invoiced_period,
            _When(now, only_in_advance=rated.period.start >= invoiced_period.end),
            currency,
            issued,
        )
        for rated in periods
        if rated.period.start <= invoiced_period.end
    ]


@dataclass(frozen=True, slots=True)
class _When:
    """When a bill looks at a period, and whether only at what is charged in advance.

    `only_running`: and of that only what is for a quarter or year that goes on.
    """

    now: datetime
    only_in_advance: bool
    only_running: bool = False


def _billed_period(
    rated: RatedPeriod, invoiced_period: Period, when: _When, currency: str, issued: Sequence[Line] = ()
) -> BilledPeriod:
    due: Sequence[Line] = rated.due_by(when.now)
    if rated.is_prepaid and rated.drawn is None:
        due = [line for line in due if not settles_from_wallet(line)]
    if rated.discounts:
        due = [*due, *rated.discounted(due, when.now, currency)]
    start, every = rated.period.start, [*rated.billed, *issued]
    billed: Mapping[str, BilledLine] = billed_lines(every, start)
    if when.only_in_advance:
        due, billed = _in_advance(due, billed)
    if when.only_running:
        due, billed = _running(due, billed, when.now)
    moved = (line for line in every if is_goodwill(line))
    given = [line for line in (*rated.concessions.given, *moved) if line.period.start == start]
    waived = conceded(rated.concessions.waived, start)
    paid = None if rated.drawn is None else lowered(rated.drawn, rated.due)
    lines = differences(PeriodBill(rated.period, due, billed, paid or {}, waived, given), invoiced_period, currency)
    return BilledPeriod(
        rated.guarded,
        lines,
        rated.open_until,
        is_drawn_from=rated.is_prepaid and rated.drawn is None,
        drawn=None if when.only_in_advance or paid == rated.drawn else paid,
        is_partial=when.only_in_advance,
        has_commitments=any(line.type == "commitment" for line in rated.due),
    )


def _in_advance(due: Sequence[Line], billed: Mapping[str, BilledLine]) -> tuple[list[Line], dict[str, BilledLine]]:
    """What is due in advance, and what was billed in advance, whether or not it still is due.

    What was billed of a line counts at all treatments: at one that it was restated to, it was billed by an adjustment.
    """
    due_in_advance = [line for line in due if line.timing == "advance"]
    keys = {line.key for line in due_in_advance}
    billed_in_advance = {
        key: each for key, each in billed.items() if each.line.key in keys or each.line.timing == "advance"
    }
    return due_in_advance, billed_in_advance


def _running(
    due: Sequence[Line], billed: Mapping[str, BilledLine], now: datetime
) -> tuple[list[Line], dict[str, BilledLine]]:
    """What is due and was billed of the lines whose quarter or year goes on."""
    lines = [*due, *(billed_line.line for billed_line in billed.values())]
    keys = {line.discounted_key for line in lines if line.covers is not None and line.covers.end > now}
    running_billed = {key: each for key, each in billed.items() if each.line.discounted_key in keys}
    return [line for line in due if line.discounted_key in keys], running_billed
