"""What counts in a trace, when it counts, and for whom."""

from datetime import timedelta
from random import Random

import pytest

from shared.domain.ingestion.calls import WarningCode
from shared.domain.ingestion.spans import Span
from shared.domain.ingestion.taking import TakeSettings
from tests.doubles.worlds.plain_spans import agent_run, call, id_of, of, span, tool
from tests.doubles.worlds.sent_traces import SentTraces, described


def sent(*requests: list[Span], **settings: object) -> SentTraces:
    return SentTraces(TakeSettings(**settings)).send_all(requests)


def tokens(traces: SentTraces) -> list[tuple[int, int]]:
    return sorted((one.data["input_tokens"], one.data["output_tokens"]) for one in traces.calls if one.is_counted)


class TestSums:
    def test_a_sum_with_calls_below_it_never_counts(self):
        calls = [call("one", "bot"), call("two", "bot")]
        assert tokens(sent([*calls, agent_run("bot", tokens=(200, 20), answer="x")])) == [(100, 10)] * 2

    def test_a_sum_alone_counts_after_300_seconds_as_an_unknown_number_of_calls(self):
        traces = SentTraces()
        traces.send([agent_run("bot", tokens=(200, 20), answer="x")])
        traces.pass_time(timedelta(seconds=290))
        assert traces.calls == []
        traces.pass_time(timedelta(seconds=10))
        (counted,) = traces.calls
        assert (counted.is_sum, counted.agent, counted.data["input_tokens"]) == (True, "bot", 200)
        assert traces.codes == {WarningCode.SUM_WITHOUT_CALLS}

    def test_a_default_agent_does_not_shorten_the_wait_for_calls(self):
        traces = SentTraces(TakeSettings(default_agent="front", agent_wait=timedelta()))
        traces.send([agent_run("bot", tokens=(200, 20), answer="x")])
        traces.pass_time(timedelta(seconds=280))
        traces.send([call("one", "bot", (200, 20))])
        assert tokens(traces.send_all([])) == [(200, 20)]

    @pytest.mark.parametrize(
        "sums",
        [
            agent_run("bot", tokens=(200, 20)),
            span("loop", gen_ai__usage__input_tokens=200, gen_ai__usage__output_tokens=20, gen_ai__response__id="x"),
        ],
        ids=["without an id", "without a model"],
    )
    def test_a_sum_without_an_id_or_a_model_never_counts_but_is_warned_of(self, sums: Span):
        traces = sent([sums])
        assert (traces.calls, traces.codes) == ([], {WarningCode.SUM_WITHOUT_CALLS})

    def test_a_sum_that_says_more_than_its_calls_is_warned_of(self):
        traces = sent([call("one", "bot"), agent_run("bot", tokens=(200, 20), answer="x")])
        assert (tokens(traces), traces.codes) == ([(100, 10)], {WarningCode.SUM_EXCEEDS_CALLS})

    def test_calls_that_come_after_their_sum_counted_are_inside_it_up_to_its_counts(self):
        traces = SentTraces()
        traces.send([agent_run("bot", tokens=(200, 20), answer="x")])
        traces.pass_time(timedelta(seconds=400))
        traces.send([call("one", "bot"), call("two", "bot", model="claude")])
        assert tokens(traces) == [(200, 20)]
        assert tokens(traces.send_all([[call("three", "bot", (70, 7))]])) == [(70, 7), (200, 20)]

    @pytest.mark.parametrize(("inner", "counted"), [((200, 20), (200, 20)), ((270, 27), (270, 27))])
    def test_a_sum_that_comes_after_one_around_it_counted_is_inside_it_up_to_its_counts(
        self, inner: tuple[int, int], counted: tuple[int, int]
    ):
        traces = SentTraces()
        traces.send([agent_run("bot", tokens=(200, 20), answer="x")])
        traces.pass_time(timedelta(seconds=400))
        step = call("step", "bot", inner, answer="y", gen_ai__operation__name="agent_step")
        assert traces.send_all([[step]]).tokens == counted

    def test_what_lies_beyond_a_tool_or_another_agent_is_no_part_of_a_sum(self):
        inner = [call("far", "helper", (500, 50)), agent_run("helper", "asking", tokens=(500, 50))]
        outer = [tool("asking", "bot"), agent_run("bot", tokens=(200, 20), answer="x")]
        assert tokens(sent([*inner, *outer])) == [(200, 20), (500, 50)]

    def test_a_sum_under_the_id_of_a_call_is_never_another_call(self):
        traces = sent([call("stray", answer="x"), agent_run("bot", tokens=(200, 20), answer="x")])
        assert (tokens(traces), traces.codes) == ([(100, 10)], {WarningCode.SUM_EXCEEDS_CALLS})


