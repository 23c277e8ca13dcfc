"""What an event is worth: the price of its usage alone."""

from decimal import Decimal

from shared.domain.kernel.money import ZERO
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.rating.standalone import price_of_total
from shared.domain.usage.totals import Contribution, Totals


def event_worth(added: Contribution, agent_id: str, version: Version | None, period: Period, currency: str) -> Decimal:
    """What an event would cost as the only one of its period, at the first tier, in the currency.

    Flat amounts, base fees, minima, maxima and discounts count nothing. Exact, truncated to 12 places per line.
    """
    if version is None or not added.measures:
        return ZERO
    totals = Totals()
    totals.add(added)
    return max(ZERO, price_of_total(version, agent_id, period, currency)(totals))
