"""Who stands above whom in a trace, as far as its spans are known."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.ingestion.facts import SpanFacts
from shared.domain.ingestion.kinds import Kind

_MAXIMUM_ENCLOSING = 64
"""How many calls and sums around each other are looked at."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a span has above it, itself included."""

    agent: str | None = None
    """The nearest that is named."""
    conversation: str | None = None
    is_complete: bool = True
    """True when the chain of parents ends at a root."""
    missing: str = ""
    """The parent at which an incomplete chain breaks."""
    depth: int = 0
    around: str | None = None
    """For spans below: the nearest call or sum, this span included, not beyond a tool or another agent."""


@dataclass
class Tree:
    """The places of all spans, and the calls that lie inside calls and sums.

    The walks are iterative and visit each span once: chains may be long, and parents may go round in circles.
    """

    facts: Mapping[str, SpanFacts]
    places: dict[str, Place] = field(default_factory=dict)
    own_calls: dict[str, list[str]] = field(default_factory=dict)
    """Of a call or sum: the nearest calls with counts below it, not beyond a tool or another agent."""
    own_uncounted: dict[str, list[str]] = field(default_factory=dict)
    """The same of calls without counts."""

    def __post_init__(self) -> None:
        for span_id in self.facts:
            self._place(span_id)
        for span_id, facts in self.facts.items():
            if facts.kind is Kind.CALL:
                self.register(span_id)

    def enclosing(self, span_id: str) -> Iterator[str]:
        """The calls and sums around a span, the nearest first, within its agent and tool."""
        for _ in range(_MAXIMUM_ENCLOSING):
            facts = self.facts[span_id]
            above = self.places.get(facts.parent)
            if facts.kind is Kind.AGENT or above is None or above.around is None:
                return
            if self.places[above.around].depth >= self.places[span_id].depth:  # parents go round in a circle
                return
            span_id = above.around
            yield span_id

    def register(self, span_id: str) -> None:
        """Enter a call or a counted sum as an own call of what encloses it."""
        is_counted = self.facts[span_id].units is not None
        own = self.own_calls if is_counted else self.own_uncounted
        for around in self.enclosing(span_id):
            own.setdefault(around, []).append(span_id)
            facts = self.facts[around]
            if facts.kind is Kind.CALL and (facts.units is not None or not is_counted):
                return

    def _place(self, span_id: str) -> None:
        path: list[str] = []
        on_path: set[str] = set()
        while span_id in self.facts and span_id not in self.places and span_id not in on_path:
            path.append(span_id)
            on_path.add(span_id)
            span_id = self.facts[span_id].parent
        if not span_id:
            above = Place()
        elif span_id in on_path:
            above = Place(is_complete=False, missing=span_id)
        else:
            above = self.places.get(span_id) or Place(is_complete=False, missing=span_id)
        for below in reversed(path):
            above = self._below(above, self.facts[below])
            self.places[below] = above

    def _below(self, above: Place, facts: SpanFacts) -> Place:
        if facts.kind is Kind.CALL or facts.is_sum:
            around: str | None = facts.id
        elif facts.kind in {Kind.TOOL, Kind.AGENT}:
            around = None
        else:
            around = above.around
        return Place(
            facts.agent or above.agent,
            facts.conversation or above.conversation,
            above.is_complete,
            above.missing,
            above.depth + 1,
            around,
        )
