"""A clock that stands still, so that every run measures the same month."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StandingClock:
    moment: datetime

    def now(self) -> datetime:
        return self.moment
