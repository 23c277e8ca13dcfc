"""Rated lines with what they were rated from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.pricing.charges.charge import Charge, LineSegment
from shared.domain.pricing.lines import Line


@dataclass(frozen=True, slots=True)
class RatedLine:
    """A line with the segments that it was rated from, one per agent and version."""

    line: Line
    segments: Sequence[LineSegment[Charge]]
    first_day: datetime
    """When its first local day begins: that of its cycle, or the one on which it is first in force in it."""
