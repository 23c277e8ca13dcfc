"""Prices for a number of heads, agents or seats, by the days that they were there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from shared.domain.charges.discount import Discount, Discounted, discount_parts
from shared.domain.charges.fees import proration
from shared.domain.lines import Part, sum_of
from shared.domain.pricing.rule import Portion, PricingRule
from shared.domain.validation import Place


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads (start, end] of a line, of `total` at the same time, which were there for a share of its days under one
    version's price. Of those days `line_share` count for the line, so that each day counts once.
    """

    version: int
    pricing: PricingRule
    discount: Discount | None
    start: Fraction
    end: Fraction
    total: Fraction
    share: Fraction
    line_share: Fraction


def head_parts(groups: Sequence[Heads]) -> list[Part]:
    """What they cost for the whole time, then what proration and discounts take off."""
    whole = [
        group.pricing.parts(Portion(group.start, group.end, group.total, first=group.start == 0), group.version)
        for group in groups
    ]
    due = [sum_of(parts) * group.share for parts, group in zip(whole, groups, strict=True)]
    result = [part for parts, group in zip(whole, groups, strict=True) if group.share for part in parts]
    for group, parts, own in zip(groups, whole, due, strict=True):
        result += proration(own - sum_of(parts), group.version) if group.share else []
    discounted = [
        Discounted(group.discount, group.version, own, group.line_share, group.total)
        for group, own in zip(groups, due, strict=True)
    ]
    return result + [part for off in discount_parts(discounted) for part in off]


def heads_purpose(head: str, tier: str | None, interval: str) -> str:
    return f"per {head} and {interval}" if tier is None else f"per {head} and {interval}, {tier}"


def refusals_of_heads(pricing: PricingRule) -> Iterator[tuple[Place, str]]:
    """Heads are counted, they are worth nothing and carry no prices."""
    if not pricing.COUNTS_UNITS:
        yield ("pricing", "type"), f"{pricing.type} needs events; for heads use per_unit, graduated, volume or package"
