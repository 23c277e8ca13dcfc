"""What is missing in an LLM call, as stable codes: a price, a count, or a name that is known."""

from typing import Literal

import msgspec

UnpricedReason = Literal["no_model", "no_count", "no_unit_price", "no_tier_price", "unclear_counts"]
"""`no_model`: no list and no override has the model. `no_count`: the call says nothing that could be priced.
`no_unit_price`, `no_tier_price`: the model has no price for a unit, or for the service tier, at that time.
`unclear_counts`: its counts cannot all be true, or leave open how much costs which price.
"""

FindingCode = Literal[
    "unpriced", "no_count", "unknown_count", "total_mismatch", "standard_price", "no_billing_model", "no_charge"
]


class Finding(msgspec.Struct, frozen=True):
    """Something about an accepted event that its sender should know."""

    code: FindingCode
    detail: str


class Unpriced(msgspec.Struct, frozen=True):
    """Why an LLM call has no price."""

    reason: UnpricedReason
    detail: str

    @property
    def finding(self) -> Finding:
        return Finding("no_count" if self.reason == "no_count" else "unpriced", self.detail)
