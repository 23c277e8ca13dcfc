"""A month over every type of charge at once, against a second computation.

That computation knows nothing of the first.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from pydantic import TypeAdapter

from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.pricing.charges import AnyCharge
from shared.domain.rating.facts import Cycle, Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import first_starts
from shared.domain.usage.totals import Totals, contribution
from tests.doubles.worlds.generated_usage import Reported

Json = dict[str, Any]

OCTOBER = Period(start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC), timezone="UTC")
QUARTER = Period(start=OCTOBER.start, end=datetime(2027, 1, 1, tzinfo=UTC), timezone="UTC")
YEAR = Period(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC), timezone="UTC")
AGENTS = ("a1", "a2", "a3")
LATE = datetime(2026, 10, 11, tzinfo=UTC)
"""When the third agent joined."""
SEATS = History[int](
    entries=(
        Entry(effective_from=YEAR.start, value=4),
        Entry(effective_from=datetime(2026, 10, 21, 12, tzinfo=UTC), value=7),
    )
)
PLACES = {"USD": 2, "JPY": 0, "KWD": 3}
SCALE = {"USD": Fraction(1), "JPY": Fraction(150), "KWD": Fraction(3, 10)}
"""What an amount in dollars is about in each currency, so that the figures look like its own."""


KINDS = (
    *("command", "command", "memory", "call", "other"),
    *("outcome.sale", "cost.llm", "cost.api", "workflow.research", "workflow.email"),
)


def model(currency: str) -> list[Json]:
    def money(dollars: str) -> str:
        return f"{Decimal(dollars) * SCALE[currency].numerator / SCALE[currency].denominator:f}"

    return [
        {"key": "platform", "type": "flat_fee", "amount": money("499.99")},
        {"key": "support", "type": "flat_fee", "amount": money("1200"), "interval": "quarter", "timing": "advance"},
        {"key": "setup", "type": "setup_fee", "amount": money("1500.50")},
        {
            "key": "seats",
            "type": "seat",
            "quantity": "seats",
            "pricing": {"type": "per_unit", "unit_amount": money("12.35")},
        },
        {
            "key": "agents",
            "type": "agent",
            "pricing": {
                "type": "graduated",
                "tiers": [
                    {"up_to": "2", "unit_amount": money("29.99")},
                    {"up_to": None, "unit_amount": money("19.99")},
                ],
            },
            "discount": {"from_quantity": "3", "percent": "15"},
        },
        {
            "key": "commands",
            "type": "activity",
            "meter": {
                "event_type": "command",
                "aggregation": "sum",
                "value": "data.quantity",
                "filter": {"data.status": ["ok"]},
            },
            "pricing": {
                "type": "graduated",
                "tiers": [
                    {"up_to": "100", "unit_amount": money("0.07"), "flat_amount": money("1")},
                    {"up_to": None, "unit_amount": money("0.03")},
                ],
            },
            "base_fee": {"amount": money("15"), "per": "agent"},
            "included_units": "10",
            "minimum": money("20"),
        },
        {
            "key": "users",
            "type": "activity",
            "scope": "organization",
            "meter": {"event_type": "command", "aggregation": "unique", "value": "data.user"},
            "pricing": {
                "type": "volume",
                "tiers": [
                    {"up_to": "5", "unit_amount": money("3")},
                    {"up_to": None, "unit_amount": money("2.11"), "flat_amount": money("4")},
                ],
            },
        },
        {
            "key": "memory",
            "type": "activity",
            "meter": {"event_type": "memory", "aggregation": "weighted_sum", "value": "data.change"},
            "pricing": {"type": "per_unit", "unit_amount": money("0.77")},
        },
        {
            "key": "peak",
            "type": "activity",
            "scope": "organization",
            "meter": {"event_type": "command", "aggregation": "max", "value": "data.quantity"},
            "pricing": {"type": "package", "package_size": "4", "package_amount": money("2.50"), "free_units": "1"},
        },
        {
            "key": "minutes",
            "type": "activity",
            "scope": "organization",
            "meter": {"event_type": "call"},
            "pricing": {"type": "dynamic", "value": "data.price"},
            "maximum": money("60"),
        },
        {
            "key": "sales",
            "type": "outcome",
            "meter": {"event_type": "outcome.sale"},
            "base_fee": {"amount": money("50"), "per": "charge"},
            "pricing": {
                "type": "percentage",
                "rate": "5",
                "fixed_per_event": money("0.30"),
                "free_events": 2,
                "minimum_per_event": money("1"),
                "maximum_per_event": money("20"),
            },
            "verification": "none",
            "minimum_value": money("10"),
            "risk_premium_percent": "40",
            "success_bonus": {"from_value": money("500"), "percent": "1"},
            "maximum": money("400"),
        },
        {
            "key": "flows",
            "type": "workflow",
            "base_fee": {"amount": money("100"), "per": "charge"},
            "workflows": {
                "research": {
                    "pricing": {"type": "per_unit", "unit_amount": money("2")},
                    "minimum": money("60"),
                    "included_units": "5",
                },
                "email": {
                    "pricing": {
                        "type": "volume",
                        "tiers": [
                            {"up_to": "10", "unit_amount": money("0.50")},
                            {"up_to": None, "unit_amount": money("0.33")},
                        ],
                    }
                },
            },
            "commitment": {"quantity": "30", "overage_multiplier": "1.5"},
            "discount": {"from_quantity": "40", "percent": "10"},
        },
        {
            "key": "llm",
            "type": "cost",
            "categories": ["llm"],
            "markup_percent": "20",
            "base_fee": {"amount": money("1")},
        },
    ]


def reported(currency: str, seed: int) -> list[Reported]:
    random = Random(seed)
    scale = float(SCALE[currency])
    events = []
    for number in range(400):
        agent = random.choice(AGENTS)
        start = LATE if agent == "a3" else OCTOBER.start
        time = start + timedelta(seconds=random.randrange(int((OCTOBER.end - start).total_seconds())))
        kind = random.choice(KINDS)
        data = {
            "quantity": str(random.randint(1, 9)),
            "status": random.choice(["ok", "ok", "failed"]),
            "user": f"u{random.randint(1, 9)}",
            "change": str(random.randint(-3, 6)),
            "price": f"{random.randint(0, 300) * scale / 100:.3f}",
            "value": f"{random.randint(100, 50000) * scale / 100:.2f}",
            "amount": f"{random.randint(1, 900) * scale / 1000:.4f}",
        }
        if kind.startswith("workflow"):
            data["quantity"] = "1"
        events.append(Reported(agent, kind, to_text(time), f"evt_{number:04d}", data))
    return events


# The second computation: over the list of events, in plain arithmetic


def expected(currency: str, events: Sequence[Reported]) -> dict[str, Fraction]:
    scale = SCALE[currency]

    def money(dollars: str) -> Fraction:
        return Fraction(dollars) * scale

    def of(kind: str, agent: str | None = None) -> list[Reported]:
        return [event for event in events if event.type == kind and agent in (None, event.agent)]

    def numbers(found: Sequence[Reported], name: str) -> list[Fraction]:
        return [Fraction(event.data[name]) for event in found]

    share_of_third = Fraction(21, 31)
    due = {
        "platform/-": money("499.99"),
        "support/-": money("1200"),
        "setup/-": money("1500.50"),
        # Four seats for the first 20 days, seven from the 21st on.
        "seats/-": (4 * 20 + 7 * 11) * money("12.35") / 31,
        # Two agents for the first 10 days, without discount, and three from the 11th on.
        "agents/-": (
            2 * money("29.99") * (1 - share_of_third)
            + (2 * money("29.99") + money("19.99")) * Fraction(85, 100) * share_of_third
        ),
    }
    for agent in AGENTS:
        share = share_of_third if agent == "a3" else Fraction(1)
        commands = [event for event in of("command", agent) if event.data["status"] == "ok"]
        used = max(Fraction(0), sum(numbers(commands, "quantity")) - 10 * share)
        price = money("1") + min(used, 100) * money("0.07") + max(Fraction(0), used - 100) * money("0.03")
        due[f"commands/{agent}"] = max(price + money("15") * share, money("20") * share)
        length = (OCTOBER.end - OCTOBER.start) // timedelta(microseconds=1)
        level = Fraction(0)
        for event in of("memory", agent):
            left = (OCTOBER.end - datetime.fromisoformat(event.time)) // timedelta(microseconds=1)
            level += Fraction(event.data["change"]) * left / length
        due[f"memory/{agent}"] = max(Fraction(0), level) * money("0.77")
        costs = sum(numbers(of("cost.llm", agent), "amount"))
        due[f"llm/{agent}"] = costs * Fraction(6, 5) + money("1") * share
    users = len({event.data["user"] for event in of("command")})
    due["users/-"] = users * money("3") if users <= 5 else users * money("2.11") + money("4")
    peak = max(numbers(of("command"), "quantity"))
    due["peak/-"] = math.ceil((peak - 1) / 4) * money("2.50")
    due["minutes/-"] = min(sum(numbers(of("call"), "price")), money("60"))
    due["sales/-"] = money("50") + min(_sales(money, of("outcome.sale")), money("350"))
    due["flows/-"] = _flows(money, len(of("workflow.research")), len(of("workflow.email")))
    return due


def _sales(money: Any, found: Sequence[Reported]) -> Fraction:
    counted = [event for event in found if Fraction(event.data["value"]) >= money("10")]
    ordered = sorted(counted, key=lambda event: (event.time, event.key))
    values = [Fraction(event.data["value"]) for event in ordered]
    paid = [min(max(value / 20 + money("0.30"), money("1")), money("20")) for value in values[2:]]
    bonus = sum(values) / 100 if sum(values) >= money("500") else 0
    return sum(paid) * Fraction(14, 10) + bonus


def _flows(money: Any, research: int, email: int) -> Fraction:
    of_research = max(max(0, research - 5) * money("2"), money("60")) if research else Fraction(0)
    of_email = email * (money("0.50") if email <= 10 else money("0.33"))
    used = (of_research + of_email) * (Fraction(3, 2) if research + email > 30 else 1)
    return (used + money("100")) * (Fraction(9, 10) if research + email >= 40 else 1)


def half_up(value: Fraction, places: int) -> Decimal:
    exact = Decimal(value.numerator * 10**30 // value.denominator).scaleb(-30)  # far below a tie of these figures
    return exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def facts(currency: str, events: Sequence[Reported]) -> Facts:
    draft = BillingModelDraft.model_validate({"name": "All", "currency": currency, "charges": model(currency)})
    version = Version(id="bmv_1", model_id="bm_1", number=1, effective_from=YEAR.start, charges=draft.charges)
    found = [Segment(agent, version, LATE if agent == "a3" else OCTOBER.start, OCTOBER.end) for agent in AGENTS]
    through = [Segment(agent, version, LATE if agent == "a3" else OCTOBER.start, QUARTER.end) for agent in AGENTS]
    totals: dict[tuple[str, str], Totals] = {}
    for event in events:
        totals.setdefault((event.agent, version.id), Totals()).add(contribution(event, version.charges, currency))
    return Facts(
        period=OCTOBER,
        currency=currency,
        segments=found,
        totals=totals,
        first_starts=first_starts(found),
        cycles={
            "quarter": Cycle(QUARTER, through, closes=QUARTER.end),
            "year": Cycle(YEAR, through, closes=YEAR.end),
        },
        headcounts={"seats": SEATS},
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD"])
def test_every_line_is_what_a_second_computation_says(currency, seed):
    events = reported(currency, seed)
    lines = {line.key.removeprefix("bm_1/"): line for line in rate(facts(currency, events))}
    due = expected(currency, events)
    assert {key: line.amount for key, line in lines.items()} == {
        key: half_up(amount, PLACES[currency]) for key, amount in due.items()
    }
    for key, line in lines.items():
        assert abs(Fraction(line.exact_amount) - due[key]) < Fraction(1, 10**12)


def test_the_month_has_a_charge_of_every_type_that_there_is():
    known = set(TypeAdapter(AnyCharge).json_schema()["discriminator"]["mapping"])
    assert {charge["type"] for charge in model("USD")} == known
