"""What a call used, and how the readings of libraries become that."""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from shared.domain.provider_costs.usage_counts import is_reasoning_beside

_STORED = {
    "input": "i",
    "output": "o",
    "cached": "c",
    "written": "w",
    "written_1h": "h",
    "reasoning": "r",
    "other": "u",
}
"""Short names in a stored memory, which has thousands of units."""


class Units(msgspec.Struct, frozen=True, omit_defaults=True, rename=_STORED):
    """Counts of one call, or of a sum of calls.

    Cached and written tokens are inside `input`, reasoning tokens inside `output`, whatever the library says.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    written: int = 0
    """Written to the provider's cache, for any time."""
    written_1h: int = 0
    """Of these, for an hour."""
    reasoning: int = 0
    other: dict[str, int] = {}
    """By the price list's names, such as `input_audio_tokens`. Without zeros."""

    @property
    def is_nothing(self) -> bool:
        return not (self.input or self.output or self.other)

    def equals_in_tokens(self, other: Self) -> bool:
        return self.input == other.input and self.output == other.output

    def covers(self, other: Self) -> bool:
        """True when `other` may be a part of this."""
        return self.input >= other.input and self.output >= other.output

    def knows_more_than(self, other: Self) -> bool:
        """True when this names a detail that `other` lacks."""
        details = ("cached", "written", "written_1h", "reasoning")
        return any(getattr(self, detail) > getattr(other, detail) for detail in details) or not (
            self.other.keys() <= other.other.keys()
        )

    def with_details_of(self, other: Self) -> Self:
        """The same tokens with the greater of each detail: a library that does not know one says 0 or nothing."""
        return msgspec.structs.replace(self.greatest(other), input=self.input, output=self.output).consistent()

    def greatest(self, other: Self) -> Self:
        """Each count as the greater of the two."""
        return type(self)(
            max(self.input, other.input),
            max(self.output, other.output),
            max(self.cached, other.cached),
            max(self.written, other.written),
            max(self.written_1h, other.written_1h),
            max(self.reasoning, other.reasoning),
            {name: max(self.other.get(name, 0), other.other.get(name, 0)) for name in self.other | other.other},
        ).consistent()

    def plus(self, other: Self) -> Self:
        return type(self)(
            self.input + other.input,
            self.output + other.output,
            self.cached + other.cached,
            self.written + other.written,
            self.written_1h + other.written_1h,
            self.reasoning + other.reasoning,
            {name: self.other.get(name, 0) + other.other.get(name, 0) for name in self.other | other.other},
        )

    def beyond(self, other: Self) -> Self:
        """What this says beyond `other`, no count below 0."""
        if other is NOTHING:
            return self.consistent()
        rest = {name: count - other.other.get(name, 0) for name, count in self.other.items()}
        return type(self)(
            max(0, self.input - other.input),
            max(0, self.output - other.output),
            max(0, self.cached - other.cached),
            max(0, self.written - other.written),
            max(0, self.written_1h - other.written_1h),
            max(0, self.reasoning - other.reasoning),
            {name: count for name, count in rest.items() if count > 0},
        ).consistent()

    def consistent(self) -> Self:
        """Details never exceed what includes them."""
        cached = min(self.cached, self.input)
        written = min(self.written, self.input - cached)
        is_written_inside = (cached, written) == (self.cached, self.written) and self.written_1h <= written
        if is_written_inside and self.reasoning <= self.output:
            return self
        return msgspec.structs.replace(
            self,
            cached=cached,
            written=written,
            written_1h=min(self.written_1h, written),
            reasoning=min(self.reasoning, self.output),
        )

    def data(self) -> dict[str, Any]:
        """The counts as `data` of an `llm_call` event."""
        data: dict[str, Any] = {"input_tokens": self.input, "output_tokens": self.output}
        details = (
            ("cached_input_tokens", self.cached),
            ("cache_write_tokens", self.written),
            ("cache_write_1h_tokens", self.written_1h),
            ("reasoning_tokens", self.reasoning),
        )
        data |= {name: count for name, count in details if count}
        if self.other:
            data["units"] = dict(self.other)
        return data


NOTHING = Units()


class Reading(msgspec.Struct, frozen=True):
    """Counts as a library wrote them; None where it wrote none."""

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cached: int | None = None
    written: int | None = None
    written_5m: int | None = None
    written_1h: int | None = None
    reasoning: int | None = None
    other: Mapping[str, int] = {}

    @property
    def is_empty(self) -> bool:
        return self.input is None and self.output is None and not self.other

    def completed_by(self, other: Self) -> Self:
        """This, with what only `other` says."""
        mine = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        theirs = {name: getattr(other, name) for name in self.__struct_fields__}
        return type(self)(**(theirs | mine | {"other": {**other.other, **self.other}}))


def units_of(reading: Reading, *, without_cache: bool = False, without_reasoning: bool = False) -> Units | None:
    """The canonical units; None for a reading without any count.

    `without_cache` and `without_reasoning` are habits of the library: its input leaves out cached and written tokens,
    its output leaves out reasoning. Counts that exceed what should include them, and a total that fits only the other
    reading, prove the same.
    """
    if reading.is_empty:
        return None
    tokens_in, tokens_out = reading.input or 0, reading.output or 0
    cached, reasoning = reading.cached or 0, reading.reasoning or 0
    written_1h = reading.written_1h or 0
    written = reading.written if reading.written is not None else (reading.written_5m or 0) + written_1h
    if without_reasoning or is_reasoning_beside(tokens_in, tokens_out, reasoning, reading.total):
        tokens_out += reasoning
    beside = cached + written
    if without_cache or beside > tokens_in or (beside and reading.total == tokens_in + tokens_out + beside):
        tokens_in += beside
    other = {name: count for name, count in reading.other.items() if count}
    return Units(tokens_in, tokens_out, cached, written, min(written_1h, written), reasoning, other)
