"""Random traces of nested agents and tools, cut into requests of which some are lost and sent again."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.domain.ingestion.calls import LlmCall
from shared.domain.ingestion.spans import Span
from shared.domain.ingestion.taking import TakeSettings
from tests.doubles.worlds.random_traces import RandomTrace, cut_by_end, random_trace
from tests.doubles.worlds.sent_traces import SentTraces

SEEDS = st.integers(0, 2**32)
EXAMPLES = settings(max_examples=60, deadline=None)
DEFAULT_AGENTS = st.sampled_from([None, "the-default"])


def true_tokens(trace: RandomTrace) -> tuple[int, int]:
    counts = [call.counts for call in (*trace.calls, *trace.sums)]
    return sum(one.input for one in counts), sum(one.output for one in counts)


def by_agent(calls: Iterable[LlmCall]) -> Counter[tuple[str, str]]:
    tokens: Counter[tuple[str, str]] = Counter()
    for call in calls:
        tokens[call.agent, "input"] += call.data["input_tokens"]
        tokens[call.agent, "output"] += call.data["output_tokens"]
    return tokens


def true_by_agent(trace: RandomTrace) -> Counter[tuple[str, str]]:
    tokens: Counter[tuple[str, str]] = Counter()
    for call in (*trace.calls, *trace.sums):
        tokens[call.agent, "input"] += call.counts.input
        tokens[call.agent, "output"] += call.counts.output
    return tokens


def lost_and_sent_again(trace: RandomTrace, seed: int) -> tuple[list[list[Span]], list[list[Span]]]:
    """The requests that arrive, and a tenth that is lost at first."""
    random = Random(seed + 1)
    requests = cut_by_end(trace, random)
    is_lost = [random.random() < 0.1 for _ in requests]
    return (
        [request for request, lost in zip(requests, is_lost, strict=True) if not lost],
        [request for request, lost in zip(requests, is_lost, strict=True) if lost],
    )


@EXAMPLES
@given(SEEDS)
def test_every_call_is_counted_once_as_it_was(seed: int):
    """Each with its own counts: sums stand for calls only where calls are lost."""
    trace = random_trace(seed, only_with_calls=True)
    sent = SentTraces().send_all(cut_by_end(trace, Random(seed)))
    counted = Counter(
        (call.agent, call.data["input_tokens"], call.data.get("cached_input_tokens", 0), call.data["output_tokens"])
        for call in sent.calls
    )
    assert counted == Counter(
        (call.agent, call.counts.input, call.counts.cached, call.counts.output) for call in trace.calls
    )


@EXAMPLES
@given(SEEDS, DEFAULT_AGENTS)
@example(1158466, None)
def test_totals_are_exact_when_a_tenth_comes_after_the_wait(seed: int, default_agent: str | None):
    trace = random_trace(seed)
    arriving, late = lost_and_sent_again(trace, seed)
    sent = SentTraces(TakeSettings(default_agent=default_agent))
    for request in arriving:
        sent.send(request)
    sent.pass_time(timedelta(seconds=400))
    assert sent.send_all(late).tokens == true_tokens(trace)


@EXAMPLES
@given(SEEDS)
def test_agents_are_right_when_their_spans_come_within_the_wait(seed: int):
    trace = random_trace(seed)
    arriving, late = lost_and_sent_again(trace, seed)
    sent = SentTraces(TakeSettings(agent_wait=timedelta(seconds=3600)))
    sent.send_all([*arriving, *late])
    assert by_agent(sent.calls) == true_by_agent(trace)


@EXAMPLES
@given(SEEDS, st.integers(1, 5))
def test_what_is_sent_again_is_counted_once(seed: int, repeats: int):
    trace = random_trace(seed)
    random = Random(seed)
    requests = cut_by_end(trace, random)
    again = [random.choice(requests) for _ in range(repeats)]
    assert SentTraces().send_all([*requests, *again, *requests]).tokens == true_tokens(trace)


@EXAMPLES
@given(SEEDS, st.sampled_from([1, 3, 10]), DEFAULT_AGENTS)
def test_the_tokens_are_the_same_in_any_order(seed: int, size: int, default_agent: str | None):
    trace = random_trace(seed)
    spans = list(trace.spans)
    Random(seed).shuffle(spans)
    requests = [spans[start : start + size] for start in range(0, len(spans), size)]
    sent = SentTraces(TakeSettings(default_agent=default_agent))
    assert sent.send_all(requests).tokens == true_tokens(trace)
