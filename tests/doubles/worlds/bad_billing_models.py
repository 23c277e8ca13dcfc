"""Billing models with one mistake each, and sound charges with all their fields.

A mistake says which place is to be named.
"""

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

PER_UNIT: Json = {"type": "per_unit", "unit_amount": "1"}
METER: Json = {
    "event_type": "command",
    "aggregation": "sum",
    "value": "data.level",
    "filter": {"data.status": ["ok"]},
    "unit": {"multiply_by": "60"},
}
TIERS: list[Json] = [
    {"up_to": "10", "unit_amount": "1", "flat_amount": "2"},
    {"up_to": "20", "unit_amount": "0.5", "flat_amount": "0"},
    {"up_to": None, "unit_amount": "0.1", "flat_amount": "0"},
]
RATES: list[Json] = [
    {"up_to": "10", "rate": "5", "flat_amount": "2"},
    {"up_to": None, "rate": "1", "flat_amount": "0"},
]
PRICINGS: dict[str, Json] = {
    "per_unit": PER_UNIT,
    "graduated": {"type": "graduated", "tiers": TIERS},
    "volume": {"type": "volume", "tiers": TIERS},
    "package": {
        "type": "package",
        "package_size": "100",
        "package_amount": "3",
        "free_units": "50",
        "rounding": "down",
    },
    "percentage": {
        "type": "percentage",
        "rate": "5",
        "fixed_per_event": "0.3",
        "free_events": 10,
        "free_amount": "0",
        "minimum_per_event": "1",
        "maximum_per_event": "9",
    },
    "graduated_percentage": {"type": "graduated_percentage", "tiers": RATES, "fixed_per_event": "0.3"},
    "volume_percentage": {"type": "volume_percentage", "tiers": RATES, "fixed_per_event": "0.3"},
    "dynamic": {"type": "dynamic", "value": "data.price"},
}
OF_UNITS = ("per_unit", "graduated", "volume", "package")

_BY_AMOUNT: Json = {"from_quantity": "10", "amount": "20"}
_BY_PERCENT: Json = {"from_quantity": "10", "percent": "15"}
_MODIFIERS: Json = {
    "base_fee": {"amount": "15", "per": "agent"},
    "discount": _BY_PERCENT,
    "minimum": "5",
    "minimum_when_unused": True,
    "maximum": "500",
    "scope": "organization",
    "settles": "invoice",
}
_COMMITMENT: Json = {"quantity": "100", "overage_multiplier": "1.5"}
_FEE: Json = {"interval": "year", "timing": "advance", "scope": "organization", "settles": "wallet"}

CHARGES: dict[str, Json] = {
    "flat_fee": {"key": "fee", "type": "flat_fee", "amount": "10", **_FEE},
    "setup_fee": {"key": "setup", "type": "setup_fee", "amount": "10", "timing": "advance", "scope": "agent"}
    | {"settles": "wallet"},
    "seat": {
        "key": "seats",
        "type": "seat",
        "quantity": "5",
        "pricing": PER_UNIT,
        "discount": _BY_AMOUNT,
        "tier": "Gold",
        **_FEE,
    },
    "agent": {
        "key": "agents",
        "type": "agent",
        "pricing": PRICINGS["volume"],
        "discount": _BY_PERCENT,
        "tier": "Gold",
        **_FEE,
    },
    "activity": {
        "key": "commands",
        "type": "activity",
        "meter": {**METER, "unit": {"divide_by": "1000", "rounding": "up"}},
        "pricing": PRICINGS["graduated"],
        "included_units": "10",
        "commitment": _COMMITMENT,
        **_MODIFIERS,
    },
    "outcome": {
        "key": "sales",
        "type": "outcome",
        "meter": {**METER, "event_type": "outcome.sale"},
        "pricing": PRICINGS["percentage"],
        "verification": "required",
        "auto_verify": {"minimum_value": "1", "maximum_value": "100"},
        "verified_by": "organization",
        "attribution_window_days": 30,
        "minimum_value": "10",
        "risk_premium_percent": "5",
        "success_bonus": {"from_value": "1000", "percent": "1"},
        **_MODIFIERS,
    },
    "workflow": {
        "key": "flows",
        "type": "workflow",
        "workflows": {
            "deep/research": {
                "pricing": PRICINGS["graduated"],
                "included_units": "10",
                "minimum": "5",
                "minimum_when_unused": True,
                "maximum": "500",
                "commitment": _COMMITMENT,
            }
        },
        "commitment": _COMMITMENT,
        **_MODIFIERS,
    },
    "cost": {"key": "llm", "type": "cost", "categories": ["llm", "compute"], "markup_percent": "20", **_MODIFIERS},
}
"""One charge of each type, with every field that it has."""


