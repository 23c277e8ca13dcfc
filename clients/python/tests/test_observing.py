"""Wrapped clients of OpenAI and Anthropic: their calls are reported, and what they answer is the same."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import agents
import agents.run
import anthropic
import httpx2
import openai
import pydantic_ai
import pytest
import xyra
from agents import OpenAIResponsesModel, Runner, set_tracing_disabled
from provider_double import CHAT_USAGE, MESSAGES_USAGE, RESPONSES_USAGE, ProviderDouble
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider
from stub_server import StubServer, Told

MESSAGES: Any = [{"role": "user", "content": "Hello"}]
CLAUDE: Any = {"messages": MESSAGES, "max_tokens": 100}
FULL_MESSAGES_USAGE = {**MESSAGES_USAGE, "output_tokens": 9}


@pytest.fixture
def provider() -> Iterator[ProviderDouble]:
    double = ProviderDouble()
    yield double
    double.close()


@pytest.fixture
def client(server: StubServer, tmp_path: Path) -> Iterator[xyra.Client]:
    server.answer = lambda _: Told(503)
    made = xyra.init("key", server.base, agent="coder", spool_path=tmp_path / "spool")
    yield made
    made.reporter._sender.end()


def reported(client: xyra.Client) -> list[dict[str, Any]]:
    return [json.loads(item.body) for item in client.reporter.spool.waiting("event")]


def gpt(provider: ProviderDouble, **settings: Any) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url=f"{provider.base}/v1", max_retries=0, **settings)


@pytest.fixture
async def gpt_async(provider: ProviderDouble) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="k", base_url=f"{provider.base}/v1", max_retries=0) as made:
        yield made


def claude(provider: ProviderDouble) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url=provider.base, max_retries=0)


def only(client: xyra.Client) -> dict[str, Any]:
    (event,) = reported(client)
    assert (event["type"], event["agent"], event["source"]) == ("llm_call", "coder", "otlp")
    return event


@pytest.mark.parametrize("model", ["gpt-5", "tools", "gzip"])
def test_a_chat_completion(provider: ProviderDouble, client: xyra.Client, model: str) -> None:
    plain = gpt(provider).chat.completions.create(model=model, messages=MESSAGES)
    wrapped = xyra.wrap(gpt(provider)).chat.completions.create(model=model, messages=MESSAGES)
    assert wrapped.model_dump(exclude={"id"}) == plain.model_dump(exclude={"id"})
    event = only(client)
    assert event["id"] == f"openai:{wrapped.id}:1200:90"
    assert event["data"] == {
        "provider": "openai",
        "model": "gpt-5-2025",
        "service_tier": "default",
        "usage": CHAT_USAGE,
    }


@pytest.mark.parametrize("model", ["gpt-5", "tools", "refuses-options"])
@pytest.mark.parametrize("is_asked", [False, True])
def test_a_streamed_chat_completion(provider: ProviderDouble, client: xyra.Client, model: str, is_asked: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if is_asked else {}
    if model == "refuses-options" and is_asked:
        pytest.skip("its caller gets the refusal, wrapped or not")
    given: Any = {"model": model, "messages": MESSAGES, "stream": True, **options}
    bodies = [
        b"".join(made.chat.completions.with_raw_response.create(**given).http_response.iter_raw())
        for made in (gpt(provider), xyra.wrap(gpt(provider)))
    ]
    assert bodies[1].replace(b"id-2", b"id-1").replace(b"id-3", b"id-1") == bodies[0]
    event = only(client)
    if model == "refuses-options":
        assert event["data"] == {"provider": "openai", "model": "gpt-5-2025", "incomplete": True}
    else:
        assert event["data"]["usage"] == CHAT_USAGE


def test_a_response_and_its_stream(provider: ProviderDouble, client: xyra.Client) -> None:
    wrapped = xyra.wrap(gpt(provider))
    assert wrapped.responses.create(model="gpt-5", input="Hello").output_text == "yes"
    with wrapped.responses.stream(model="gpt-5", input="Hello") as stream:
        assert stream.get_final_response().output_text == "yes"
    assert [event["data"]["usage"] for event in reported(client)] == [RESPONSES_USAGE] * 2
    assert [event["id"] for event in reported(client)] == ["openai:id-1:1200:90", "openai:id-2:1200:90"]


def test_a_message_and_its_stream(provider: ProviderDouble, client: xyra.Client) -> None:
    wrapped = xyra.wrap(claude(provider))
    wrapped.messages.create(model="claude", **CLAUDE)
    with wrapped.messages.stream(model="claude", **CLAUDE) as stream:
        assert stream.get_final_text() == "yes"
    assert [event["data"]["usage"] for event in reported(client)] == [FULL_MESSAGES_USAGE] * 2
    assert [event["id"] for event in reported(client)] == ["anthropic:id-1:950:9", "anthropic:id-2:950:9"]


def test_streams_of_messages_are_byte_for_byte_the_same(provider: ProviderDouble, client: xyra.Client) -> None:
    bodies = [
        b"".join(made.messages.with_raw_response.create(model="c", stream=True, **CLAUDE).http_response.iter_raw())
        for made in (claude(provider), xyra.wrap(claude(provider)))
    ]
    assert bodies[1].replace(b"id-2", b"id-1") == bodies[0]
    assert only(client)["data"]["usage"] == FULL_MESSAGES_USAGE


async def test_async_clients(provider: ProviderDouble, gpt_async: openai.AsyncOpenAI, client: xyra.Client) -> None:
    wrapped = xyra.wrap(gpt_async)
    await wrapped.chat.completions.create(model="gpt-5", messages=MESSAGES)
    stream = await wrapped.chat.completions.create(model="gpt-5", messages=MESSAGES, stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.choices and "usage" not in chunk.model_fields_set for chunk in chunks)
    async with anthropic.AsyncAnthropic(api_key="k", base_url=provider.base, max_retries=0) as other:
        await xyra.wrap(other).messages.create(model="claude", **CLAUDE)
    usages = [event["data"]["usage"] for event in reported(client)]
    assert usages == [CHAT_USAGE, CHAT_USAGE, FULL_MESSAGES_USAGE]


def test_errors_are_the_callers_and_no_calls(provider: ProviderDouble, client: xyra.Client) -> None:
    wrapped = xyra.wrap(gpt(provider))
    with pytest.raises(openai.BadRequestError):
        wrapped.chat.completions.create(model="error", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError):
        wrapped.chat.completions.create(model="error", messages=MESSAGES, stream=True)
    nowhere = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        xyra.wrap(nowhere).chat.completions.create(model="gpt-5", messages=MESSAGES)
    assert reported(client) == []


async def test_a_stream_that_is_cut_has_no_counts(
    provider: ProviderDouble, gpt_async: openai.AsyncOpenAI, client: xyra.Client
) -> None:
    stream = xyra.wrap(gpt(provider)).chat.completions.create(model="slow", messages=MESSAGES, stream=True)
    next(iter(stream))
    stream.close()
    with xyra.wrap(claude(provider)).messages.stream(model="slow", **CLAUDE) as messages:
        next(iter(messages))

    async def read() -> None:
        chunks = await xyra.wrap(gpt_async).chat.completions.create(model="slow", messages=MESSAGES, stream=True)
        async for _ in chunks:
            reading.set()

    reading = asyncio.Event()
    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    events = reported(client)
    assert [(event["id"], event["data"].get("incomplete"), event["data"].get("usage")) for event in events] == [
        ("openai:id-1", True, None),
        ("anthropic:id-2", True, None),
        ("openai:id-3", True, None),
    ]


def test_nothing_of_ours_fails_a_call(
    provider: ProviderDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    xyra.init("key", "http://127.0.0.1:9", spool_path=tmp_path / "spool")  # no agent: there is nobody to report for
    wrapped = xyra.wrap(gpt(provider))
    assert wrapped.chat.completions.create(model="gpt-5", messages=MESSAGES).choices
    assert "names no agent" in caplog.text


def test_what_is_no_client_is_told() -> None:
    with pytest.raises(TypeError, match=r"xyra\.instrument"):
        xyra.wrap(object())


def test_another_provider_is_named(provider: ProviderDouble, client: xyra.Client) -> None:
    xyra.wrap(gpt(provider), provider="groq").chat.completions.create(model="gpt-5", messages=MESSAGES)
    assert only(client)["data"]["provider"] == "groq"


@pytest.fixture
def uninstrumented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts back what `instrument` replaces."""
    for kind in (httpx2.Client, httpx2.AsyncClient):
        monkeypatch.setattr(kind, "send", kind.send)
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit)
    monkeypatch.setattr(pydantic_ai.Agent, "iter", pydantic_ai.Agent.iter)
    for name in ("run", "run_streamed"):
        monkeypatch.setattr(agents.run.AgentRunner, name, getattr(agents.run.AgentRunner, name))


