"""A service in small: what becomes of requests with spans, with every trace's memory stored between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.domain.ingestion.calls import LlmCall, TraceWarning, WarningCode
from shared.domain.ingestion.doubles import without_known_doubles
from shared.domain.ingestion.facts import facts_of
from shared.domain.ingestion.memory import TraceMemory
from shared.domain.ingestion.spans import Span
from shared.domain.ingestion.taking import Taken, TakeSettings, by_trace, take

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@dataclass
class SentTraces:
    """Takes requests, five seconds apart, and meters each event's id once, as the event store does."""

    settings: TakeSettings = field(default_factory=TakeSettings)
    now: datetime = NOON
    memories: dict[str, TraceMemory] = field(default_factory=dict)
    events: dict[str, LlmCall] = field(default_factory=dict)
    warnings: list[TraceWarning] = field(default_factory=list)

    def send(self, spans: Sequence[Span]) -> None:
        facts = without_known_doubles([facts_of(span) for span in spans])
        self.warnings += facts.warnings
        for trace, of_trace in by_trace(facts.facts).items():
            memory = self.memories.get(trace, TraceMemory(trace))
            self._store(take(memory, of_trace, self.now, self.settings))
        self.pass_time(timedelta(seconds=5))

    def pass_time(self, duration: timedelta) -> None:
        self.now += duration
        for memory in list(self.memories.values()):
            if memory.wake is not None and memory.wake <= self.now:
                self._store(take(memory, (), self.now, TakeSettings()))

    def send_all(self, requests: Iterable[Sequence[Span]]) -> "SentTraces":
        """Send these, and wait until nothing waits."""
        for request in requests:
            self.send(request)
        self.pass_time(timedelta(hours=1))
        assert [memory for memory in self.memories.values() if memory.wake is not None] == []
        return self

    @property
    def calls(self) -> list[LlmCall]:
        return list(self.events.values())

    @property
    def codes(self) -> set[WarningCode]:
        return {warning.code for warning in self.warnings}

    @property
    def tokens(self) -> tuple[int, int]:
        """Input and output of all calls together."""
        data = [call.data for call in self.calls if call.is_counted]
        return sum(one["input_tokens"] for one in data), sum(one["output_tokens"] for one in data)

    def _store(self, taken: Taken) -> None:
        stored = taken.memory.encoded()
        assert len(stored.encode()) < 900_000
        self.memories[taken.memory.trace] = TraceMemory.decoded(stored)
        self.warnings += taken.warnings
        for call in taken.calls:
            self.events.setdefault(call.id, call)


def described(call: LlmCall) -> dict[str, object]:
    """A call in the words of the captures' expectations."""
    names = {
        "input_tokens": "input",
        "output_tokens": "output",
        "cached_input_tokens": "cached",
        "cache_write_tokens": "written",
        "cache_write_1h_tokens": "written_1h",
        "reasoning_tokens": "reasoning",
    }
    counts = {word: call.data[name] for name, word in names.items() if call.data.get(name)}
    return {"model": call.data.get("model"), "agent": call.agent, "counted": call.is_counted} | counts