class TestCallsAroundCalls:
    def test_a_call_counts_what_it_says_beyond_its_own_calls(self):
        assert tokens(sent([call("one", "sum"), call("sum", tokens=(250, 30))])) == [(100, 10), (150, 20)]

    def test_a_call_that_wraps_one_of_equal_tokens_is_the_same(self):
        wrapper = call("outer", gen_ai__usage__cache_read__input_tokens=40)
        (counted,) = sent([call("inner", "outer", answer="x", openai__response__service_tier="flex"), wrapper]).calls
        assert (counted.id, counted.data["cached_input_tokens"]) == ("openai:x:100:10", 40)
        assert counted.data["service_tier"] == "flex"

    @pytest.mark.parametrize("is_wrapper_first", [True, False])
    def test_a_wrapper_that_comes_in_another_request_is_the_same(self, is_wrapper_first: bool):
        requests = [[call("outer")], [call("inner", "outer", answer="x")]]
        assert tokens(sent(*(requests if is_wrapper_first else reversed(requests)), default_agent="a")) == [(100, 10)]

    def test_what_only_a_later_span_knows_is_warned_of(self):
        inner = call("inner", "outer", gen_ai__usage__cache_read__input_tokens=40)
        traces = sent([call("outer")], [inner])
        assert [one.data for one in traces.calls] == [
            {"model": "gpt-5", "provider": "openai", "input_tokens": 100, "output_tokens": 10}
        ]
        assert traces.codes == {WarningCode.LATE_UNITS}

    def test_an_embedding_below_a_large_call_counts_beside_it(self):
        embedding = call("embedding", "chat", (50, 0), model="text-embedding-3-small")
        for requests in ([[embedding, call("chat")]], [[embedding], [call("chat")]], [[call("chat")], [embedding]]):
            assert tokens(sent(*requests, default_agent="a")) == [(50, 0), (100, 10)]

    def test_a_waiting_call_inside_a_counted_one_is_not_taken_for_a_part_that_was_counted(self):
        traces = SentTraces()
        traces.send([call("sum", "far", (200, 20))])
        traces.pass_time(timedelta(seconds=200))
        traces.send([call("one", "sum")])
        traces.pass_time(timedelta(seconds=100))
        assert sum(one.data["input_tokens"] for one in traces.calls) == 100
        assert traces.send_all([]).tokens == (200, 20)


class TestIdentity:
    def test_one_response_id_with_other_tokens_is_another_call_and_warned_of(self):
        traces = sent([call("first", tokens=(1, 1), answer="x")], [call("second", answer="x")])
        assert (tokens(traces), traces.codes) == ([(1, 1), (100, 10)], {WarningCode.ID_REUSED})

    def test_one_response_id_with_equal_tokens_in_another_trace_is_the_same_event(self):
        other = of(call("again", answer="x"), trace_id="b" * 32)
        assert tokens(sent([call("first", answer="x")], [other])) == [(100, 10)]
        assert tokens(sent([call("first", answer="x"), other])) == [(100, 10)]

    def test_an_empty_response_id_is_none(self):
        assert len(sent([call("first", answer="")], [call("second", answer="")]).calls) == 2

    def test_servers_that_count_their_answers_over_again(self):
        requests = [
            [of(call("first", tokens=(size, 5), answer="chatcmpl-7"), trace_id=f"{size:032x}")] for size in range(1, 30)
        ]
        assert len(sent(*requests).calls) == 29

    def test_a_repeated_span_changes_nothing(self):
        traces = sent([call("one")], [call("one", tokens=(900, 9))])
        assert tokens(traces) == [(100, 10)]


