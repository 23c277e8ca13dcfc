"""Instants: always with a timezone, to the microsecond, kept in UTC.

What requests send is text: a number would be taken as seconds or milliseconds since 1970, whatever was meant.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, PlainSerializer

from shared.domain.kernel.validation_messages import ISO_DATE, ISO_TIME

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
"""The start of a history whose first entry has always been in force."""


def to_text(instant: datetime) -> str:
    """UTC text of fixed width, 27 characters, so that text order is time order."""
    utc = instant.astimezone(UTC)
    return utc.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote."""
    return datetime.fromisoformat(text)


def shown(instant: datetime) -> str:
    """UTC text as answers have it: without microseconds where there are none."""
    return instant.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def read_time(value: object) -> datetime:
    """Read a time in an event: ISO 8601 with an offset. Raises `ValueError`."""
    if isinstance(value, str) and "T" in value.upper():
        with suppress(ValueError):
            time = datetime.fromisoformat(value)
            if time.tzinfo is not None:
                return in_utc(time)
    raise ValueError(ISO_TIME)


def in_utc(instant: datetime) -> datetime:
    """The instant in UTC. Raises `ValueError` at the ends of the calendar, where UTC is beyond it."""
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


Time = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""A time in the API: read with any offset, written in UTC."""

Instant = Annotated[
    AwareDatetime,
    AfterValidator(in_utc),
    PlainSerializer(to_text, when_used="json"),
]
"""A time in a stored document: read with any offset, written by `to_text`."""


def _time_as_text(value: object) -> object:
    """Raises `ValueError` for what is no text of a time. Times that were read already pass."""
    if isinstance(value, datetime) or (isinstance(value, str) and "T" in value.upper()):
        return value
    raise ValueError(ISO_TIME)


ZonedTime = Annotated[Time, BeforeValidator(_time_as_text, json_schema_input_type=str)]
"""A time in a request: ISO 8601 with an offset, cut to microseconds."""

SentInstant = Annotated[Instant, BeforeValidator(_time_as_text)]
"""A time in what is both sent and kept: read as `ZonedTime`, written as `Instant`."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _date_as_text(value: object) -> object:
    """Raises `ValueError` for what is no text of a date, and for a date with a time."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        return value
    raise ValueError(ISO_DATE)


CalendarDate = Annotated[date, BeforeValidator(_date_as_text)]
"""A date in a request: ISO 8601, such as 2026-10-03."""
