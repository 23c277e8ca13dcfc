"""Hypothesis strategies for pricings of units and of values."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]


def amounts(most: int = 500, places: int = 3) -> st.SearchStrategy[str]:
    return st.decimals(0, most, places=places, allow_nan=False).map(lambda value: f"{value:f}")


def percents(most: int = 100) -> st.SearchStrategy[str]:
    return amounts(most, places=2)


def _bounded_tiers(price: str, prices: st.SearchStrategy[str]) -> st.SearchStrategy[list[Json]]:
    tier = st.fixed_dictionaries({price: prices, "flat_amount": st.just("0") | amounts(20)})
    bounds = st.lists(st.integers(1, 400), max_size=3, unique=True).map(sorted)

    def closed(found: tuple[list[int], list[Json]]) -> list[Json]:
        limits, tiers = found
        return [
            {"up_to": str(limit) if limit is not None else None, **each}
            for limit, each in zip([*limits, None], tiers, strict=False)
        ]

    return st.tuples(bounds, st.lists(tier, min_size=4, max_size=4)).map(closed)


def unit_pricings() -> st.SearchStrategy[Json]:
    tiers = _bounded_tiers("unit_amount", amounts(20))
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("per_unit"), "unit_amount": amounts(20)}),
        st.fixed_dictionaries({"type": st.sampled_from(["graduated", "volume"]), "tiers": tiers}),
        st.fixed_dictionaries(
            {
                "type": st.just("package"),
                "package_size": st.integers(1, 50).map(str),
                "package_amount": amounts(20),
                "free_units": st.integers(0, 60).map(str),
                "rounding": st.sampled_from(["up", "down"]),
            }
        ),
    )


def _bounds_per_event(found: tuple[str | None, str | None]) -> Json:
    least, most = found
    if least is not None and most is not None and Decimal(least) > Decimal(most):
        least, most = most, least
    return {"minimum_per_event": least, "maximum_per_event": most}


def value_pricings() -> st.SearchStrategy[Json]:
    tiers = _bounded_tiers("rate", percents())
    by_event = st.tuples(
        st.fixed_dictionaries(
            {
                "type": st.just("percentage"),
                "rate": percents(),
                "fixed_per_event": amounts(5),
                "free_events": st.integers(0, 5),
            }
        ),
        st.tuples(st.none() | amounts(10), st.none() | amounts(40)).map(_bounds_per_event),
    ).map(lambda both: both[0] | both[1])
    return st.one_of(
        by_event,
        st.fixed_dictionaries({"type": st.just("percentage"), "rate": percents(), "free_amount": amounts(500)}),
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["graduated_percentage", "volume_percentage"]),
                "tiers": tiers,
                "fixed_per_event": amounts(5),
            }
        ),
    )


DYNAMIC = st.just({"type": "dynamic", "value": "data.price"})