def activity(pricing: str, **more: Any) -> Json:
    """A charge with that pricing, and all that can stand beside any pricing."""
    return {"key": "commands", "type": "activity", "meter": METER, "pricing": PRICINGS[pricing], **more}


SAMPLES: dict[str, Json] = CHARGES | {f"activity, {pricing}": activity(pricing) for pricing in PRICINGS}


def model(*charges: Json) -> Json:
    return {"name": "Model", "currency": "USD", "charges": list(charges)}


@dataclass(frozen=True)
class Mistake:
    """A model with a mistake, and the places that its refusal names.

    It is `calculable` where it is only refused when it is saved.
    """

    name: str
    model: Json
    places: tuple[str, ...]
    calculable: bool = False


def _in_charge(name: str, kind: str, changes: Json, *places: str, calculable: bool = False) -> Mistake:
    charges = [CHARGES["flat_fee"], {**CHARGES[kind], **changes}]
    return Mistake(f"{kind}: {name}", model(*charges), tuple(f"/charges/1/{place}" for place in places), calculable)


def _in_pricing(name: str, pricing: str, changes: Json, *places: str) -> Mistake:
    changed = {**PRICINGS[pricing], **changes}
    charges = [CHARGES["flat_fee"], {**activity(pricing), "pricing": changed}]
    return Mistake(f"{pricing}: {name}", model(*charges), tuple(f"/charges/1/pricing/{place}" for place in places))


def _bounds(*ends: str | None) -> Json:
    return {"tiers": [{"up_to": end, "unit_amount": "1"} for end in ends]}


def _rates(*ends: str | None) -> Json:
    return {"tiers": [{"up_to": end, "rate": "1"} for end in ends]}


def _tiers() -> list[Mistake]:
    tiered = [("graduated", _bounds), ("volume", _bounds), ("graduated_percentage", _rates)]
    tiered.append(("volume_percentage", _rates))
    return [
        _in_pricing(name, pricing, bounds(*ends), *places)
        for pricing, bounds in tiered
        for name, ends, places in [
            ("falling thresholds", ("10", "5", None), ("tiers/1/up_to",)),
            ("equal thresholds", ("10", "10.0", None), ("tiers/1/up_to",)),
            ("a first threshold of nothing", ("0", None), ("tiers/0/up_to",)),
            ("a last tier that is not open", ("10", "20"), ("tiers/1/up_to",)),
            ("an open tier before the last", ("10", None, None), ("tiers/1/up_to",)),
            ("no tiers", (), ("tiers",)),
            ("too many tiers", (*(str(number) for number in range(1, 101)), None), ("tiers",)),
            ("several mistakes", ("10", "5", "20"), ("tiers/1/up_to", "tiers/2/up_to")),
        ]
    ]


def _pricings() -> list[Mistake]:
    return [
        *(_in_pricing("an unknown type", pricing, {"type": "haggling"}, "type") for pricing in PRICINGS),
        _in_pricing("packages of nothing", "package", {"package_size": "0"}, "package_size"),
        _in_pricing("an unknown rounding", "package", {"rounding": "sideways"}, "rounding"),
        _in_pricing("too many free events", "percentage", {"free_events": 501}, "free_events"),
        _in_pricing("half a free event", "percentage", {"free_events": "1.5"}, "free_events"),
        _in_pricing(
            "a minimum above the maximum",
            "percentage",
            {"minimum_per_event": "2", "maximum_per_event": "1"},
            "minimum_per_event",
        ),
        _in_pricing("no path", "dynamic", {"value": "price"}, "value"),
    ]


