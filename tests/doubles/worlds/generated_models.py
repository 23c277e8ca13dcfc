"""Random charges, events and histories for laws: anything a model may say, and anything agents may report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.times import to_text
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.pricing.lines import Line
from shared.domain.provider_costs.costs import COST_TYPE
from shared.domain.rating.facts import Cycle, Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.rating.segments import first_starts
from shared.domain.usage.totals import Totals, contribution

Json = dict[str, Any]

OCTOBER = Period(
    start=datetime(2026, 9, 30, 22, tzinfo=UTC), end=datetime(2026, 10, 31, 23, tzinfo=UTC), timezone="Europe/Berlin"
)
"""With the end of daylight saving in it."""
YEAR = Period(
    start=datetime(2025, 12, 31, 23, tzinfo=UTC), end=datetime(2026, 12, 31, 23, tzinfo=UTC), timezone="Europe/Berlin"
)
AGENTS = ("a", "b", "c")
FLOW_TYPES = ("research", "email")
EVENT_TYPES = ("step", "outcome.sale", "cost.llm", "cost.tools", "workflow.research", "workflow.email", "other")


@dataclass(frozen=True)
class Reported:
    """An event as a gauge sees it."""

    agent: str
    type: str
    time: str
    key: str
    data: Json
    exchange_rate: Decimal | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def cost_category(self) -> str | None:
        return self.type.removeprefix(COST_TYPE) if self.type.startswith(COST_TYPE) else None

    @property
    def cost(self) -> Decimal | None:
        """Of events that report their costs, in the currency of the model."""
        return None if self.cost_category is None else Decimal(self.data["amount"])


@dataclass(frozen=True)
class Assignment:
    """An agent on a model while one of its versions, by its place among them, was in force."""

    agent: str
    version: int
    start: datetime
    end: datetime


def moment(part: int) -> datetime:
    """A thousandth of the month."""
    return OCTOBER.start + (OCTOBER.end - OCTOBER.start) * part / 1000


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
"""What a key keeps over the versions of its model."""


def _with_one_meter(found: list[Json]) -> list[Json]:
    """Other prices for the same thing: all that differs but for what a key keeps."""
    kept = {name: found[0][name] for name in _KEPT if name in found[0]}
    if found[0]["type"] == "activity" and any(
        each["pricing"]["type"] == "dynamic" or "percentage" in each["pricing"]["type"] for each in found
    ):
        kept["meter"] = {"event_type": "step", "aggregation": "sum", "value": "data.value"}
    return [{name: value for name, value in each.items() if name not in _KEPT} | kept for each in found]


def changed_charges(most: int = 3) -> st.SearchStrategy[list[Json]]:
    """One charge under the versions of its model, which differ in whatever they may."""
    kinds = [_activities(), _outcomes(), _workflows(), _costs(), _heads(), _fees_of("flat_fee"), _fees_of("setup_fee")]
    weighted = st.sampled_from([0, 0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 6])
    return (
        weighted.flatmap(lambda kind: st.lists(kinds[kind], min_size=2, max_size=most))
        .map(lambda found: [each for each in found if each["type"] == found[0]["type"]])
        .map(_with_one_meter)
    )


@st.composite
def assignments(draw: st.DrawFn, versions: int) -> list[Assignment]:
    """Agents that join, leave and return at any moment of the month, while the versions follow each other."""
    cuts = sorted(draw(st.lists(st.integers(1, 999), min_size=versions - 1, max_size=versions - 1, unique=True)))
    spans = list(pairwise([0, *cuts, 1000]))
    found = []
    for agent in AGENTS[: draw(st.integers(1, len(AGENTS)))]:
        turns = draw(st.sampled_from([[0, 1000]]) | st.lists(st.integers(0, 1000), min_size=2, max_size=4, unique=True))
        turns = sorted(turns)
        for joined, left in zip(turns[::2], turns[1::2], strict=False):
            for number, (start, end) in enumerate(spans):
                if max(start, joined) < min(end, left):
                    found.append(Assignment(agent, number, moment(max(start, joined)), moment(min(end, left))))
    return found


def segments_of(found: Iterable[Assignment], priced: Sequence[Json]) -> list[Segment]:
    """With the charge under each version."""
    versions = [version([{"key": "charge", **charge}], number) for number, charge in enumerate(priced, 1)]
    return [
        Segment(assignment.agent, versions[assignment.version], assignment.start, assignment.end)
        for assignment in found
    ]


def models(one: st.SearchStrategy[Json] | None = None, most: int = 4) -> st.SearchStrategy[list[Json]]:
    """Charges with keys of their own."""
    return st.lists(charges() if one is None else one, min_size=1, max_size=most).map(
        lambda found: [{"key": f"charge-{number}", **each} for number, each in enumerate(found)]
    )


def _data() -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(
        {
            "value": amounts(200),
            "amount": amounts(50),
            "quantity": amounts(9, places=1),
            "price": amounts(5),
            "change": st.integers(-5, 9).map(str),
            "user": st.sampled_from(["u1", "u2", "u3", "u4"]),
            "status": st.sampled_from(["ok", "bad", True, None]),
        }
    )


_ABOUT = {
    "activity": ("step",),
    "outcome": ("outcome.sale",),
    "workflow": ("workflow.research", "workflow.email"),
    "cost": ("cost.llm", "cost.tools"),
}


def events_for(charge: Json) -> st.SearchStrategy[list[Reported]]:
    """Hardly any others than those that it prices."""
    about = _ABOUT.get(charge["type"], ())
    return events(30, (*about, *about, "other"), least=8 if about else 0)


def events(most: int = 40, types: Sequence[str] = EVENT_TYPES, least: int = 0) -> st.SearchStrategy[list[Reported]]:
    time = st.integers(0, 999).map(moment)
    one = st.tuples(st.sampled_from(AGENTS), st.sampled_from(types), time, _data())
    return st.lists(one, min_size=least, max_size=most).map(
        lambda found: [
            Reported(agent, kind, to_text(time), f"evt_{number}", data)
            for number, (agent, kind, time, data) in enumerate(found)
        ]
    )


def version(found: Iterable[Json], number: int = 1, start: datetime = YEAR.start, model: str = "bm_1") -> Version:
    draft = BillingModelDraft.model_validate({"name": "A model", "currency": "USD", "charges": list(found)})
    return Version(id=f"{model}_v{number}", model_id=model, number=number, effective_from=start, charges=draft.charges)


def totals_of(found: Sequence[Segment], reported: Iterable[Reported]) -> dict[tuple[str, str], Totals]:
    """Each event counted under the version that was in force at its time."""
    totals: dict[tuple[str, str], Totals] = {}
    for event in reported:
        for segment in found:
            if segment.agent_id == event.agent and to_text(segment.start) <= event.time < to_text(segment.end):
                key = (event.agent, segment.version.id)
                totals.setdefault(key, Totals()).add(contribution(event, segment.version.charges, "USD"))
    return totals


HEADCOUNTS = {
    "members": History[int](entries=(Entry(effective_from=YEAR.start, value=3),)),
    "seats": History[int](
        entries=(
            Entry(effective_from=YEAR.start, value=5),
            Entry(effective_from=datetime(2026, 10, 12, 9, tzinfo=UTC), value=8),
        )
    ),
}


def lines_of(
    found: Sequence[Segment],
    totals: dict[tuple[str, str], Totals],
    currency: str = "USD",
) -> list[Line]:
    """What is due for October; quarter and year are the same cycle, which closes with it."""
    cycle = Cycle(OCTOBER, found, closes=OCTOBER.end)
    return rate(
        Facts(
            period=OCTOBER,
            currency=currency,
            segments=found,
            totals=totals,
            first_starts=first_starts(found),
            cycles={"quarter": cycle, "year": cycle},
            headcounts=HEADCOUNTS,
        )
    )


def whole_month(of: Version, agents: Iterable[str] = AGENTS) -> list[Segment]:
    return [Segment(agent, of, OCTOBER.start, OCTOBER.end) for agent in agents]


def exact(lines: Iterable[Line]) -> dict[str, Fraction]:
    return {line.key: Fraction(line.exact_amount) for line in lines}


def halfway() -> datetime:
    """A local midnight in the month."""
    return OCTOBER.start + timedelta(days=14)
