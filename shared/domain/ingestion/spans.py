"""Spans as any OTLP exporter sends them, decoded."""

from collections.abc import Mapping
from dataclasses import dataclass

AttributeValue = str | int | float | bool
"""Arrays, maps and bytes are not kept: no row of `libraries.py` reads one."""

MAXIMUM_COUNT = 10**15 - 1
"""Greater token counts are taken as missing: no event may carry them."""

MAXIMUM_TEXT = 128
"""Characters that are kept of a span's names and ids."""


@dataclass(frozen=True, slots=True)
class Span:
    """A finished span, with its resource's service and its instrumentation scope.

    Times are microseconds since 1970.
    """

    trace_id: str
    """32 hexadecimal digits, in lower case."""
    span_id: str
    """16 hexadecimal digits, in lower case."""
    parent_id: str
    """The same, or empty for a root."""
    name: str
    start: int
    end: int
    failed: bool
    """Its status is an error."""
    attributes: Mapping[str, AttributeValue]
    dropped_attributes: int
    """How many attributes the sender left out, because a span had more than its limit."""
    scope: str
    """The name of the instrumentation scope: mostly the library's."""
    service: str
    """`service.name` of the resource."""

    def text(self, *names: str) -> str | None:
        """The first of these attributes that is a text, cut at `MAXIMUM_TEXT`; never empty."""
        for name in names:
            value = self.attributes.get(name)
            if type(value) is str and (text := value[:MAXIMUM_TEXT].strip()):
                return text
        return None


def count_of(value: object) -> int | None:
    """A whole number from 0 on, even in a text or float; else None."""
    if isinstance(value, str):
        text = value.strip()
        if not text.isascii() or not text.isdigit() or len(text) > len(str(MAXIMUM_COUNT)):
            return None
        count = int(text)
    elif isinstance(value, bool):
        return None
    elif isinstance(value, int):
        count = value
    elif isinstance(value, float) and value.is_integer():
        count = int(value)
    else:
        return None
    return count if 0 <= count <= MAXIMUM_COUNT else None