def _usage() -> list[Mistake]:
    """Fields that do not go together in charges for usage."""
    by_order = [
        {"type": "percentage", "rate": "5", "free_amount": "100", **part}
        for part in (
            {"fixed_per_event": "1"},
            {"free_events": 1},
            {"minimum_per_event": "1"},
            {"maximum_per_event": "1"},
        )
    ]
    plain = {"included_units": "0", "commitment": None, "meter": METER}
    found = [
        _in_charge("a free amount with parts per event", kind, {**fields, "pricing": pricing}, at, calculable=True)
        for pricing in by_order
        for kind, fields in (("activity", plain), ("outcome", {}))
        for at in ("pricing/free_amount",)
    ]
    found += [
        _in_charge(
            "a free amount of a type with parts per event",
            "workflow",
            {"workflows": {"a/b": {"pricing": pricing}}},
            "workflows/a~1b/pricing/free_amount",
            calculable=True,
        )
        for pricing in by_order
    ]
    for pricing in PRICINGS.keys() - set(OF_UNITS):
        priced = {**plain, "pricing": PRICINGS[pricing]}
        found += [
            _in_charge(
                f"{pricing} beside included units", "activity", {**priced, "included_units": "1"}, "included_units"
            ),
            _in_charge(
                f"{pricing} beside a commitment", "activity", {**priced, "commitment": _COMMITMENT}, "commitment"
            ),
            *(
                _in_charge(
                    f"{pricing} of a {kind}", "activity", {**priced, "meter": {**METER, "aggregation": kind}}, at
                )
                for kind in ("max", "last", "unique", "weighted_sum")
                for at in ("pricing/type",)
            ),
            *(
                _in_charge(f"{pricing} of heads", kind, {"pricing": PRICINGS[pricing]}, "pricing/type")
                for kind in ("seat", "agent")
            ),
            *(
                _in_charge(
                    f"{pricing} of workflows beside {field}",
                    "workflow",
                    {"workflows": {"email": {"pricing": PRICINGS[pricing], field: value}}},
                    f"workflows/email/{field}",
                )
                for field, value in (("included_units", "1"), ("commitment", _COMMITMENT))
            ),
        ]
    found += [
        _in_charge("a price that is the units, too", kind, {**fields, "pricing": price}, "pricing/value")
        for price in ({"type": "dynamic", "value": METER["value"]},)
        for kind, fields in (("activity", plain), ("outcome", {}))
    ]
    counted: Json = {"pricing": {"type": "dynamic", "value": "data.quantity"}}
    found.append(
        _in_charge(
            "a price that is the number of workflows, too",
            "workflow",
            {"workflows": {"email": {"pricing": PER_UNIT}, "a/b": counted}},
            "workflows/a~1b/pricing/value",
        )
    )
    rounding = {**METER, "unit": {"divide_by": "10", "rounding": "up"}}
    for pricing in PRICINGS.keys() - {*OF_UNITS, "dynamic"}:
        priced = {**plain, "pricing": PRICINGS[pricing]}
        found += [
            _in_charge(
                f"{pricing} of rounded values", "activity", {**priced, "meter": rounding}, "meter/unit/rounding"
            ),
            _in_charge(
                f"{pricing} of a count", "activity", {**priced, "meter": {"event_type": "command"}}, "meter/aggregation"
            ),
        ]
    return found


def _modifiers() -> list[Mistake]:
    found = []
    for kind in ("activity", "outcome", "workflow", "cost"):
        found += [
            _in_charge("a minimum above the maximum", kind, {"minimum": "2", "maximum": "1"}, "minimum"),
            _in_charge("a fee per moon", kind, {"base_fee": {"amount": "1", "per": "moon"}}, "base_fee/per"),
            _in_charge("a fee without an amount", kind, {"base_fee": {"per": "agent"}}, "base_fee/amount"),
        ]
    for kind in ("seat", "agent", "activity", "outcome", "workflow", "cost"):
        found += [
            _in_charge("more than all off", kind, {"discount": {"percent": "100.01"}}, "discount/percent"),
            _in_charge("percent and amount", kind, {"discount": {"percent": "1", "amount": "1"}}, "discount/percent"),
            _in_charge("neither percent nor amount", kind, {"discount": {"from_quantity": "1"}}, "discount/percent"),
        ]
    for kind in ("activity", "workflow"):
        less = {"quantity": "1", "overage_multiplier": "0.999"}
        found.append(_in_charge("overage for less", kind, {"commitment": less}, "commitment/overage_multiplier"))
    return found


