"""How a line is taxed: one of the parts by which what is due and what was billed are compared."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal

from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.money import ExactDecimal, plain
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value

TaxStatus = Literal["taxable", "reverse_charge", "exempt"]


class Treatment(Value):
    """The rate that a line is taxed at, or why it is not taxed."""

    rate_id: str | None
    """Null where no rate is asked: under reverse charge, and for what is exempt."""
    name: str
    """What the tax is called, such as VAT."""
    country: str | None
    """ISO 3166-1."""
    category: str
    """The category of EN 16931: `S` standard, `Z` zero, `AE` reverse charge, `E` exempt."""
    percent: ExactDecimal
    """0 under reverse charge and for what is exempt."""
    inclusive: bool
    """Whether amounts contain the tax."""
    status: TaxStatus
    text: str | None = None
    """What the invoice has to say about it."""

    @property
    def key(self) -> str:
        """Equal for treatments under which amounts are compared with each other."""
        parts = (self.rate_id, self.category, plain(self.percent), str(self.inclusive), self.status, self.text)
        return fingerprint("\n".join(part or "" for part in parts))[:16]

    def tax_of(self, amount: Decimal) -> Fraction:
        """The exact tax on an amount, or contained in it."""
        percent = Fraction(self.percent)
        return Fraction(amount) * percent / (100 + percent if self.inclusive else 100)


class Restatement(Value):
    """How a period is taxed in place of what was in force: the correction of a mistake."""

    status: TaxStatus | None = None
    """Null where only the rate is another one."""
    rate: str | None = None
    """The id of the rate of all its lines; null where only the status is another one."""
    reason: str
    restated_at: Instant