class TestCallsWithoutCounts:
    def test_one_is_kept_without_a_price_and_warned_of(self):
        traces = sent([call("one", tokens=None)])
        assert [described(one) for one in traces.calls] == [{"model": "gpt-5", "agent": "helpdesk", "counted": False}]
        assert traces.codes == {WarningCode.NO_COUNT}

    def test_a_failed_one_is_no_call(self):
        assert sent([of(call("one", tokens=None), failed=True)]).calls == []

    def test_a_failed_one_with_counts_is_a_call(self):
        assert tokens(sent([of(call("one"), failed=True)])) == [(100, 10)]

    def test_a_wrapped_one_is_kept_once(self):
        assert len(sent([call("inner", "outer", None), call("outer", tokens=None)]).calls) == 1

    def test_one_around_or_inside_a_counted_one_is_the_same(self):
        assert len(sent([call("inner", "outer"), call("outer", tokens=None)]).calls) == 1
        assert len(sent([call("inner", "outer", None), call("outer")]).calls) == 1

    def test_zero_tokens_are_no_count(self):
        assert sent([call("one", tokens=(0, 0))]).codes == {WarningCode.NO_COUNT}


class TestAgents:
    def test_the_nearest_named_ancestor_is_the_agent(self):
        spans = [call("one", "asking"), tool("asking", "inner"), agent_run("inner", "outer"), agent_run("outer")]
        assert [one.agent for one in sent(spans).calls] == ["inner"]

    def test_a_call_waits_for_the_span_that_names_its_agent(self):
        traces = SentTraces()
        traces.send([call("one", "step")])
        assert (traces.calls, traces.memories["a" * 32].waits.calls) == ([], 1)
        traces.pass_time(timedelta(seconds=200))
        traces.send([span("step", "bot")])
        assert traces.calls == []
        traces.send([agent_run("bot")])
        assert [one.agent for one in traces.calls] == ["bot"]

    def test_after_the_wait_it_goes_to_the_service(self):
        traces = sent([call("one", "bot")], agent_wait=timedelta(seconds=60))
        (counted,) = traces.calls
        assert (counted.agent, counted.is_agent_named) == ("helpdesk", False)
        assert traces.codes == {WarningCode.AGENT_NOT_NAMED}

    @pytest.mark.parametrize(
        "settings", [{"default_agent": "front"}, {"agent_wait": timedelta()}, {"may_wait": False}], ids=str
    )
    def test_with_a_default_agent_or_no_room_it_does_not_wait(self, settings: dict[str, object]):
        traces = SentTraces(TakeSettings(**settings))
        traces.send([call("one", "bot")])
        assert [one.agent for one in traces.calls] == [settings.get("default_agent", "helpdesk")]

    def test_a_chain_that_ends_at_a_root_without_a_name_is_complete(self):
        traces = SentTraces()
        traces.send([call("one", "root"), span("root")])
        assert [one.agent for one in traces.calls] == ["helpdesk"]
        assert traces.codes == set()

    def test_the_run_is_named_by_an_ancestor_too(self):
        assert [
            one.run for one in sent([call("one", "bot"), agent_run("bot", gen_ai__conversation__id="c-1")]).calls
        ] == ["c-1"]

    def test_a_service_without_a_name_is_the_unknown_service(self):
        assert [one.agent for one in sent([of(call("one"), service="")]).calls] == ["unknown_service"]


class TestDroppedAttributes:
    def test_a_call_that_lost_some_is_warned_of(self):
        assert sent([of(call("one"), dropped_attributes=3)]).codes == {WarningCode.ATTRIBUTES_DROPPED}

    def test_a_span_of_a_known_library_that_lost_what_it_is(self):
        lost = of(span("one"), scope="@arizeai/openinference-instrumentation-openai", dropped_attributes=3)
        assert sent([lost]).codes == {WarningCode.ATTRIBUTES_DROPPED}

    def test_other_spans_may_lose_what_they_like(self):
        assert sent([of(span("GET /"), dropped_attributes=3), of(tool("one"), dropped_attributes=3)]).codes == set()


