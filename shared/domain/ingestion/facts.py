"""What is remembered of a span: its place in the trace, and what it says about calls of models."""

from typing import Any

import msgspec

from shared.domain.ingestion import names
from shared.domain.ingestion.kinds import Kind, kind_of
from shared.domain.ingestion.libraries import CONVENTIONS, library_of
from shared.domain.ingestion.models import provider_named, same_model
from shared.domain.ingestion.spans import Span
from shared.domain.ingestion.units import Units, units_of

UNKNOWN_SERVICE = "unknown_service"
"""Stands for a resource without `service.name`, as OpenTelemetry's SDKs name it."""

_RESPONSE_OF_OPENAI = "resp_"
"""Begins ids of responses, which some clients send as the conversation's."""


_STORED = {
    "id": "i",
    "parent": "p",
    "kind": "k",
    "start": "s",
    "end": "e",
    "agent": "a",
    "conversation": "c",
    "units": "u",
    "response": "r",
    "provider": "v",
    "asked": "q",
    "answered": "m",
    "tier": "t",
    "library": "l",
    "service": "n",
}
"""Short names in a stored memory, which has thousands of spans."""


class SpanFacts(msgspec.Struct, frozen=True, omit_defaults=True, rename=_STORED):
    """A span in the terms of this product. Without prompts, answers, or any other attribute."""

    id: str
    parent: str = ""
    """Empty for a root."""
    kind: Kind = Kind.OTHER
    start: int = 0
    """Microseconds since 1970, as `end`."""
    end: int = 0
    agent: str | None = None
    """That this span itself names."""
    conversation: str | None = None
    """Of a conversation or session; never the id of a response."""
    units: Units | None = None
    """Of calls and containers; None where the span has no count."""
    response: str | None = None
    """The provider's id of its answer."""
    provider: str | None = None
    asked: str | None = None
    """The model that was asked for."""
    answered: str | None = None
    """The model that answered."""
    tier: str | None = None
    failed: bool = False
    dropped: int = 0
    """Attributes that the sender left out."""
    is_estimate: bool = False
    """Its counts may be the library's own estimate."""
    hides_cache: bool = False
    """Its library does not say which tokens were cached, though some may have been."""
    is_doubled: bool = False
    """The same call is known by another span, which has what this one says."""
    is_unseen: bool = False
    """A call of a library that never counts such calls: warned of, not kept."""
    library: str = ""
    service: str = ""

    @property
    def is_counted_call(self) -> bool:
        return self.kind is Kind.CALL and self.units is not None

    @property
    def is_uncounted_call(self) -> bool:
        return self.kind is Kind.CALL and self.units is None

    @property
    def is_sum(self) -> bool:
        return self.units is not None and self.kind in {Kind.CONTAINER, Kind.AGENT}

    @property
    def is_named(self) -> bool:
        """True when it names an agent or a conversation, for itself and what lies below it."""
        return self.agent is not None or self.conversation is not None

    @property
    def models(self) -> tuple[str | None, ...]:
        return (self.asked, self.answered)

    @property
    def answer(self) -> str | None:
        """The provider and the id of its answer."""
        return f"{self.provider or '-'}:{self.response}" if self.response is not None else None

    def data_with(self, units: Units | None) -> dict[str, Any]:
        """The `data` of an `llm_call` event of this call."""
        about = (("model", self.answered or self.asked), ("provider", self.provider), ("service_tier", self.tier))
        data: dict[str, Any] = {name: value for name, value in about if value is not None}
        return data if units is None else data | units.data()

    @property
    def order(self) -> tuple[int, int, str]:
        """Of the spans of one call, the one that began first is believed first."""
        return (self.start, self.end, self.id)

    def covers(self, other: "SpanFacts") -> bool:
        """True when what the other says may be a part of what this one says."""
        return self.units is not None and other.units is not None and self.units.covers(other.units)

    def knows_more_than(self, other: "SpanFacts") -> bool:
        """True when this span has counts, an answering model or a tier that the other lacks."""
        if self.units is not None and (other.units is None or self.units.knows_more_than(other.units)):
            return True
        return (self.answered is not None and other.answered is None) or (self.tier is not None and other.tier is None)

    def same_model(self, other: "SpanFacts") -> bool:
        return same_model(self.models, other.models)

    def with_knowledge_of(self, other: "SpanFacts") -> "SpanFacts":
        """This span's place, with what both say about the call. Whichever began first is believed first."""
        first, second = sorted((self, other), key=lambda facts: facts.order)
        units = self.units
        if units is not None and other.units is not None:
            units = units.with_details_of(other.units)
        return msgspec.structs.replace(
            self,
            units=units or other.units,
            response=first.response or second.response,
            provider=first.provider or second.provider,
            asked=first.asked or second.asked,
            answered=first.answered or second.answered,
            tier=first.tier or second.tier,
            is_estimate=self.is_estimate and other.is_estimate,
            hides_cache=self.hides_cache and other.hides_cache,
        )


class PlacedFacts(msgspec.Struct, frozen=True):
    """A span's facts with the trace that it belongs to."""

    trace: str
    facts: SpanFacts


def facts_of(span: Span) -> PlacedFacts:
    """Read a span by the row of its library."""
    library = library_of(span)
    kind = kind_of(span)
    agent = library.agent(span, kind)
    conversation = span.text(*names.CONVERSATION)
    if conversation is not None and conversation.startswith(_RESPONSE_OF_OPENAI):
        conversation = None
    facts = SpanFacts(span.span_id, span.parent_id, kind, span.start, span.end, agent=agent, conversation=conversation)
    service = span.service or UNKNOWN_SERVICE
    if kind in {Kind.TOOL, Kind.OTHER, Kind.LEAF}:
        if span.dropped_attributes and kind is Kind.OTHER and library is not CONVENTIONS:
            facts = msgspec.structs.replace(facts, dropped=span.dropped_attributes, library=span.scope, service=service)
        return PlacedFacts(span.trace_id, facts)
    units = units_of(
        library.counts(span, kind),
        without_cache=library.input_without_cache(span),
        without_reasoning=library.output_without_reasoning(span),
    )
    if units is not None and units.is_nothing:
        units = None
    is_unseen = kind is Kind.CALL and units is None and library.unseen_without_counts(span)
    if is_unseen:
        kind = Kind.CONTAINER
    facts = msgspec.structs.replace(
        facts,
        kind=kind,
        units=units,
        response=library.response_id(span),
        provider=provider_named(span.text(*names.PROVIDER) or library.provider(span)),
        asked=span.text(*names.ASKED_MODEL) or library.model(span),
        answered=span.text(*names.ANSWERED_MODEL),
        tier=library.tier(span),
        failed=span.failed,
        dropped=span.dropped_attributes,
        is_estimate=library.may_estimate(span) and units is not None,
        hides_cache=units is not None and library.hides_cache(span),
        is_unseen=is_unseen,
        library=span.scope,
        service=service,
    )
    return PlacedFacts(span.trace_id, facts)
