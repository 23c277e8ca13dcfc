"""Packages that call models, as they are installed: however two instrumentations meet, each call is reported once."""

import asyncio
import importlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import agents
import agents.run
import anthropic
import litellm
import openai
import pydantic_ai
import pytest
import xyra
from agents import OpenAIResponsesModel, Runner, set_tracing_disabled
from google import genai
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from ledger_double import Ledger
from provider_double import GOOGLE_USAGE, ProviderDouble
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider
from stub_server import StubServer, Told
from xyra.observing import frameworks, paying

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the packages
MESSAGES: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def provider() -> Iterator[ProviderDouble]:
    double = ProviderDouble()
    yield double
    double.close()


@pytest.fixture
def ledger(server: StubServer) -> Ledger:
    server.answer = made = Ledger(cap="1")
    return made


@pytest.fixture
def client(server: StubServer, ledger: Ledger, tmp_path: Path) -> Iterator[xyra.Client]:
    assert server.answer is ledger
    made = xyra.init("key", server.base, agent="coder", spool_path=tmp_path / "spool")
    yield made
    made.reporter._sender.end()


@pytest.fixture(autouse=True)
def uninstrumented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts back what `wrap` and `instrument` replace."""
    set_tracing_disabled(disabled=True)
    kinds = [(name, kind) for name in ("httpx2", "httpx") for kind in ("Client", "AsyncClient")]
    for name, kind in kinds:
        of_library = getattr(importlib.import_module(name), kind)
        monkeypatch.setattr(of_library, "send", of_library.send)
    for name, kind in product(paying._CLIENTS, ("SyncAPIClient", "AsyncAPIClient")):
        of_client = getattr(importlib.import_module(name), kind)
        monkeypatch.setattr(of_client, "_prepare_request", of_client._prepare_request)
    for name in frameworks._LITELLM_CALLS:
        monkeypatch.setattr(litellm, name, getattr(litellm, name))
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit)
    monkeypatch.setattr(pydantic_ai.Agent, "iter", pydantic_ai.Agent.iter)
    for name in ("run", "run_streamed"):
        monkeypatch.setattr(agents.run.AgentRunner, name, getattr(agents.run.AgentRunner, name))


@dataclass
class Clients:
    """Of one program: those that people wrap, and what is built on them or on none."""

    base: str
    gpt: openai.OpenAI
    gpt_async: openai.AsyncOpenAI
    claude: anthropic.Anthropic


@pytest.fixture
async def clients(provider: ProviderDouble) -> AsyncIterator[Clients]:
    base = provider.base
    given: Any = {"api_key": "k", "base_url": f"{base}/v1", "max_retries": 0}
    async with openai.AsyncOpenAI(**given) as gpt_async:
        with openai.OpenAI(**given) as gpt, anthropic.Anthropic(api_key="k", base_url=base, max_retries=0) as claude:
            yield Clients(base, gpt, gpt_async, claude)


def _wrapped(clients: Clients, **given: Any) -> None:
    for one in (clients.gpt, clients.gpt_async, clients.claude):
        assert xyra.wrap(one, **given) is one


INSTRUMENTATIONS: dict[str, Callable[[Clients], object]] = {
    "nothing": lambda _: None,
    "wrap": _wrapped,
    "provider": lambda clients: _wrapped(clients, provider="openrouter"),
    "instrument": lambda _: xyra.instrument(),
}


async def _openai(clients: Clients) -> None:
    clients.gpt.chat.completions.create(model="gpt-5", messages=MESSAGES)
    stream = await clients.gpt_async.chat.completions.create(model="gpt-5", messages=MESSAGES, stream=True)
    assert [chunk async for chunk in stream]
    await clients.gpt_async.responses.create(model="gpt-5", input="Hello")


async def _anthropic(clients: Clients) -> None:
    clients.claude.messages.create(model="claude", messages=MESSAGES, max_tokens=9)


async def _litellm(clients: Clients) -> None:
    given: Any = {"model": "openai/gpt-5", "messages": MESSAGES, "num_retries": 0}
    litellm.completion(**given, client=clients.gpt)
    await litellm.acompletion(**given, client=clients.gpt_async)


async def _pydantic_ai(clients: Clients) -> None:
    model = OpenAIChatModel("gpt-5", provider=OpenAIProvider(openai_client=clients.gpt_async))
    assert (await pydantic_ai.Agent(model).run("Hello")).output


async def _openai_agents(clients: Clients) -> None:
    agent = agents.Agent(name="tester", model=OpenAIResponsesModel("gpt-5", clients.gpt_async))
    assert (await Runner.run(agent, "Hello")).final_output == "yes"


async def _langchain(clients: Clients) -> None:
    given: Any = {"model": "gpt-5", "max_retries": 0}
    chat = ChatOpenAI(client=clients.gpt.chat.completions, async_client=clients.gpt_async.chat.completions, **given)
    assert chat.invoke("Hello").content
    assert [chunk async for chunk in chat.astream("Hello")]


ON_WRAPPED = [_openai, _anthropic, _litellm, _pydantic_ai, _openai_agents, _langchain]
"""Callers that people give a client."""


async def _google(clients: Clients) -> None:
    made = genai.Client(api_key="k", http_options={"base_url": clients.base})
    assert made.models.generate_content(model="gemini-3", contents="Hello").text == "yes"
    texts = [chunk.text for chunk in made.models.generate_content_stream(model="gemini-3", contents="Hello")]
    assert texts == ["y", "es"]


async def _litellm_alone(clients: Clients) -> None:
    gpt: Any = {"model": "openai/gpt-5", "messages": MESSAGES, "api_key": "k", "api_base": f"{clients.base}/v1"}
    litellm.completion(**gpt, num_retries=0)
    assert list(litellm.completion(**gpt, num_retries=0, stream=True))
    claude: Any = {"model": "anthropic/claude-sonnet-4-5", "messages": MESSAGES, "api_key": "k"}
    litellm.completion(**claude, api_base=clients.base, num_retries=0)
    await litellm.acompletion(**claude, api_base=clients.base, num_retries=0)


async def _langchain_alone(clients: Clients) -> None:
    given: Any = {"api_key": "k", "max_retries": 0}
    chat = ChatOpenAI(model="gpt-5", base_url=f"{clients.base}/v1", **given)
    assert chat.invoke("Hello").content
    assert (await chat.ainvoke("Hello")).content
    assert list(chat.stream("Hello"))
    claude = ChatAnthropic(model_name="claude-sonnet-4-5", base_url=clients.base, **given)
    assert claude.invoke("Hello").content


ALL = [*ON_WRAPPED, _google, _litellm_alone, _langchain_alone]


def reported(client: xyra.Client) -> list[dict[str, Any]]:
    client.reporter._sender.end()
    return [json.loads(item.body) for item in client.reporter.spool.waiting("event")]


def assert_each_once(client: xyra.Client, provider: ProviderDouble, *, run: str | None = None) -> None:
    events = reported(client)
    assert len(events) == len(provider.bodies) > 0
    assert len({event["id"] for event in events}) == len(events)
    assert all(event["data"]["usage"] and "incomplete" not in event["data"] for event in events)
    assert run is None or {event["run"] for event in events} == {run}


def name_of(value: object) -> str:
    return getattr(value, "__name__", str(value)).strip("_")


PAIRS = [pair for pair in product(INSTRUMENTATIONS, INSTRUMENTATIONS) if pair != ("nothing", "nothing")]


@pytest.fixture
def silent(server: StubServer, client: xyra.Client) -> None:
    """Xyra takes nothing, so that the spool shows what was reported."""
    assert client.stats()["waiting"] == 0
    server.answer = lambda _: Told(503)


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("call", ON_WRAPPED, ids=name_of)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
async def test_each_call_counts_once_however_it_is_instrumented(
    client: xyra.Client, provider: ProviderDouble, clients: Clients, pair: tuple[str, str], call: Any
) -> None:
    for name in pair:
        INSTRUMENTATIONS[name](clients)
    with xyra.run("run-7"):
        await call(clients)
    assert_each_once(client, provider, run="run-7")


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("inner", ALL, ids=name_of)
@pytest.mark.parametrize("outer", ["run", "pydantic_ai", "openai_agents"])
async def test_each_call_counts_once_inside_of_a_framework(
    client: xyra.Client, provider: ProviderDouble, clients: Clients, outer: str, inner: Any
) -> None:
    xyra.instrument()
    if outer == "run":
        with xyra.run("run-7"):
            await inner(clients)
        assert_each_once(client, provider, run="run-7")
        return
    if outer == "pydantic_ai":
        agent = pydantic_ai.Agent(TestModel())

        @agent.tool_plain
        async def work() -> str:
            """Does the work."""
            await inner(clients)
            return "done"

        await agent.run("Hello")
    else:

        async def instructions(_context: object, _agent: object) -> str:
            await inner(clients)
            return "Be brief."

        model = OpenAIResponsesModel("gpt-5", clients.gpt_async)
        await Runner.run(agents.Agent(name="tester", instructions=instructions, model=model), "Hello")
    assert_each_once(client, provider)
    runs = [json.loads(item.body)["key"] for item in client.reporter.spool.waiting("run")]
    assert {event["run"] for event in reported(client)} == set(runs)
    assert len(runs) == 1


@pytest.mark.usefixtures("silent")
async def test_usage_of_google(client: xyra.Client, clients: Clients) -> None:
    xyra.instrument()
    await _google(clients)
    events = reported(client)
    assert [event["data"]["usage"] for event in events] == [GOOGLE_USAGE] * 2
    assert [event["id"] for event in events] == ["google:id-1:1200:90", "google:id-2:1200:90"]


@pytest.mark.parametrize("call", ALL, ids=name_of)
async def test_every_package_lets_a_refusal_pass(
    client: xyra.Client, ledger: Ledger, provider: ProviderDouble, clients: Clients, call: Any
) -> None:
    xyra.instrument()
    async with xyra.budget("run-7", credits=1, max_cost="0.3", slice=1) as budget:
        budget.use(1)
        with pytest.raises(xyra.BudgetExceeded):
            await call(clients)
    assert provider.bodies == []
    assert await asyncio.to_thread(client.flush) == 0
    assert (ledger.spent, ledger.held) == (1, 0)


@pytest.mark.parametrize("call", ALL, ids=name_of)
async def test_every_package_pays_each_call_once(
    client: xyra.Client, ledger: Ledger, provider: ProviderDouble, clients: Clients, call: Any
) -> None:
    xyra.instrument()
    async with xyra.budget("run-7", credits=1, max_cost="0.1"):
        await call(clients)
    assert await asyncio.to_thread(client.flush) == 0
    assert ledger.spent * 10 == len(provider.bodies)
    assert ledger.held == 0
