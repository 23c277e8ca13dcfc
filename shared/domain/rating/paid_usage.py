"""What events cost beyond what credits have paid for them: a line for each agent and model."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

from shared.domain.kernel.money import round_half_up, truncate
from shared.domain.metering.readings import CountAndSum
from shared.domain.pricing.lines import Line, Step
from shared.domain.rating.charged_segments import LineKey
from shared.domain.rating.facts import Facts
from shared.domain.rating.rated_lines import RatedLine
from shared.domain.usage.payments import BEYOND_PAYMENT

PAID_USAGE = "paid_usage"
"""The type of these lines."""


def lines_beyond_payments(facts: Facts) -> list[RatedLine]:
    """The amounts are money already, so nothing prices them; each is rounded once, half up."""
    models = {segment.version.id: segment.version.model_id for segment in facts.segments}
    counted: dict[LineKey, CountAndSum] = defaultdict(CountAndSum)
    for (agent_id, version_id), readings in facts.totals.items():
        reading = readings.reading(BEYOND_PAYMENT)
        if isinstance(reading, CountAndSum) and (reading.count or reading.sum):
            key = LineKey(models[version_id], BEYOND_PAYMENT, agent_id)
            counted[key] = counted[key].merge(reading)
    return [RatedLine(_line(facts, key, reading), (), facts.period.start) for key, reading in counted.items()]


def _line(facts: Facts, key: LineKey, reading: CountAndSum) -> Line:
    amount = truncate(Fraction(reading.sum))
    return Line(
        key=str(key),
        type=PAID_USAGE,
        model_id=key.model_id,
        model_name=facts.names.get(key.model_id),
        agent_id=key.agent_id,
        agent_name=facts.names.get(key.agent_id),
        description="Usage beyond what credits have paid",
        quantity=Decimal(int(reading.count)),
        unit="event",
        steps=(Step(kind="overage", quantity=Decimal(int(reading.count)), amount=amount),),
        exact_amount=amount,
        amount=round_half_up(amount, facts.currency),
        period=facts.period.span,
        settles="wallet",
    )
