"""NCRONTAB schedules in UTC: five fields, or six with seconds first.

Unlike in cron, a day must match both day fields.
"""

from datetime import UTC, datetime

from croniter import croniter
from croniter.croniter import CroniterError

from local.host.errors import StartupError


class Schedule:
    def __init__(self, expression: str) -> None:
        """Raises `StartupError` for what is no NCRONTAB expression, or has no occurrence."""
        fields = expression.split()
        if len(fields) not in {5, 6}:
            raise StartupError(f"the schedule {expression!r} must have six fields, seconds first")
        self._expression = " ".join(fields if len(fields) == 6 else ["0", *fields])  # noqa: PLR2004  the full form
        try:
            self.next_after(datetime(2000, 1, 1, tzinfo=UTC))
        except (CroniterError, ValueError) as error:
            raise StartupError(f"the schedule {expression!r} cannot be used: {error}") from error

    def next_after(self, instant: datetime) -> datetime:
        """The first occurrence after the instant."""
        following: datetime = croniter(
            self._expression, instant.astimezone(UTC), ret_type=datetime, day_or=False, second_at_beginning=True
        ).get_next()
        return following
