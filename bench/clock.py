"""A clock that stands still, so that what is measured is the same month in every run."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StandingClock:
    moment: datetime

    def now(self) -> datetime:
        return self.moment
