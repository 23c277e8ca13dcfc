"""What time it is. Only adapters look at the machine's clock."""

from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, in UTC."""
        ...


class StoreTime(Protocol):
    def clock_difference(self) -> timedelta:
        """How far the store's clock was ahead of this host's at its last answer, to about a second."""
        ...