class TestHostileTraces:
    def test_3000_calls_under_one_trace_id_all_count_and_2000_are_remembered(self):
        spans = [call(f"{number:04}", tokens=(number, 1), answer=f"r-{number}") for number in range(1, 3001)]
        traces = sent(*(spans[start : start + 500] for start in range(0, 3000, 500)))
        assert traces.tokens == (3000 * 3001 // 2, 3000)
        assert len(traces.memories["a" * 32].spans) <= 2000
        assert traces.codes == {WarningCode.TRACE_TOO_LARGE}
        assert sent(spans, spans).tokens == traces.tokens

    @pytest.mark.parametrize(
        "around", [agent_run("bot", tokens=(90_000, 9000), answer="x"), call("bot", "", (90_000, 9000))]
    )
    def test_the_sum_of_3000_calls_below_it_never_counts(self, around: Span):
        calls = [call(f"{number:04}", "bot", (30, 3), answer=f"r-{number}") for number in range(3000)]
        steps = [of(one, parent_id=id_of(f"s{number:04}")) for number, one in enumerate(calls)]
        links = [span(f"s{number:04}", "bot") for number in range(3000)]
        by_step = [one for pair in zip(steps, links, strict=True) for one in pair]
        for spans in (calls, by_step):
            requests = [spans[start : start + 500] for start in range(0, len(spans), 500)]
            assert sent(*requests, [around], default_agent="front").tokens == (90_000, 9000)

    def test_spans_that_only_link_leave_room_for_calls(self):
        links = [span(f"{number:04}", "bot") for number in range(3000)]
        requests = [links[start : start + 500] for start in range(0, 3000, 500)]
        traces = sent(*requests, [call("inner", "outer", answer="x")], [call("outer", "bot")], [agent_run("bot")])
        assert [(one.agent, one.data["input_tokens"]) for one in traces.calls] == [("bot", 100)]
        assert traces.codes == set()

    def test_requests_to_databases_are_not_remembered(self):
        queries = [span(f"q{number}", "bot", db__system__name="postgresql") for number in range(10)]
        vectors = span("search", "bot", db__system="chroma")
        traces = sent([*queries, vectors, call("embedding", "search", (50, 0)), agent_run("bot")])
        assert [one.agent for one in traces.calls] == ["bot"]
        assert len(traces.memories["a" * 32].spans) == 3

    def test_calls_that_wait_find_no_room_beyond_2000(self):
        spans = [call(f"{number:04}", "far", (30, 3), answer=f"r-{number}") for number in range(3000)]
        traces = SentTraces()
        for start in range(0, 3000, 500):
            traces.send(spans[start : start + 500])
        assert (len(traces.calls), traces.memories["a" * 32].waits.calls) == (1000, 2000)
        assert traces.codes == {WarningCode.TRACE_TOO_LARGE, WarningCode.AGENT_NOT_NAMED}
        assert traces.send_all([[agent_run("far")], spans]).tokens == (90_000, 9000)

    @pytest.mark.parametrize("letter", ["x", "\U0001f600"])
    def test_long_texts_do_not_make_a_memory_too_large(self, letter: str):
        long = letter * 128
        spans = [
            call(f"{number:04}", "far", answer=f"{number}{long}"[:128], model=long, gen_ai__response__model=long)
            for number in range(1, 2001)
        ]
        traces = sent([of(one, service=long, scope=long) for one in spans])
        assert traces.tokens == (200_000, 20_000)
        assert len(traces.memories["a" * 32].spans) < 2000

    def test_parents_that_go_round_in_circles(self):
        circle = [call("one", "two", (10, 1)), span("two", "three"), call("three", "one", (20, 2))]
        assert sent(circle).tokens == (20, 2)
        assert sent([call("self", "self")]).tokens == (100, 10)
        assert sent(*([one] for one in circle)).tokens == (20, 2)

    def test_parents_that_never_come(self):
        traces = sent([call(f"{number:04}", f"p{number:04}", (number, 1)) for number in range(1, 500)])
        assert traces.tokens == (sum(range(1, 500)), 499)

    @pytest.mark.parametrize("default_agent", [None, "front"])
    def test_random_parents_without_end(self, default_agent: str | None):
        """More calls than ids are remembered, each below a span that never comes, among links likewise."""
        random, traces = Random(0), SentTraces(TakeSettings(default_agent=default_agent))
        for request in range(21):
            numbers = range(request * 500, request * 500 + 500)
            calls = [call(f"{number:06x}", tokens=(number, 1), answer=f"r-{number}") for number in numbers]
            links = [span(f"l{number:06x}") for number in numbers[::5]]
            traces.send([of(one, parent_id=f"{random.getrandbits(64):016x}") for one in (*calls, *links)])
            memory = traces.memories["a" * 32]
            assert (len(memory.spans) <= 2000, len(memory.forgotten) <= 160_000) == (True, True)
        traces.send_all([])
        assert traces.tokens == (10_500 * 10_499 // 2, 10_500)

    def test_a_chain_of_2000_spans(self):
        spans = [span(f"{number:04}", f"{number - 1:04}" if number else "") for number in range(1999)]
        assert tokens(sent([*spans, call("last", "1998")])) == [(100, 10)]


class TestLostLinks:
    """Spans between a sum and a call did not come, or come late."""

    def test_a_call_that_seems_to_be_inside_a_counted_sum_waits_for_its_links(self):
        traces = SentTraces(TakeSettings(default_agent="front"))
        traces.send([agent_run("bot", tokens=(200, 20), answer="x", lasts=10)])
        traces.pass_time(timedelta(seconds=400))
        traces.send([call("one", "step", begins=1)])
        traces.send([tool("step", "bot", lasts=10)])
        assert tokens(traces) == [(100, 10), (200, 20)]

    def test_without_links_it_is_inside(self):
        traces = SentTraces(TakeSettings(default_agent="front"))
        traces.send([agent_run("bot", tokens=(200, 20), answer="x", lasts=10)])
        traces.pass_time(timedelta(seconds=400))
        traces.send([call("one", "step", begins=1)])
        assert tokens(traces.send_all([])) == [(200, 20)]

    @pytest.mark.parametrize(
        ("link", "counted"),
        [
            (tool("step", "bot", lasts=10), [(100, 10), (120, 12), (200, 20)]),
            (span("step", "bot", lasts=10), [(20, 2), (200, 20)]),
        ],
        ids=["beyond a tool", "its own call"],
    )
    def test_links_that_come_later_tell_whether_it_was_inside(self, link: Span, counted: list[tuple[int, int]]):
        traces = SentTraces(TakeSettings(default_agent="front"))
        traces.send([agent_run("bot", tokens=(200, 20), answer="x", lasts=10)])
        traces.pass_time(timedelta(seconds=400))
        traces.send([call("one", "step", begins=1)])
        traces.pass_time(timedelta(seconds=400))
        assert tokens(traces) == [(200, 20)]
        assert tokens(traces.send_all([[link], [call("two", "step", (120, 12), begins=1)]])) == counted

    @pytest.mark.parametrize(
        "other",
        [call("one", "step", begins=1, gen_ai__agent__name="helper"), call("one", "step", model="o3", begins=1)],
    )
    def test_a_call_of_another_agent_or_model_is_not_inside(self, other: Span):
        traces = SentTraces(TakeSettings(default_agent="front"))
        traces.send([agent_run("bot", tokens=(200, 20), answer="x", lasts=10)])
        traces.pass_time(timedelta(seconds=400))
        assert tokens(traces.send_all([[other]])) == [(100, 10), (200, 20)]

    def test_a_call_under_the_id_of_a_smaller_one_inside_its_time_counts_the_rest(self):
        requests = [[call("last", "step", answer="x", begins=1)], [call("sum", tokens=(300, 30), answer="x", lasts=10)]]
        assert sent(*requests, default_agent="front").tokens == (300, 30)

    def test_a_sum_around_calls_whose_links_are_lost_does_not_count(self):
        traces = sent([call("one", "step", begins=1), agent_run("bot", tokens=(200, 20), answer="x", lasts=10)])
        assert (tokens(traces), WarningCode.SUM_WITHOUT_CALLS in traces.codes) == ([(100, 10)], True)

    @pytest.mark.parametrize(
        ("link", "counted"),
        [
            (tool("step", "bot", begins=1), [(100, 10), (200, 20)]),
            (span("step", "bot", begins=1), [(100, 10)]),
        ],
        ids=["beyond a tool", "its own call"],
    )
    def test_links_that_come_after_the_wait_tell_whether_the_sum_counts(
        self, link: Span, counted: list[tuple[int, int]]
    ):
        traces = sent([call("one", "step", begins=1), agent_run("bot", tokens=(200, 20), answer="x", lasts=10)])
        assert tokens(traces) == [(100, 10)]
        assert tokens(traces.send_all([[link]])) == counted
        assert [one.code for one in traces.warnings].count(WarningCode.SUM_WITHOUT_CALLS) == 1
