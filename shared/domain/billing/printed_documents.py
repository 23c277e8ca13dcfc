"""A document as it is laid out: every text of it, in its language. It is printed, and shown as a page."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.tenancy.billing_details import Language


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """One line: all of it as text."""

    description: str
    amount: str
    notes: tuple[str, ...] = ()
    """In small type: its period, and its arithmetic."""
    quantity: str = ""
    unit_price: str = ""
    tax: str = ""


@dataclass(frozen=True, slots=True)
class PrintedGroup:
    """The lines of one agent, or those of none."""

    lines: tuple[PrintedLine, ...]
    title: str = ""
    """The agent's name; empty where the document names no agents."""
    subtotal: str = ""
    """Empty where it would repeat the only line."""


@dataclass(frozen=True, slots=True)
class PrintedTotal:
    """One of the sums below the lines."""

    label: str
    amount: str
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class PrintedLogo:
    media_type: str
    data: str
    """In base64."""


@dataclass(frozen=True, slots=True)
class PrintedDocument:
    """All texts of a document, none of them markup."""

    language: Language
    title: str
    number: str
    issued_at: datetime
    accent: str
    logo: PrintedLogo | None
    seller_name: str
    sender: str
    """The seller in one line, above the address of the buyer."""
    buyer: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    """Labels with their values: number, dates, references."""
    heads: tuple[str, ...]
    """Of the columns: description, quantity, price, tax, amount. An empty one has no column."""
    groups: tuple[PrintedGroup, ...]
    totals: tuple[PrintedTotal, ...]
    texts: tuple[str, ...]
    """What has to be said of taxes, and notes."""
    payment: tuple[tuple[str, str], ...]
    """How it is paid; empty where nothing is."""
    payment_title: str
    footer: tuple[tuple[str, ...], ...]
    """Columns at the foot of each page: who the seller is."""
    page_label: str
    """With `{page}` and `{pages}` in braces."""
    subtotal_label: str

    @property
    def line_count(self) -> int:
        return sum(len(group.lines) for group in self.groups)
