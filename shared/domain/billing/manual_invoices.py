"""Invoices by hand: their lines are computed from quantity and price, and stand in no period's bill."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.domain.billing.documents import Invoice
from shared.domain.billing.invoicing import DraftTotals, hash_of, total_of
from shared.domain.billing.taxes import tax_lines_of, taxed
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.money import EXACT, ZERO, round_half_up, to_places
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step
from shared.domain.pricing.treatments import Treatment
from shared.domain.tenancy.organizations import Organization


@dataclass(frozen=True, slots=True)
class ManualLine:
    """A line as it is entered. Its amount is quantity times price, rounded half up."""

    description: str
    quantity: Decimal
    unit_amount: Decimal
    """Negative for what is taken off."""
    treatment: Treatment | None = None


@dataclass(frozen=True, slots=True)
class Particulars:
    """What people write on an invoice."""

    purchase_order: str | None = None
    reference: str | None = None
    notes: str | None = None
    custom_fields: tuple[tuple[str, str], ...] = ()


def drafted_by_hand(
    organization: Organization, invoice_id: str, lines: Sequence[ManualLine], particulars: Particulars, now: datetime
) -> tuple[Invoice, list[Line]]:
    """A draft of these lines, on the local day of its creation. Raises `ValidationError` where they are below 0."""
    day = _local_day(organization, now)
    rated = rated_lines(invoice_id, lines, day, organization.currency)
    draft = Invoice(
        id=invoice_id,
        organization_id=organization.id,
        invoice_kind="manual",
        status="draft",
        currency=organization.currency,
        start=day.start,
        end=day.end,
        timezone=day.timezone,
        revision=0,
        lines_hash=hash_of(rated),
        line_count=len(rated),
        total=total_of(rated, organization.currency),
        tax_lines=tax_lines_of(rated, organization.currency),
        draft_totals=_totals(rated, organization.currency),
        as_of=now,
        created_at=now,
        finalize_at=now,
        purchase_order=particulars.purchase_order,
        reference=particulars.reference,
        notes=particulars.notes,
        custom_fields=dict(particulars.custom_fields),
    )
    return draft, rated


def with_lines(draft: Invoice, lines: Sequence[ManualLine], now: datetime) -> tuple[Invoice, list[Line]]:
    """The draft with other lines. Raises `ValidationError` as `drafted_by_hand`."""
    rated = rated_lines(draft.id, lines, draft.period, draft.currency)
    changes = {
        "lines_hash": hash_of(rated),
        "line_count": len(rated),
        "total": total_of(rated, draft.currency),
        "tax_lines": tax_lines_of(rated, draft.currency),
        "draft_totals": _totals(rated, draft.currency),
        "as_of": now,
    }
    return draft.changed(**changes), rated


def rated_lines(invoice_id: str, lines: Sequence[ManualLine], day: Period, currency: str) -> list[Line]:
    """The lines of an invoice by hand, each under a key of its own. Raises `ValidationError` for a sum below 0."""
    untaxed = [_rated(f"manual/{invoice_id}/{number}", line, day, currency) for number, line in enumerate(lines, 1)]
    rated = list(taxed(untaxed, currency))
    if total_of(rated, currency) < 0:
        raise ValidationError.at("/lines", "come to less than 0: give a credit note on an invoice for that")
    return rated


def _rated(key: str, line: ManualLine, day: Period, currency: str) -> Line:
    """Rounded once, from the exact product."""
    product = EXACT.multiply(line.quantity, line.unit_amount)
    exact = to_places(product)
    return Line(
        key=key,
        type="manual",
        description=line.description,
        quantity=line.quantity,
        unit_amount=line.unit_amount,
        steps=(Step(kind="unit", quantity=line.quantity, unit_amount=line.unit_amount, amount=exact),),
        exact_amount=exact,
        amount=round_half_up(product, currency),
        period=day.span,
        treatment=line.treatment,
    )


def _totals(lines: Sequence[Line], currency: str) -> DraftTotals:
    return DraftTotals(invoice=total_of(lines, currency), credit_note=round_half_up(ZERO, currency))


def _local_day(organization: Organization, now: datetime) -> Period:
    zone = ZoneInfo(organization.timezone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(start=midnight, end=midnight + timedelta(days=1), timezone=organization.timezone)
