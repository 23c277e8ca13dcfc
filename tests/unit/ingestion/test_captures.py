"""What 43 sequences of requests from .NET and JavaScript libraries count as, however they are cut and repeated."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

from shared.domain.ingestion.calls import WarningCode
from tests.doubles.worlds.otlp_captures import Sequence, sequences
from tests.doubles.worlds.sent_traces import SentTraces, described

SEQUENCES = sequences()
REPORTED_TWICE = ("js/oa_agents_both", "js/oi_anthropic", "js/oi_langgraph_both")
"""Two libraries report each call, in traces of their own: only a request that has both spans shows it."""

of_every_sequence = pytest.mark.parametrize("sequence", SEQUENCES, ids=[sequence.name for sequence in SEQUENCES])
of_other_sequences = pytest.mark.parametrize(
    "sequence",
    [sequence for sequence in SEQUENCES if sequence.name not in REPORTED_TWICE],
    ids=lambda sequence: sequence.name,
)


def counted(calls: Iterable[Mapping[str, object]]) -> Counter[tuple[tuple[str, object], ...]]:
    return Counter(tuple(sorted(call.items())) for call in calls)


def assert_as_expected(sequence: Sequence, sent: SentTraces) -> None:
    assert counted(described(call) for call in sent.calls) == counted(sequence.calls)


def tokens_of(sequence: Sequence) -> tuple[int, int]:
    return (
        sum(call.get("input", 0) for call in sequence.calls),
        sum(call.get("output", 0) for call in sequence.calls),
    )


def test_all_sequences_are_here():
    assert len(SEQUENCES) == 43


@of_every_sequence
def test_as_it_was_sent(sequence: Sequence):
    assert_as_expected(sequence, SentTraces().send_all(sequence.requests))


@of_every_sequence
def test_posted_twice(sequence: Sequence):
    assert_as_expected(sequence, SentTraces().send_all([*sequence.requests, *sequence.requests]))


@of_every_sequence
def test_each_request_posted_again_at_once(sequence: Sequence):
    requests = [request for one in sequence.requests for request in (one, one)]
    assert_as_expected(sequence, SentTraces().send_all(requests))


@of_every_sequence
def test_requests_reversed(sequence: Sequence):
    assert_as_expected(sequence, SentTraces().send_all(reversed(sequence.requests)))


@pytest.mark.parametrize("seed", range(3))
@of_every_sequence
def test_spans_shuffled_within_a_request(sequence: Sequence, seed: int):
    shuffled = random.Random(seed)
    requests = [shuffled.sample(request, len(request)) for request in sequence.requests]
    assert_as_expected(sequence, SentTraces().send_all(requests))


@of_other_sequences
def test_one_span_a_request_as_they_ended(sequence: Sequence):
    by_end = sorted(sequence.spans, key=lambda span: span.end)
    assert_as_expected(sequence, SentTraces().send_all([span] for span in by_end))


@of_other_sequences
def test_one_span_a_request_as_they_began(sequence: Sequence):
    """Sums may stand for their calls, and units that only a later span knew are missing; the tokens are the same."""
    by_start = sorted(sequence.spans, key=lambda span: span.start)
    sent = SentTraces().send_all([span] for span in by_start)
    assert sent.tokens == tokens_of(sequence)
    if sequence.name == "dotnet/anthropic_dotnet_both":  # only the inner span knows what was written to the cache
        assert WarningCode.LATE_UNITS in sent.codes
    else:
        assert_as_expected(sequence, sent)


@pytest.mark.parametrize("name", REPORTED_TWICE)
def test_one_span_a_request_may_count_what_is_reported_twice_twice(name: str):
    sequence = next(sequence for sequence in SEQUENCES if sequence.name == name)
    by_end = sorted(sequence.spans, key=lambda span: span.end)
    sent = SentTraces().send_all([span] for span in by_end)
    assert tokens_of(sequence) <= sent.tokens <= tuple(2 * tokens for tokens in tokens_of(sequence))


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("dotnet/agents_ai_agent_only_no_autowire", {WarningCode.SUM_WITHOUT_CALLS}),
        ("dotnet/semantic_kernel", {WarningCode.NO_COUNT}),
        ("js/oi_openai_long", {WarningCode.NO_COUNT, WarningCode.ATTRIBUTES_DROPPED}),
        ("js/tl_openai", {WarningCode.NO_COUNT, WarningCode.ESTIMATE, WarningCode.CACHE_NOT_TOLD}),
        ("js/ai6_nested", set()),
        ("js/oa_agents_both", set()),
        ("dotnet/agents_ai", set()),
    ],
)
def test_warnings(name: str, codes: set[WarningCode]):
    sequence = next(sequence for sequence in SEQUENCES if sequence.name == name)
    assert SentTraces().send_all(sequence.requests).codes == codes
