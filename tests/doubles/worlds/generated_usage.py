"""Generated agents, events and totals of a month, and the lines that they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from tests.doubles.worlds.generated_pricings import amounts

Json = dict[str, Any]
OCTOBER = Period(
    start=datetime(2026, 9, 30, 22, tzinfo=UTC), end=datetime(2026, 10, 31, 23, tzinfo=UTC), timezone="Europe/Berlin"
)
"""October in Berlin, in which daylight saving ends."""
YEAR = Period(
    start=datetime(2025, 12, 31, 23, tzinfo=UTC), end=datetime(2026, 12, 31, 23, tzinfo=UTC), timezone="Europe/Berlin"
)
AGENTS = ("a", "b", "c")
EVENT_TYPES = ("step", "outcome.sale", "cost.llm", "cost.tools", "workflow.research", "workflow.email", "other")


@dataclass(frozen=True)
class Reported:
    """An event as gauges read it."""

    agent: str
    type: str
    time: str
    key: str
    data: Json
    exchange_rate: Decimal | None = None
    amounts: Mapping[str, Decimal] = field(default_factory=dict)
    returned_at: str | None = None

    @property
    def cost_category(self) -> str | None:
        return self.type.removeprefix(COST_TYPE) if self.type.startswith(COST_TYPE) else None

    @property
    def cost(self) -> Decimal | None:
        """The cost that the event reports, in the model's currency."""
        return None if self.cost_category is None else Decimal(self.data["amount"])


@dataclass(frozen=True)
class Assignment:
    """An agent on a model while one of its versions was in force.

    The version is given by its place among them.
    """

    agent: str
    version: int
    start: datetime
    end: datetime


def moment(part: int) -> datetime:
    """A moment of the month in thousandths."""
    return OCTOBER.start + (OCTOBER.end - OCTOBER.start) * part / 1000


@st.composite
def assignments(draw: st.DrawFn, versions: int) -> list[Assignment]:
    """Agents that join, leave and return while versions follow each other.

    They may do so at any moment of the month.
    """
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
    """Segments for the assignments, priced by the charge under each version."""
    versions = [version([{"key": "charge", **charge}], number) for number, charge in enumerate(priced, 1)]
    return [
        Segment(assignment.agent, versions[assignment.version], assignment.start, assignment.end)
        for assignment in found
    ]


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
    """Events of which most are priced by the charge."""
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
    """Totals by agent and version; each event counts under the version in force at its time."""
    totals: dict[tuple[str, str], Totals] = {}
    for event in reported:
        for segment in found:
            if segment.agent_id == event.agent and to_text(segment.start) <= event.time < to_text(segment.end):
                key = (event.agent, segment.version.id)
                seen = replace(event, returned_at=_returned_at(found, segment))
                totals.setdefault(key, Totals()).add(contribution(seen, segment.version.charges, "USD"))
    return totals


def _returned_at(found: Sequence[Segment], segment: Segment) -> str | None:
    """When the agent last came back to the model of this segment; None if it never left."""
    until = sorted(
        (
            each
            for each in found
            if (each.agent_id, each.version.model_id) == (segment.agent_id, segment.version.model_id)
            and each.start <= segment.start
        ),
        key=lambda each: each.start,
    )
    returns = [to_text(later.start) for earlier, later in pairwise(until) if earlier.end < later.start]
    return returns[-1] if returns else None


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
    """What is due for October.

    Quarter and year are the same cycle, which closes with it.
    """
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
    """A local midnight in the middle of the month."""
    return OCTOBER.start + timedelta(days=14)
