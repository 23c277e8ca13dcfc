"""How often the fees of a plan are due, and from where its quarters and years are counted."""

from typing import Literal

PlanInterval = Literal["month", "quarter", "year"]
CycleAnchor = Literal["anniversary", "calendar"]
"""From where quarters and years are counted: the first day that is paid, or 1 January."""
