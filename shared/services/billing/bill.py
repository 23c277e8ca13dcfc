"""A bill: what the invoice of a period says, from what is due and billed for the periods that it looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.domain.billing.invoicing import Composed, PeriodBill, billed_lines, compose, differences
from shared.domain.billing.prepaid import lowered, settles_from_wallet
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line
from shared.services.periods.periods import PeriodItem
from shared.services.storage import Stored


@dataclass(frozen=True, slots=True)
class GuardedPeriod:
    """A period as it was read before its facts: writing it fails where it has changed since.

    Only a preview sees periods that are not stored yet.
    """

    period: Period
    stored: Stored[PeriodItem] | None = None


@dataclass(frozen=True, slots=True)
class RatedPeriod:
    """What is due for a period, and the lines of the documents that it lists."""

    guarded: GuardedPeriod
    due: Sequence[Line]
    billed: Sequence[Line]
    is_prepaid: bool = False
    """Whether a wallet pays for its usage until its close."""
    drawn: Mapping[str, Decimal] | None = None
    """What the wallet paid until the close, by line key; None before it."""

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


@dataclass(frozen=True, slots=True)
class Bill:
    """What the invoice of a period would say now."""

    invoiced_period: Period
    periods: Sequence[BilledPeriod]
    issued_first: Sequence[Period] = ()
    """Earlier periods whose own invoices it assumes to be issued before."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """By period, oldest first."""
        return tuple(line for billed in self.periods for line in billed.lines)

    def composed(self) -> Composed:
        return compose(self.lines)

    def last_invoice_for(self, starts: set[datetime]) -> str | None:
        """The id of the last invoice that bills a period with one of these starts."""
        invoices = [
            document.id
            for billed in self.periods
            if billed.guarded.stored is not None and billed.guarded.period.start in starts
            for document in billed.guarded.stored.entity.documents
            if document.type == "invoice"
        ]
        return invoices[-1] if invoices else None


def bill_of(
    periods: Sequence[RatedPeriod], invoiced_period: Period, issued_first: Sequence[Period], currency: str
) -> Bill:
    """The bill of one of these periods, once the bills of earlier ones are issued, oldest first."""
    issued: list[Line] = []
    for earlier in issued_first:
        issued += [line for billed in _billed(periods, earlier, issued, currency) for line in billed.lines]
    return Bill(invoiced_period, _billed(periods, invoiced_period, issued, currency), issued_first)


def _billed(
    periods: Sequence[RatedPeriod], invoiced_period: Period, issued: Sequence[Line], currency: str
) -> list[BilledPeriod]:
    """What a bill says of each period up to its own, and of the one after it."""
    return [
        BilledPeriod(
            rated.guarded,
            _differences(rated, invoiced_period, issued, currency),
            rated.open_until,
            is_drawn_from=rated.is_prepaid and rated.drawn is None,
            drawn=_lowered(rated, invoiced_period),
        )
        for rated in periods
        if rated.period.start <= invoiced_period.end
    ]


def _lowered(rated: RatedPeriod, invoiced_period: Period) -> Mapping[str, Decimal] | None:
    """Less than the wallet has paid, where less is due; None where it paid no more than is due."""
    if rated.drawn is None or rated.period.start >= invoiced_period.end:
        return None
    paid = lowered(rated.drawn, rated.due)
    return paid if paid != rated.drawn else None


def _differences(rated: RatedPeriod, invoiced_period: Period, issued: Sequence[Line], currency: str) -> list[Line]:
    """The period's lines on the invoice; of a later period only what is charged in advance."""
    due = rated.due
    if rated.is_prepaid and rated.drawn is None:
        due = [line for line in due if not settles_from_wallet(line)]
    billed = billed_lines([*rated.billed, *issued], rated.period.start)
    if rated.period.start >= invoiced_period.end:
        due = [line for line in due if line.timing == "advance"]
        keys = {line.key for line in due}
        billed = {key: line for key, line in billed.items() if key in keys}
    return differences(PeriodBill(rated.period, due, billed, _paid(rated)), invoiced_period, currency)


def _paid(rated: RatedPeriod) -> Mapping[str, Decimal]:
    """What the wallet pays of what is due."""
    return {} if rated.drawn is None else lowered(rated.drawn, rated.due)
