"""Instants: always with a timezone, to the microsecond, kept in UTC."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, PlainSerializer

from shared.domain.kernel.validation_messages import ISO_TIME

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
