"""Spans with any parents, kinds and counts: nothing fails, nothing is made up, and repeating changes nothing."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.ingestion.facts import facts_of
from shared.domain.ingestion.spans import Span
from shared.domain.ingestion.taking import TakeSettings
from tests.doubles.worlds.plain_spans import agent_run, call, of, span, tool
from tests.doubles.worlds.sent_traces import SentTraces

TRACES = ("a" * 32, "b" * 32)
SCOPES = ("plain", "@arizeai/openinference-instrumentation-langchain", "@arizeai/openinference-instrumentation-openai")
EXAMPLES = settings(max_examples=200, deadline=None)


def arbitrary_spans(seed: int) -> list[Span]:
    random = Random(seed)
    names = [f"{number:04}" for number in range(random.randint(1, 14))]
    spans = []
    for name in names:
        parent = random.choice(["", "lost", *names])
        times = {"begins": random.random(), "lasts": random.random()}
        tokens = random.choice([None, (0, 0), (100, 10), (200, 20), (random.randint(0, 300), random.randint(0, 30))])
        answer = random.choice([None, None, "x", "y", name])
        made = random.choice(
            [
                call(name, parent, tokens, answer=answer, model=random.choice(["gpt-5", "claude"]), **times),
                call(name, parent, tokens, answer=answer, **times),
                agent_run(name, parent, tokens, answer=answer, **times),
                span(name, parent, gen_ai__usage__input_tokens=100, **times),
                span(name, parent, **times),
                tool(name, parent, **times),
            ]
        )
        spans.append(of(made, trace_id=random.choice(TRACES), scope=random.choice(SCOPES)))
    return spans


def cut(spans: list[Span], random: Random) -> list[list[Span]]:
    size = random.randint(1, 6)
    return [spans[start : start + size] for start in range(0, len(spans), size)]


@EXAMPLES
@given(st.integers(0, 2**32), st.sampled_from([None, "the-default"]))
def test_no_more_is_counted_than_the_spans_say(seed: int, default_agent: str | None):
    spans = arbitrary_spans(seed)
    sent = SentTraces(TakeSettings(default_agent=default_agent)).send_all(cut(spans, Random(seed)))
    said = [facts.units for one in spans if (facts := facts_of(one).facts).units is not None]
    tokens_in, tokens_out = sent.tokens
    assert tokens_in <= sum(units.input for units in said)
    assert tokens_out <= sum(units.output for units in said)
    for counted in sent.calls:
        assert counted.data.get("input_tokens", 1) + counted.data.get("output_tokens", 0) > 0


@EXAMPLES
@given(st.integers(0, 2**32))
def test_sending_all_again_in_any_order_changes_nothing(seed: int):
    spans, random = arbitrary_spans(seed), Random(seed)
    sent = SentTraces().send_all(cut(spans, random))
    before = sent.tokens, len(sent.calls)
    random.shuffle(spans)
    sent.send_all(cut(spans, random))
    assert (sent.tokens, len(sent.calls)) == before


@EXAMPLES
@given(st.integers(0, 2**32))
def test_the_largest_call_is_never_lost(seed: int):
    spans = [one for one in arbitrary_spans(seed) if "openinference" not in one.scope]
    sent = SentTraces().send_all([spans])
    facts = [facts_of(one).facts for one in spans]
    inputs = [one.units.input for one in facts if one.is_counted_call and one.units is not None]
    assert sent.tokens[0] >= max(inputs, default=0)
