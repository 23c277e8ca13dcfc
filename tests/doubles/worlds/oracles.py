"""Worked examples with known answers, translated from older notations into billing models with usage.

They are in `data/pricing.json` and `data/agent_models.json`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from tests.places import DATA

Json = dict[str, Any]


NOT_REPRODUCED = {
    "activity-091": "a model without any charge, which is refused",
    "workflow-165": "an inactive configuration that was charged all the same",
}
"""Examples that no charge reproduces, with the reason."""


@dataclass(frozen=True, slots=True)
class Case:
    """An example. `exact` and `rounded` are None where it does not say them; `only` None stands for all charges."""

    id: str
    model: Json
    usage: Sequence[Json]
    exact: Decimal | None
    rounded: Decimal | None
    only: Sequence[str] | None = None

    def request(self) -> Json:
        chosen = {} if self.only is None else {"only": list(self.only)}
        return {"model": self.model, "usage": list(self.usage)} | chosen


def cases() -> list[Case]:
    """All examples that are reproduced."""
    return [*_pricing_cases(), *_model_cases()]


def parameters(skipped: Mapping[str, str] | None = None) -> list[Any]:
    """Every worked example as a parameter of a test.

    One that is not reproduced, here or by the caller, is skipped by name.
    """
    reasons = NOT_REPRODUCED | dict(skipped or {})
    known: dict[str, Case | None] = dict.fromkeys(NOT_REPRODUCED)
    known |= {case.id: case for case in cases()}
    return [
        pytest.param(case, id=name, marks=[pytest.mark.skip(reasons[name])] if name in reasons else [])
        for name, case in known.items()
    ]


def _raw(name: str) -> list[Json]:
    """The examples as they are written.

    Numbers are texts, so that none goes by way of a float.
    """
    text = (DATA / name).read_text(encoding="utf-8")
    read: list[Json] = json.loads(text, parse_float=str, parse_int=str)
    return read


# One pricing each.


def _pricing_cases() -> Iterator[Case]:
    for case in _raw("pricing.json"):
        given = case["input"]
        if case["pricing"] == "line rounding half-up":
            fee = {"key": "fee", "type": "flat_fee", "amount": given["amount"]}
            model = {"currency": given["currency"].upper(), "charges": [fee]}
            yield Case(case["id"], model, [], None, Decimal(case["expected"]))
        else:
            pricing, usage = _PRICINGS[case["pricing"]](given)
            model = {"currency": "USD", "charges": [_metered(pricing)]}
            yield Case(case["id"], model, [{"charge": "usage", **usage}], Decimal(case["expected"]), None)


def _metered(pricing: Json) -> Json:
    meter = {"event_type": "usage", "aggregation": "sum", "value": "data.quantity"}
    return {"key": "usage", "type": "activity", "scope": "organization", "meter": meter, "pricing": pricing}


def _tiered(given: Json, name: str) -> tuple[Json, Json]:
    tiers = [{"up_to": up_to, "unit_amount": unit, "flat_amount": flat} for up_to, unit, flat in given["tiers"]]
    return {"type": name, "tiers": tiers}, {"quantity": given["units"]}


def _package(given: Json) -> tuple[Json, Json]:
    names = {
        "package_size": "package_size",
        "amount": "package_amount",
        "free_units": "free_units",
        "round": "rounding",
    }
    return {"type": "package"} | _renamed(given, names), {"quantity": given["units"]}


def _percentage(given: Json) -> tuple[Json, Json]:
    names = {
        "rate_pct": "rate",
        "fixed_per_event": "fixed_per_event",
        "free_amount": "free_amount",
        "min": "minimum_per_event",
        "max": "maximum_per_event",
    }
    pricing = {"type": "percentage", "free_events": int(given.get("free_events", 0))} | _renamed(given, names)
    return pricing, {"values": given["values"]}


def _graduated_percentage(given: Json) -> tuple[Json, Json]:
    tiers = [{"up_to": up_to, "rate": rate, "flat_amount": flat} for up_to, rate, flat in given["tiers_pct_flat"]]
    return {"type": "graduated_percentage", "tiers": tiers}, {"value": given["amount"]}


def _dynamic(given: Json) -> tuple[Json, Json]:
    """The events carry their prices; the example has them in cents."""
    prices = Decimal(given["sum_precise_total_amount_cents"]) / 100
    return {"type": "dynamic", "value": "data.price"}, {"value": str(prices), "quantity": given["units"]}


_PRICINGS: Mapping[str, Callable[[Json], tuple[Json, Json]]] = {
    "graduated": lambda given: _tiered(given, "graduated"),
    "volume": lambda given: _tiered(given, "volume"),
    "package": _package,
    "percentage": _percentage,
    "graduated_percentage": _graduated_percentage,
    "dynamic": _dynamic,
}


def _renamed(given: Json, names: Mapping[str, str]) -> Json:
    return {new: given[old] for old, new in names.items() if old in given}


# Whole billing models in a flat notation.


@dataclass(slots=True)
class _Translated:
    charges: list[Json] = field(default_factory=list)
    usage: list[Json] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    """Keys of charges that are inactive, or not asked for."""


def _model_cases() -> Iterator[Case]:
    for case in _raw("agent_models.json"):
        if case["id"] in NOT_REPRODUCED:
            continue
        found = _MODELS[case["model"]["model_type"]](case["model"], case["usage"])
        keys = [charge["key"] for charge in found.charges]
        only = [key for key in keys if key not in found.left_out] if found.left_out else None
        rounded = Decimal(case["expected_cents_half_up"]) / 100
        model = {"currency": "USD", "charges": found.charges}
        yield Case(case["id"], model, found.usage, Decimal(case["expected"]), rounded, only)


def _agent(model: Json, usage: Json) -> _Translated:
    config = model["agent_config"]
    interval = {"monthly": "month", "quarterly": "quarter", "yearly": "year"}[config["billing_frequency"]]
    charge: Json = {
        "key": "agents",
        "type": "agent",
        "pricing": {"type": "per_unit", "unit_amount": config["base_agent_fee"]},
        "interval": interval,
        "tier": config["agent_tier"],
    }
    if config["volume_discount_enabled"]:
        charge["discount"] = _discount(config)
    setup = {"key": "setup", "type": "setup_fee", "amount": config["setup_fee"]}
    estimated = {"charge": "agents"} | ({"quantity": usage["agents"]} if "agents" in usage else {})
    return _Translated([charge, setup], [estimated], set() if usage.get("include_setup_fee", False) else {"setup"})


def _activity(model: Json, usage: Json) -> _Translated:
    """One charge for each configuration, all over the same units: an example counts every unit for each of them."""
    found = _Translated()
    for number, config in enumerate(model["activity_config"]):
        key = f"activity-{number}"
        tiers = _tiers(config, "price") if config["volume_pricing_enabled"] else []
        found.charges.append(
            {
                "key": key,
                "type": "activity",
                "scope": "organization",
                "meter": {"event_type": config["activity_type"], "aggregation": "sum", "value": "data.quantity"},
                "pricing": _graduated(tiers, config["price_per_unit"], "unit_amount"),
                "base_fee": {"amount": config["base_agent_fee"], "per": "agent"},
                "minimum": config["minimum_charge"],
            }
        )
        if config["is_active"]:
            found.usage.append({"charge": key, "quantity": usage["units"], "agents": usage.get("agents", "1")})
        else:
            found.left_out.add(key)
    return found


def _outcome(model: Json, usage: Json) -> _Translated:
    (config,) = model["outcome_config"]
    pricing = _graduated(_tiers(config, "percentage"), config["percentage"] or "0", "rate")
    charge: Json = {
        "key": "outcomes",
        "type": "outcome",
        "meter": {"event_type": f"outcome.{config['outcome_type']}"},
        "pricing": {
            **pricing,
            "type": "graduated_percentage",
            "fixed_per_event": config["fixed_charge_per_outcome"] or "0",
        },
        "base_fee": {"amount": config["base_platform_fee"]},
        "minimum_value": config["minimum_attribution_value"],
        "risk_premium_percent": config["risk_premium_percentage"] or "0",
        "maximum": config["monthly_cap_amount"],
    }
    if config["success_bonus_threshold"] is not None:
        charge["success_bonus"] = {
            "from_value": config["success_bonus_threshold"],
            "percent": config["success_bonus_percentage"],
        }
    estimated = {"charge": "outcomes"}
    if "outcome_value" in usage:
        estimated |= {"value": usage["outcome_value"], "quantity": usage.get("outcome_count", "1")}
    return _Translated([charge], [estimated], set() if config["is_active"] else {"outcomes"})


def _workflow(model: Json, usage: Json) -> _Translated:
    """An example says only whether the commitment is exceeded: it becomes one less than there are workflows, or as
    many.
    """
    config = model["workflow_config"]
    counts = usage.get("workflows", {})
    charge: Json = {
        "key": "flows",
        "type": "workflow",
        "base_fee": {"amount": config["base_platform_fee"]},
        "workflows": {
            each["workflow_type"]: {
                "pricing": _graduated(_tiers(each, "price"), each["price_per_workflow"], "unit_amount"),
                "minimum": each["minimum_charge"],
            }
            for each in model["workflow_types"]
            if each["is_active"]
        },
    }
    if Decimal(config["overage_multiplier"]) >= 1:  # less was taken for 1; a charge refuses it
        committed = sum(int(count) for count in counts.values()) - bool(usage.get("commitment_exceeded"))
        charge["commitment"] = {"quantity": str(max(0, committed)), "overage_multiplier": config["overage_multiplier"]}
    if config["volume_discount_enabled"]:
        charge["discount"] = _discount(config)
    return _Translated([charge], [{"charge": "flows", "workflows": counts}])


_MODELS: Mapping[str, Callable[[Json, Json], _Translated]] = {
    "agent": _agent,
    "activity": _activity,
    "outcome": _outcome,
    "workflow": _workflow,
}


def _tiers(config: Json, what: str) -> list[tuple[str, str, bool]]:
    """The tiers that are given: (up to, price, whether it is the third one)."""
    prefix = "volume_tier" if what == "price" else "tier"
    return [
        (threshold, config[f"{prefix}_{number}_{what}"], number == 3)
        for number in (1, 2, 3)
        if (threshold := config[f"{prefix}_{number}_threshold"]) is not None
    ]


def _graduated(tiers: Sequence[tuple[str, str, bool]], otherwise: str, price: str) -> Json:
    """Tiers with a price beyond the last one.

    That is its own price where it is the third one, else the price without tiers.
    """
    beyond = tiers[-1][1] if tiers and tiers[-1][2] else otherwise
    bounded = [{"up_to": up_to, price: amount} for up_to, amount, _ in tiers]
    return {"type": "graduated", "tiers": [*bounded, {"up_to": None, price: beyond}]}


def _discount(config: Json) -> Json:
    return {
        "from_quantity": config["volume_discount_threshold"] or "0",
        "percent": config["volume_discount_percentage"],
    }
