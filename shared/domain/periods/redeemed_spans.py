"""For how long a redeemed coupon counts: in periods, from the one that it is redeemed for."""

from collections.abc import Sequence

from shared.domain.kernel.histories import History
from shared.domain.kernel.times import Instant
from shared.domain.kernel.value import Value
from shared.domain.periods.periods import Calendar, Period, next_period


class RedeemedSpan(Value):
    """The periods of a redemption: so many from the one that contains an instant, which may be still to come."""

    redemption_id: str
    first: Instant
    """An instant of the first one."""
    count: int | None
    """How many there are; None for all that follow."""
    until: Instant | None = None
    """The end of the last one, where it was ended."""

    def among(self, periods: Sequence[Period]) -> list[Period]:
        """Which of these contiguous periods it covers. They begin with its first one, or before."""
        covered = [period for period in periods if self.first < period.end and self._goes_on(period)]
        return covered[: self.count]

    def _goes_on(self, period: Period) -> bool:
        return self.until is None or period.start < self.until

    def reaches_beyond(self, periods: Sequence[Period]) -> bool:
        """Whether it covers some period after these."""
        if self.until is not None and self.until <= periods[-1].end:
            return False
        return self.count is None or len(self.among(periods)) < self.count


def redeemed_at(spans: Sequence[RedeemedSpan], period: Period, periods: Sequence[Period]) -> tuple[str, ...]:
    """The ids of the redemptions that lie on one of these contiguous periods."""
    return tuple(span.redemption_id for span in spans if period in span.among(periods))


def foreseen(span: RedeemedSpan, created: Sequence[Period], calendars: History[Calendar]) -> list[Period]:
    """All its periods, as created and as they would be; without an end only those that are created."""
    if not created:
        return []
    periods = [*created]
    while span.count is not None and span.reaches_beyond(periods):
        periods.append(next_period(periods[-1], calendars))
    return span.among(periods)
