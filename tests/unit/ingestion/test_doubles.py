"""Calls that two libraries report, by spans that no parent connects."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ingestion.calls import WarningCode
from shared.domain.ingestion.spans import Span
from tests.doubles.worlds.plain_spans import agent_run, call, of
from tests.doubles.worlds.sent_traces import SentTraces

LANGCHAIN = "@arizeai/openinference-instrumentation-langchain"
OPENAI = "@arizeai/openinference-instrumentation-openai"


def outer(name: str, parent: str = "", trace: str = "a" * 32, **others: object) -> Span:
    return of(call(name, parent, **others), scope=LANGCHAIN, trace_id=trace)


def inner(name: str, trace: str = "b" * 32, **others: object) -> Span:
    return of(call(name, **{"begins": 0.1, "lasts": 0.8, **others}), scope=OPENAI, trace_id=trace)


def sent(*requests: list[Span]) -> SentTraces:
    return SentTraces().send_all(requests)


def test_a_known_pair_is_one_call():
    assert sent([inner("sdk"), outer("chain")]).tokens == (100, 10)


def test_the_span_that_lies_in_a_tree_keeps_the_call_and_its_agent():
    traces = sent([inner("sdk", answer="x"), outer("chain", "bot")], [of(agent_run("bot"), trace_id="a" * 32)])
    assert [(one.id, one.agent) for one in traces.calls] == [("openai:x:100:10", "bot")]


def test_details_that_only_one_of_them_knows_are_taken():
    chain = outer("chain", gen_ai__usage__cache_read__input_tokens=40)
    (counted,) = sent([inner("sdk", gen_ai__response__model="gpt-5-2025-08-07"), chain]).calls
    assert (counted.data["cached_input_tokens"], counted.data["model"]) == (40, "gpt-5-2025-08-07")


def test_both_side_by_side_in_one_trace_are_one_call():
    assert sent([inner("sdk", "a" * 32), outer("chain")]).tokens == (100, 10)


def test_they_may_stick_out_by_10_milliseconds():
    assert sent([inner("sdk", begins=-0.009, lasts=1.018), outer("chain")]).tokens == (100, 10)
    assert sent([inner("sdk", begins=-0.011, lasts=1), outer("chain")]).tokens == (200, 20)


def test_other_tokens_models_or_services_are_other_calls():
    for other in (inner("sdk", tokens=(100, 11)), inner("sdk", model="gpt-5-mini"), of(inner("sdk"), service="else")):
        assert len(sent([other, outer("chain")]).calls) == 2


def test_calls_with_an_id_each_are_no_pair():
    assert len(sent([inner("sdk", answer="x"), outer("chain", answer="y")]).calls) == 2
    two_and_one = [inner("sdk", answer="x"), outer("chain", answer="y"), outer("other", trace="c" * 32)]
    assert len(sent(two_and_one).calls) == 2


def test_an_unknown_pair_counts_twice_and_is_warned_of():
    traces = sent([of(inner("sdk"), scope="mine"), of(outer("chain"), scope="yours")])
    assert (traces.tokens, traces.codes) == ((200, 20), {WarningCode.DOUBLED})
    assert [(one.library, one.service) for one in traces.warnings] == [("yours + mine", "helpdesk")]


def test_pairs_are_found_among_many_models():
    spans = []
    for number in range(12):
        model = f"model-{number:04}x"
        spans += [
            inner(f"i{number}", f"{number + 100:032x}", model=model),
            outer(f"o{number}", trace=f"{number + 1:032x}", model=model),
        ]
    assert len(sent(spans).calls) == 12


@given(st.integers(1, 8), st.integers(0, 8), st.integers(0, 2**32))
def test_each_of_parallel_equal_calls_is_paired_once(pairs: int, alone: int, seed: int):
    """As many calls as there were, although the pairs look alike."""
    random = Random(seed)
    spans = []
    for number in range(pairs):
        begins = random.random() * 3
        spans.append(outer(f"o{number}", trace=f"{number + 1:032x}", begins=begins, lasts=2))
        spans.append(inner(f"i{number}", f"{number + 100:032x}", begins=begins + random.random(), lasts=1))
    spans += [
        outer(f"a{number}", trace=f"{number + 500:032x}", begins=random.random() * 3, lasts=0.5)
        for number in range(alone)
    ]
    random.shuffle(spans)
    assert len(sent(spans).calls) == pairs + alone


def test_an_answer_from_a_cache_in_the_same_request_cost_nothing():
    again = of(call("again", answer="x", begins=5), trace_id="c" * 32)
    assert sent([call("first", answer="x"), again]).tokens == (100, 10)


def test_a_response_id_with_other_tokens_in_another_trace_is_warned_of():
    other = of(call("other", tokens=(7, 7), answer="x"), trace_id="c" * 32)
    traces = sent([call("first", answer="x"), other])
    assert (traces.tokens, traces.codes) == ((107, 17), {WarningCode.ID_REUSED})


def test_a_sum_under_the_response_id_of_a_call_in_another_trace_is_never_another_call():
    elsewhere = of(agent_run("bot", tokens=(300, 30), answer="x"), trace_id="c" * 32)
    assert sent([call("last", answer="x"), elsewhere]).tokens == (100, 10)
