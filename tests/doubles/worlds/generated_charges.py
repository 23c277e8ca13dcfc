"""Hypothesis strategies for charges of every type, and for billing models of several."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.doubles.worlds.generated_pricings import DYNAMIC, amounts, percents, unit_pricings, value_pricings

Json = dict[str, Any]
FLOW_TYPES = ("research", "email")


def _optional(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


def _discounts() -> st.SearchStrategy[Json]:
    reach = st.integers(0, 50).map(str)
    return st.fixed_dictionaries({"from_quantity": reach, "percent": percents()}) | st.fixed_dictionaries(
        {"from_quantity": reach, "amount": amounts(50)}
    )


def _ordered(bounds: tuple[str | None, str | None]) -> Json:
    least, most = bounds
    if least is not None and most is not None and Decimal(least) > Decimal(most):
        least, most = most, least
    return {key: value for key, value in (("minimum", least), ("maximum", most)) if value is not None}


def _modifiers() -> st.SearchStrategy[Json]:
    bounds = st.tuples(st.none() | amounts(300), st.none() | amounts(300)).map(_ordered)
    others = _optional(
        {
            "base_fee": st.fixed_dictionaries({"amount": amounts(100), "per": st.sampled_from(["agent", "charge"])}),
            "discount": _discounts(),
            "minimum_when_unused": st.booleans(),
        }
    )
    return st.tuples(bounds, others).map(lambda both: both[0] | both[1])


COMMITMENTS = st.fixed_dictionaries(
    {
        "quantity": st.integers(0, 60).map(str),
        "overage_multiplier": st.sampled_from(["1", "1.5", "2.25"]),
    }
)
SCOPES = st.sampled_from(["agent", "organization"])
INTERVALS = st.sampled_from(["month", "quarter", "year"])


def _meters(value_only: bool) -> st.SearchStrategy[Json]:
    summed = st.just({"event_type": "step", "aggregation": "sum", "value": "data.value"})
    if value_only:
        return summed
    return st.one_of(
        summed,
        st.just({"event_type": "step"}),
        st.just({"event_type": "step", "filter": {"data.status": ["ok", True]}}),
        st.sampled_from(["max", "last"]).map(
            lambda name: {"event_type": "step", "aggregation": name, "value": "data.value"}
        ),
        st.just({"event_type": "step", "aggregation": "unique", "value": "data.user"}),
        st.just({"event_type": "step", "aggregation": "weighted_sum", "value": "data.change"}),
        st.sampled_from(["up", "down", "half_up", None]).map(
            lambda rounding: {
                "event_type": "step",
                "aggregation": "sum",
                "value": "data.quantity",
                "unit": {"divide_by": "3"} | ({"rounding": rounding} if rounding else {}),
            }
        ),
    )


def _merged(*parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def _activities() -> st.SearchStrategy[Json]:
    base = st.fixed_dictionaries({"type": st.just("activity"), "scope": SCOPES})
    by_unit = _merged(
        base,
        st.fixed_dictionaries({"meter": _meters(value_only=False), "pricing": unit_pricings()}),
        _optional({"included_units": st.integers(0, 30).map(str), "commitment": COMMITMENTS}),
    )
    by_value = _merged(base, st.fixed_dictionaries({"meter": _meters(value_only=True), "pricing": value_pricings()}))
    dynamic = _merged(base, st.fixed_dictionaries({"meter": st.just({"event_type": "step"}), "pricing": DYNAMIC}))
    return _merged(st.one_of(by_unit, by_value, dynamic), _modifiers())


_WORTH = ("data.value", "data.quantity")


def _outcomes() -> st.SearchStrategy[Json]:
    return _merged(
        st.fixed_dictionaries(
            {
                "type": st.just("outcome"),
                "meter": st.sampled_from([{}, *({"aggregation": "sum", "value": path} for path in _WORTH)]).map(
                    lambda added: {"event_type": "outcome.sale"} | added
                ),
                "pricing": value_pricings() | unit_pricings() | DYNAMIC,
                "scope": SCOPES,
                "verification": st.just("none"),
            }
        ),
        _optional(
            {
                "minimum_value": amounts(60),
                "risk_premium_percent": percents(),
                "success_bonus": st.fixed_dictionaries({"from_value": amounts(), "percent": percents()}),
            }
        ),
        _modifiers(),
    )


def _workflows() -> st.SearchStrategy[Json]:
    bounds = st.tuples(st.none() | amounts(50), st.none() | amounts(50)).map(_ordered)
    beside = _optional({"included_units": st.integers(0, 10).map(str), "commitment": COMMITMENTS})
    by_unit = _merged(st.fixed_dictionaries({"pricing": unit_pricings()}), beside)
    one = _merged(by_unit | st.fixed_dictionaries({"pricing": value_pricings() | DYNAMIC}), bounds)
    return _merged(
        st.fixed_dictionaries(
            {
                "type": st.just("workflow"),
                "scope": SCOPES,
                "workflows": st.dictionaries(st.sampled_from(FLOW_TYPES), one, min_size=1),
            }
        ),
        _optional({"commitment": COMMITMENTS}),
        _modifiers(),
    )


def _costs() -> st.SearchStrategy[Json]:
    return _merged(
        st.fixed_dictionaries({"type": st.just("cost"), "scope": SCOPES, "markup_percent": percents()}),
        _optional({"categories": st.sampled_from([["llm"], ["llm", "tools"]])}),
        _modifiers(),
    )


def _heads() -> st.SearchStrategy[Json]:
    timing = st.sampled_from(["arrears", "advance"])
    common = {"pricing": unit_pricings(), "interval": INTERVALS, "timing": timing}
    agents = st.fixed_dictionaries({"type": st.just("agent"), "scope": SCOPES, **common})
    number = st.sampled_from(["members", "seats"]) | st.integers(0, 20).map(str)
    seats = st.fixed_dictionaries({"type": st.just("seat"), "quantity": number, **common})
    return _merged(agents | seats, _optional({"discount": _discounts()}))


def _fees_of(kind: str) -> st.SearchStrategy[Json]:
    timing = st.sampled_from(["arrears", "advance"])
    if kind == "flat_fee":
        return st.fixed_dictionaries(
            {"type": st.just(kind), "amount": amounts(), "interval": INTERVALS, "timing": timing, "scope": SCOPES}
        )
    return st.fixed_dictionaries({"type": st.just(kind), "amount": amounts(), "scope": SCOPES})


def _fees() -> st.SearchStrategy[Json]:
    return _fees_of("flat_fee") | _fees_of("setup_fee")


def usage_charges() -> st.SearchStrategy[Json]:
    return st.one_of(_activities(), _outcomes(), _workflows(), _costs())


def charges() -> st.SearchStrategy[Json]:
    return st.one_of(usage_charges(), _heads(), _fees())


_KEPT = ("type", "meter", "scope", "interval", "timing", "categories")
"""The fields that a key keeps over the versions of its model."""


def _with_one_meter(found: list[Json]) -> list[Json]:
    """The charges as versions of the first: what a key keeps is taken from it."""
    kept = {name: found[0][name] for name in _KEPT if name in found[0]}
    if found[0]["type"] == "activity" and any(
        each["pricing"]["type"] == "dynamic" or "percentage" in each["pricing"]["type"] for each in found
    ):
        kept["meter"] = {"event_type": "step", "aggregation": "sum", "value": "data.value"}
    return [{name: value for name, value in each.items() if name not in _KEPT} | kept for each in found]


def changed_charges(most: int = 3) -> st.SearchStrategy[list[Json]]:
    """One charge under several versions, which differ in everything that may change."""
    kinds = [_activities(), _outcomes(), _workflows(), _costs(), _heads(), _fees_of("flat_fee"), _fees_of("setup_fee")]
    weighted = st.sampled_from([0, 0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 6])
    return (
        weighted.flatmap(lambda kind: st.lists(kinds[kind], min_size=2, max_size=most))
        .map(lambda found: [each for each in found if each["type"] == found[0]["type"]])
        .map(_with_one_meter)
    )


def models(one: st.SearchStrategy[Json] | None = None, most: int = 4) -> st.SearchStrategy[list[Json]]:
    """Charges with keys of their own."""
    return st.lists(charges() if one is None else one, min_size=1, max_size=most).map(
        lambda found: [{"key": f"charge-{number}", **each} for number, each in enumerate(found)]
    )
