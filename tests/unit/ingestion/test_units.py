"""How what libraries count becomes units in one meaning."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ingestion.facts import facts_of
from shared.domain.ingestion.spans import MAXIMUM_COUNT, Span, count_of
from shared.domain.ingestion.units import Reading, Units, units_of
from shared.domain.ingestion.usage_objects import reading_of
from tests.doubles.worlds.plain_spans import call, of, span

COUNTS = st.integers(0, 10_000)
UNITS = st.builds(
    lambda cached, written, fresh, reasoning, text: Units(
        cached + written + fresh, reasoning + text, cached, written, 0, reasoning
    ),
    *[COUNTS] * 5,
)


def units(made: Span) -> Units | None:
    return facts_of(made).facts.units


@pytest.mark.parametrize(
    ("reading", "habits", "expected"),
    [
        (Reading(1200, 90, cached=800, reasoning=30), {}, Units(1200, 90, 800, 0, 0, 30)),
        (Reading(400, 90, cached=700, written=100), {}, Units(1200, 90, 700, 100)),
        (Reading(1000, 90, cached=700, written=100), {"without_cache": True}, Units(1800, 90, 700, 100)),
        (Reading(1000, 90, 1890, cached=700, written=100), {}, Units(1800, 90, 700, 100)),
        (Reading(1000, 90, 1090, cached=700, written=100), {}, Units(1000, 90, 700, 100)),
        (Reading(264, 104, reasoning=989), {}, Units(264, 1093, reasoning=989)),
        (Reading(1860, 126, 2028, reasoning=42), {}, Units(1860, 168, reasoning=42)),
        (Reading(1860, 126, 1986, reasoning=42), {}, Units(1860, 126, reasoning=42)),
        (Reading(10, 60, reasoning=30), {"without_reasoning": True}, Units(10, 90, reasoning=30)),
        (Reading(1200, 90, written_5m=60, written_1h=40), {}, Units(1200, 90, 0, 100, 40)),
        (Reading(None, None, cached=5), {}, None),
        (Reading(50), {}, Units(50)),
    ],
)
def test_cached_and_written_become_part_of_input_and_reasoning_of_output(
    reading: Reading, habits: dict[str, bool], expected: Units | None
):
    assert units_of(reading, **habits) == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "prompt_tokens": 1200,
                "completion_tokens": 90,
                "total_tokens": 1290,
                "prompt_tokens_details": {"cached_tokens": 800, "audio_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Units(1200, 90, 800, 0, 0, 30, {"input_audio_tokens": 3}),
        ),
        (
            {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 8}},
            Units(9, 4, 8),
        ),
        (
            {
                "input_tokens": 400,
                "output_tokens": 90,
                "cache_read_input_tokens": 700,
                "cache_creation_input_tokens": 100,
                "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
            },
            Units(1200, 90, 700, 100, 40),
        ),
        (
            {
                "promptTokenCount": 1200,
                "cachedContentTokenCount": 800,
                "candidatesTokenCount": 60,
                "thoughtsTokenCount": 30,
            },
            Units(1200, 90, 800, 0, 0, 30),
        ),
        ({"prompt_token_count": 7, "candidates_token_count": 2}, Units(7, 2)),
        (
            {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": 4, "cacheWriteInputTokens": 1},
            Units(10, 2, 4, 1),
        ),
        ({"inputTokens": 1200, "outputTokens": 60, "thoughtsTokens": 30}, Units(1200, 90, reasoning=30)),
        ({"something": 1}, None),
    ],
    ids=["OpenAI chat", "OpenAI responses", "Anthropic", "Gemini", "Gemini, snake case", "Bedrock", "Genkit", "other"],
)
def test_the_usage_objects_of_providers(usage: dict[str, object], expected: Units | None):
    assert units_of(reading_of(usage)) == expected


class TestHabitsOfLibraries:
    def test_openllmetry_for_javascript_leaves_out_what_anthropic_cached(self):
        said = {"gen_ai__usage__cache_read__input_tokens": 70, "gen_ai__usage__cache_creation__input_tokens": 10}
        made = call("one", tokens=(400, 90), **said)
        assert units(of(made, scope="@traceloop/instrumentation-anthropic")) == Units(480, 90, 70, 10)
        assert units(of(made, scope="opentelemetry.instrumentation.anthropic")) == Units(400, 90, 70, 10)

    @pytest.mark.parametrize(
        "metadata",
        [
            {
                "anthropic": {
                    "usage": {"input_tokens": 400, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 10}
                }
            },
            {"anthropic": {"cacheReadInputTokens": 70, "cacheCreationInputTokens": 10}},
            {"bedrock": {"usage": {"cacheReadInputTokens": 70, "cacheWriteInputTokens": 10}}},
        ],
        ids=["5", "4", "Bedrock"],
    )
    def test_ai_sdk_4_and_5_leave_out_what_anthropic_cached(self, metadata: dict[str, object]):
        made = span(
            "ai.generateText.doGenerate",
            ai__operationId="ai.generateText.doGenerate",
            ai__model__provider="anthropic.messages",
            ai__usage__promptTokens=400,
            ai__usage__completionTokens=90,
            ai__response__providerMetadata=json.dumps(metadata),
        )
        assert units(of(made, scope="ai")) == Units(480, 90, 70, 10)

    def test_thoughts_that_the_ai_sdk_5_has_beside_the_output(self):
        usage = {
            "promptTokenCount": 1200,
            "candidatesTokenCount": 60,
            "thoughtsTokenCount": 30,
        }
        made = span(
            "ai.generateText.doGenerate",
            ai__operationId="ai.generateText.doGenerate",
            ai__model__provider="google.generative-ai",
            ai__usage__promptTokens=1200,
            ai__usage__completionTokens=60,
            ai__response__providerMetadata=json.dumps({"google": {"usageMetadata": usage}}),
        )
        assert units(of(made, scope="ai")) == Units(1200, 90, reasoning=30)

    @pytest.mark.parametrize(
        ("details", "expected"),
        [
            (
                {"input": 400, "input_cached_tokens": 800, "output": 60, "output_reasoning_tokens": 30},
                (1200, 90, 800, 30),
            ),
            ({"input": 1200, "output": 90, "total": 1290, "input_cached_tokens": 800}, (1200, 90, 800, 0)),
            ({"input": "1200", "output": 90.0}, (1200, 90, 0, 0)),
        ],
        ids=["disjoint", "the total says inside", "texts and floats"],
    )
    def test_langfuse_sends_parts(self, details: dict[str, object], expected: tuple[int, int, int, int]):
        said = {"langfuse__observation__type": "generation", "langfuse__observation__model__name": "gpt-5"}
        found = units(span("one", langfuse__observation__usage_details=json.dumps(details), **said))
        assert found is not None
        assert (found.input, found.output, found.cached, found.reasoning) == expected


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *((5, 5), ("5", 5), (" 5 ", 5), (5.0, 5), (0, 0), (5.5, None), (-1, None), ("", None), ("5.0", None)),
        *((True, None), (None, None), ("9" * 400, None), (MAXIMUM_COUNT + 1, None), (float("nan"), None)),
        *((float("inf"), None), ("٣", None), ([], None)),
    ],
)
def test_counts(value: object, count: int | None):
    assert count_of(value) == count


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"text"', "[" * 5000, '{"usage": 5}', "{" * 100_000])
@pytest.mark.parametrize(
    "name", ["genkit:output", "langfuse.observation.usage_details", "gcp.vertex.agent.llm_response"]
)
def test_texts_that_are_no_usage(name: str, text: str):
    made = call("one", **{name.replace(".", "__"): text, "genkit:metadata:subtype": "model"})
    assert facts_of(of(made, scope="genkit-tracer" if "genkit" in name else "langfuse-sdk")).facts.id == made.span_id


@given(UNITS, UNITS)
def test_what_is_beyond_and_what_is_inside_are_the_whole(whole: Units, inner: Units):
    beyond = whole.beyond(inner)
    assert beyond.input == max(0, whole.input - inner.input)
    assert beyond.output == max(0, whole.output - inner.output)
    assert beyond.cached + beyond.written <= beyond.input
    assert beyond.reasoning <= beyond.output


@given(UNITS, UNITS)
def test_the_greatest_of_two_does_not_depend_on_their_order(first: Units, second: Units):
    assert first.greatest(second) == second.greatest(first)
    assert first.with_details_of(first) == first
