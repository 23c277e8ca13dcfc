"""Random billing models of every kind of charge, meter and pricing."""

from datetime import datetime
from random import Random
from typing import Any

from shared.domain.pricing.billing_models import BillingModelDraft


def _meter(event_type: str, aggregation: str, value: str) -> dict[str, Any]:
    return {"event_type": event_type, "aggregation": aggregation, "value": value}


class RandomCharges:
    """The billing models of one history, drawn from its source of randomness."""

    def __init__(self, random: Random, seed: int) -> None:
        self._random = random
        self._seed = seed

    def draft(self, currency: str, start: datetime) -> BillingModelDraft:
        """A model of random charges.

        A key keeps its meaning over the versions; its prices and whether it is there change.
        """
        random = self._random
        charges = [self._commands()]
        charges += [charge for charge in (*self._fees(), *self._usage()) if random.random() < 0.35]
        if random.random() < 0.8:
            charges.append(self._asked())
        if random.random() < 0.6:  # what is billed ahead is too much when an agent leaves: credit notes
            amount = random.choice(("120", "200"))
            charges.append(
                {"key": "ahead", "type": "flat_fee", "amount": amount, "timing": "advance", "scope": "agent"}
            )
        random.shuffle(charges)
        return BillingModelDraft.model_validate(
            {"name": "Model", "currency": currency, "effective_from": start, "charges": charges}
        )

    def _scope(self, key: str) -> str:
        """The scope of a key, which is the same in all models of a history."""
        return Random(f"{self._seed} {key}").choice(("agent", "organization"))

    def _fees(self) -> list[dict[str, Any]]:
        """Fees of any interval and timing. A key keeps both, so it names them."""
        random = self._random
        fees: list[dict[str, Any]] = [
            {"key": "setup", "type": "setup_fee", "amount": self._price(), "scope": self._scope("setup")}
        ]
        for kind in ("fee", "agents", "seats"):
            interval = random.choice(("month", "quarter", "year"))
            timing = random.choice(("arrears", "advance"))
            key = f"{kind}-{interval}-{timing}"
            fee: dict[str, Any] = {"key": key, "interval": interval, "timing": timing}
            if kind == "fee":
                fee |= {"type": "flat_fee", "amount": random.choice(("365", "99.99")), "scope": self._scope(key)}
            elif kind == "agents":
                fee |= {"type": "agent", "pricing": self._units(), "scope": self._scope(key)}
                fee["discount"] = random.choice((None, {"from_quantity": "2", "percent": "15"}))
            else:
                fee |= {"type": "seat", "pricing": self._units(), "quantity": random.choice(("seats", "members", "3"))}
                fee["discount"] = random.choice((None, {"from_quantity": "5", "amount": "11"}))
            fees.append(fee)
        return fees

    def _commands(self) -> dict[str, Any]:
        random = self._random
        return {
            "key": "commands",
            "type": "activity",
            "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
            "pricing": self._units(),
            "scope": self._scope("commands"),
            "included_units": str(random.choice((0, 0, 2.5, 10))),
            "base_fee": random.choice((None, {"amount": "15.01", "per": "agent"}, {"amount": "7.77"})),
            "minimum": random.choice((None, "5.00", "41.13")),
            "maximum": random.choice((None, None, "55.55")),
        }

    def _usage(self) -> list[dict[str, Any]]:
        """Charges with every kind of meter and pricing."""
        random = self._random
        tokens = {"event_type": "llm_call", "aggregation": "sum", "value": "data.output_tokens"}
        sales = {"event_type": "sale", "aggregation": "sum", "value": "data.amount"}
        lead = {"pricing": self._units(), "minimum": "4.00", "included_units": "1"}
        charges: list[dict[str, Any]] = [
            self._activity("tokens", tokens | {"unit": {"divide_by": "1000"}}, self._units()),
            self._activity("peak", _meter("command", "max", "data.quantity"), self._units()),
            self._activity("level", _meter("llm_call", "last", "data.output_tokens"), self._units()),
            self._activity("users", _meter("command", "unique", "data.user"), self._units()),
            self._activity("stored", _meter("sale", "weighted_sum", "data.change"), self._units()),
            self._activity("sales", sales, self._values()),
            self._activity("resold", {"event_type": "sale"}, {"type": "dynamic", "value": "data.price"}),
            {
                "key": "won",
                "type": "outcome",
                "meter": {"event_type": "outcome.won"},
                "pricing": random.choice((self._units(), self._values())),
                "verification": "none",
                "minimum_value": random.choice((None, "5")),
                "risk_premium_percent": "7",
                "success_bonus": {"from_value": "60", "percent": "1"},
                "maximum": random.choice((None, "77.77")),
            },
            {
                "key": "flows",
                "type": "workflow",
                "workflows": {"lead": lead, "mail": {"pricing": self._units()}},
                "commitment": {"quantity": "9", "overage_multiplier": "1.5"},
            },
            {"key": "passed-on", "type": "cost", "categories": ["llm"], "markup_percent": "20"},
        ]
        return charges

    def _asked(self) -> dict[str, Any]:
        """A charge for outcomes that somebody has to verify."""
        random = self._random
        return {
            "key": "asked",
            "type": "outcome",
            "meter": {"event_type": "outcome.asked"},
            "pricing": random.choice((self._units(), self._values(), self._values())),
            "auto_verify": random.choice((None, None, {"minimum_value": "40"})),
            "minimum_value": random.choice((None, "5")),
            "scope": self._scope("asked"),
        }

    def _activity(self, key: str, meter: dict[str, Any], pricing: dict[str, Any]) -> dict[str, Any]:
        return {"key": key, "type": "activity", "meter": meter, "pricing": pricing, "scope": self._scope(key)}

    def _units(self) -> dict[str, Any]:
        """A random pricing of units."""
        tiers = [
            {"up_to": str(self._random.randint(3, 30)), "unit_amount": self._price(), "flat_amount": "0.3"},
            {"up_to": None, "unit_amount": self._price()},
        ]
        return self._random.choice(
            (
                {"type": "per_unit", "unit_amount": self._price()},
                {"type": "graduated", "tiers": tiers},
                {"type": "volume", "tiers": tiers},
                {"type": "package", "package_size": "4", "package_amount": self._price(), "free_units": "1"},
            )
        )

    def _values(self) -> dict[str, Any]:
        """A random pricing of the values of events."""
        random = self._random
        tiers = [{"up_to": "40", "rate": "5", "flat_amount": "0.3"}, {"up_to": None, "rate": "2.5"}]
        return random.choice(
            (
                {
                    "type": "percentage",
                    "rate": "5",
                    "fixed_per_event": self._price(),
                    "free_events": random.choice((0, 2, 5)),
                }
                | {"minimum_per_event": random.choice((None, "1")), "maximum_per_event": random.choice((None, "4"))},
                {"type": "percentage", "rate": "3", "free_amount": "25"},
                {"type": "graduated_percentage", "tiers": tiers, "fixed_per_event": "0.1"},
                {"type": "volume_percentage", "tiers": tiers},
            )
        )

    def _price(self) -> str:
        return str(self._random.choice(("0", "0.0375", "1.5", "2.333", "9.99", "30")))