@pytest.mark.usefixtures("uninstrumented")
def test_however_often_it_is_watched_a_call_counts_once(provider: ProviderDouble, client: xyra.Client) -> None:
    before = gpt(provider)
    assert {"httpx2", "pydantic_ai", "agents"} <= set(xyra.instrument())
    xyra.instrument()
    wrapped = xyra.wrap(xyra.wrap(gpt(provider)))
    for one in (before, wrapped, wrapped.with_options(timeout=9), xyra.wrap(before)):
        one.chat.completions.create(model="gpt-5", messages=MESSAGES)
    assert [event["id"] for event in reported(client)] == [f"openai:id-{number}:1200:90" for number in range(1, 5)]


@pytest.mark.usefixtures("uninstrumented")
def test_run_and_agent_follow_into_threads(provider: ProviderDouble, client: xyra.Client) -> None:
    xyra.instrument()

    def call() -> None:
        gpt(provider).chat.completions.create(model="gpt-5", messages=MESSAGES)

    with xyra.run("ticket-7", agent="helpdesk"):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        with ThreadPoolExecutor() as pool:
            pool.submit(call).result()
    assert [(event["run"], event["agent"]) for event in reported(client)] == [("ticket-7", "helpdesk")] * 2


async def test_tasks_keep_their_own_runs(gpt_async: openai.AsyncOpenAI, client: xyra.Client) -> None:
    wrapped = xyra.wrap(gpt_async)

    async def work(number: int) -> None:
        async with xyra.run(f"ticket-{number}", agent="helpdesk"):
            answer = await wrapped.chat.completions.create(model="gpt-5", messages=MESSAGES)
            runs[f"openai:{answer.id}:1200:90"] = f"ticket-{number}"

    runs: dict[str, str] = {}
    await asyncio.gather(*map(work, range(8)))
    assert {event["id"]: event["run"] for event in reported(client)} == runs


