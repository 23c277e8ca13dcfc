"""Fees for a period, by the days for which they were in force."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.lines import Part


@dataclass(frozen=True, slots=True)
class Fee:
    """A version's fee for a whole period, and the share of the period for which it is due."""

    version: int
    amount: Decimal
    share: Fraction

    @property
    def due(self) -> Fraction:
        return Fraction(self.amount) * self.share


def fee_parts(fees: Iterable[Fee], *, each_whole: bool) -> list[Part]:
    """For each version its fee, then what proration takes off. `each_whole`: every fee is one of its own, such as an
    agent's; otherwise those of one version are shares of the same fee.
    """
    by_version: dict[int, list[Fee]] = {}
    for fee in fees:
        if fee.share and fee.amount:
            by_version.setdefault(fee.version, []).append(fee)
    return [
        part
        for together in by_version.values()
        for part in _version_parts(together, len(together) if each_whole else 1)
    ]


def _version_parts(fees: list[Fee], count: int) -> list[Part]:
    version, amount = fees[0].version, fees[0].amount
    whole = Fraction(amount) * count
    parts = [Part("base_fee", amount=whole, version=version, quantity=Fraction(count), unit_amount=amount)]
    due = sum((fee.due for fee in fees), Fraction(0))
    if due != whole:
        parts.append(Part("proration", amount=due - whole, version=version))
    return parts
