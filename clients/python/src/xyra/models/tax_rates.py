"""Models of `tax_rates`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NotRequired, TypedDict


PercentEntry = TypedDict("PercentEntry", {"from": "str", "percent": "str"})


PercentRequest = TypedDict("PercentRequest", {"percent": "str | int | Decimal", "from": "NotRequired[str | None]"})


class TaxRateAnswer(TypedDict):
    id: str
    """Its id."""
    name: str
    """Its name, for people."""
    country: str
    """ISO 3166-1."""
    category: str
    """The category of EN 16931."""
    inclusive: bool
    """Whether prices contain the tax."""
    percent: str | None
    """Today's; null before the first day."""
    percents: Sequence[PercentEntry]
    """All of them, by their first days."""


class TaxRateList(TypedDict):
    data: Sequence[TaxRateAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


TaxRateRequest = TypedDict(
    "TaxRateRequest",
    {
        "name": "str",
        "country": "str",
        "percent": "str | int | Decimal",
        "inclusive": "NotRequired[bool]",
        "category": "NotRequired[Literal['S', 'Z']]",
        "from": "NotRequired[str | None]",
    },
)