def runs_of(client: xyra.Client) -> list[tuple[str, str]]:
    runs = [json.loads(item.body) for item in client.reporter.spool.waiting("run")]
    return [(run["agent"], run["status"]) for run in runs]


@pytest.mark.usefixtures("uninstrumented")
async def test_pydantic_ai(gpt_async: openai.AsyncOpenAI, client: xyra.Client) -> None:
    xyra.instrument()
    assert (await pydantic_ai.Agent(TestModel(), name="tester").run("Hello")).output
    assert runs_of(client) == [("coder", "completed")]
    model = OpenAIChatModel("gpt-5", provider=OpenAIProvider(openai_client=gpt_async))
    async with pydantic_ai.Agent(model, name="tester").run_stream("Hello") as result:
        assert await result.get_output()
    event = only(client)
    assert event["data"]["usage"] == CHAT_USAGE
    assert len(runs_of(client)) == 2


@pytest.mark.usefixtures("uninstrumented")
async def test_openai_agents(gpt_async: openai.AsyncOpenAI, client: xyra.Client) -> None:
    set_tracing_disabled(disabled=True)
    xyra.instrument()
    agent = agents.Agent(name="tester", model=OpenAIResponsesModel("gpt-5", gpt_async))
    assert (await Runner.run(agent, "Hello")).final_output == "yes"
    streamed = Runner.run_streamed(agent, "Hello")
    async for _ in streamed.stream_events():
        pass
    assert streamed.final_output == "yes"
    await asyncio.sleep(0)
    assert runs_of(client) == [("coder", "completed")] * 2
    events = reported(client)
    assert [event["data"]["usage"] for event in events] == [RESPONSES_USAGE] * 2
    keys = [json.loads(item.body)["key"] for item in client.reporter.spool.waiting("run")]
    assert [event["run"] for event in events] == keys