def _charges() -> list[Mistake]:
    email: Json = {"pricing": PER_UNIT}
    return [
        *(_in_charge("an unknown type", kind, {"type": "barter"}, "type") for kind in CHARGES),
        *(_in_charge("a key that is none", kind, {"key": "Not a key"}, "key") for kind in CHARGES),
        *(_in_charge("an unknown scope", kind, {"scope": "planet"}, "scope") for kind in CHARGES),
        *(
            _in_charge("an unknown interval", kind, {"interval": "fortnight"}, "interval")
            for kind in ("flat_fee", "seat", "agent")
        ),
        *(
            _in_charge("an unknown timing", kind, {"timing": "whenever"}, "timing")
            for kind in ("flat_fee", "setup_fee", "seat", "agent")
        ),
        _in_charge("seats by agent", "seat", {"scope": "agent"}, "scope"),
        _in_charge("less than no seats", "seat", {"quantity": "-1"}, "quantity"),
        _in_charge("half a seat", "seat", {"quantity": "2.5"}, "quantity"),
        _in_charge("seats of somebody", "seat", {"quantity": "guests"}, "quantity"),
        _in_charge("no events of outcomes", "outcome", {"meter": METER}, "meter/event_type"),
        *(
            _in_charge(
                f"the {kind} of outcomes",
                "outcome",
                {"meter": {**METER, "event_type": "outcome.sale", "aggregation": kind}, "pricing": PER_UNIT},
                "meter/aggregation",
            )
            for kind in ("max", "last", "unique", "weighted_sum")
        ),
        _in_charge("an unknown verification", "outcome", {"verification": "perhaps"}, "verification"),
        _in_charge("no workflows", "workflow", {"workflows": {}}, "workflows"),
        _in_charge(
            "too many workflows", "workflow", {"workflows": {f"w{number}": email for number in range(101)}}, "workflows"
        ),
        _in_charge("a workflow without a name", "workflow", {"workflows": {"": email}}, "workflows/"),
        _in_charge("a workflow without a price", "workflow", {"workflows": {"a/b": {}}}, "workflows/a~1b/pricing"),
        _in_charge(
            "a type's minimum above its maximum",
            "workflow",
            {"workflows": {"a/b": {**email, "minimum": "2", "maximum": "1"}}},
            "workflows/a~1b/minimum",
        ),
        _in_charge("no categories", "cost", {"categories": []}, "categories"),
        _in_charge("a category with a space", "cost", {"categories": ["llm", "large models"]}, "categories/1"),
    ]


def _meters() -> list[Mistake]:
    changes: list[tuple[str, Json, str]] = [
        ("no event type", {"event_type": ""}, "event_type"),
        ("an unknown aggregation", {"aggregation": "median"}, "aggregation"),
        ("a value of nothing", {"aggregation": "count"}, "value"),
        ("a path outside of the data", {"value": "time"}, "value"),
        ("no path", {"value": None}, "value"),
        ("a filter of nothing", {"filter": {"data.status": []}}, "filter/data.status"),
        ("a filter outside of the data", {"filter": {"time": ["1"]}}, "filter/time"),
        ("a filter of an object", {"filter": {"data.status": ["ok", {}]}}, "filter/data.status/1"),
        ("too many filters", {"filter": {f"data.x{number}": ["1"] for number in range(21)}}, "filter"),
        ("a division by nothing", {"unit": {"divide_by": "0"}}, "unit/divide_by"),
        ("a multiplication by nothing", {"unit": {"multiply_by": "0"}}, "unit/multiply_by"),
        ("two factors", {"unit": {"multiply_by": "2", "divide_by": "2"}}, "unit/divide_by"),
        ("a conversion of nothing", {"unit": {}}, "unit"),
        ("an unknown rounding", {"unit": {"rounding": "sideways"}}, "unit/rounding"),
    ]
    changes += [
        (f"no path for {kind}", {"aggregation": kind, "value": None}, "value")
        for kind in ("max", "last", "unique", "weighted_sum")
    ]
    return [
        _in_charge(name, "activity", {"meter": {**METER, **changed}, "pricing": PER_UNIT}, f"meter/{place}")
        for name, changed, place in changes
    ]


def _limits() -> list[Mistake]:
    def many(count: int, **changes: Any) -> Json:
        return model(*({**activity("per_unit"), **changes, "key": f"charge-{number}"} for number in range(count)))

    unique = {**METER, "aggregation": "unique", "unit": None}
    events = {"type": "percentage", "rate": "1", "free_events": 500}
    fifty = {f"w{number}": {"pricing": PER_UNIT} for number in range(50)}
    workflows = [{"key": f"flows-{number}", "type": "workflow", "workflows": fifty} for number in range(5)]
    return [
        Mistake("no charges", model(), ("/charges",)),
        Mistake("too many charges", many(101), ("/charges",)),
        Mistake("too many unique meters", many(21, meter=unique), ("/charges",)),
        Mistake("too many meters", model(*workflows), ("/charges",)),
        Mistake("too many free events together", many(11, pricing=events), ("/charges",)),
        Mistake("a key twice", model(CHARGES["agent"], CHARGES["cost"], CHARGES["agent"]), ("/charges/2/key",)),
    ]


MISTAKES = [*_tiers(), *_pricings(), *_usage(), *_modifiers(), *_charges(), *_meters(), *_limits()]
