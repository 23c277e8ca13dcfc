"""Random traces of nested agents and tools, in the shapes of the libraries, with counts that are known."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from shared.domain.ingestion.calls import microseconds_of
from shared.domain.ingestion.spans import Span
from tests.doubles.worlds.sent_traces import NOON

MODEL, ANSWERED = "gpt-5", "gpt-5-2025-08-07"
SERVICE = "helpdesk"


@dataclass(frozen=True)
class Counts:
    input: int
    cached: int
    output: int
    reasoning: int

    def plus(self, other: "Counts") -> "Counts":
        return Counts(
            self.input + other.input,
            self.cached + other.cached,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )


NO_COUNTS = Counts(0, 0, 0, 0)


@dataclass(frozen=True)
class TrueCall:
    """What a provider answered: on whose behalf, and how much."""

    agent: str
    counts: Counts


@dataclass
class RandomTrace:
    """One trace that grows span by span. Ends of spans are set when their children are there."""

    random: Random
    trace_id: str
    only_with_calls: bool = False
    """Leaves out set-ups in which a sum is all there is."""
    spans: list[Span] = field(default_factory=list)
    calls: list[TrueCall] = field(default_factory=list)
    sums: list[TrueCall] = field(default_factory=list)
    """Of agents whose calls have no spans of their own: each is one call, or its number is not known."""
    _time: int = microseconds_of(NOON) - 3_600_000_000
    _answers: int = 0

    def grow(self) -> "RandomTrace":
        """A root, mostly an HTTP request, with one to three runs of agents below it."""
        with_root = self.random.random() < 0.7
        root = self._open("POST /ask", "", "http", {}) if with_root else ""
        for _ in range(self.random.randint(1, 3 if with_root else 1)):
            self._agent(root, 0)
        if root:
            self._close(root)
        return self

    def _agent(self, parent: str, depth: int) -> None:
        shapes = [
            self._agents_ai,
            self._agents_ai_with_orchestration,
            self._ai_sdk_6,
            self._ai_sdk_6_stream,
            self._ai_sdk_7,
            self._adk,
            self._openai_agents,
            self._langfuse,
            self._mastra,
            self._wrapped_anthropic,
            self._instrumented_twice,
            self._sum_as_chat,
        ]
        if not self.only_with_calls:
            shapes.append(self._agent_alone)
        self.random.choice(shapes)(parent, f"agent-{self.random.randint(1, 5)}", depth)

    # What calls say

    def _counts(self) -> Counts:
        tokens_in, tokens_out = self.random.randint(1, 5000), self.random.randint(1, 900)
        return Counts(tokens_in, self.random.randint(0, tokens_in), tokens_out, self.random.randint(0, tokens_out))

    def _called(self, agent: str) -> Counts:
        counts = self._counts()
        self.calls.append(TrueCall(agent, counts))
        return counts

    def _answer(self) -> str:
        self._answers += 1
        return f"chatcmpl-{self.trace_id}-{self._answers}"

    # Spans

    def _open(self, name: str, parent: str, scope: str, attributes: dict[str, Any]) -> str:
        self._time += self.random.randint(1, 5_000)
        span_id = f"{len(self.spans) + 1:016x}"
        self.spans.append(
            Span(
                self.trace_id,
                span_id,
                parent,
                name,
                self._time,
                self._time,
                failed=False,
                attributes=attributes,
                dropped_attributes=0,
                scope=scope,
                service=SERVICE,
            )
        )
        return span_id

    def _close(self, span_id: str, **added: Any) -> None:
        self._time += self.random.randint(1, 20_000)
        index = int(span_id, 16) - 1
        span = self.spans[index]
        named = {name.replace("__", "."): value for name, value in added.items()}
        self.spans[index] = replace(span, end=self._time, attributes={**span.attributes, **named})

    def _span(self, name: str, parent: str, scope: str, attributes: dict[str, Any]) -> str:
        span_id = self._open(name, parent, scope, attributes)
        self._close(span_id)
        return span_id

    def _turns(self) -> Iterator[int]:
        yield from range(self.random.randint(1, 3))

    def _tool(self, parent: str, scope: str, attributes: dict[str, Any], depth: int) -> None:
        """A tool, which may ask another agent."""
        tool = self._open("tool", parent, scope, attributes)
        if depth < 2 and self.random.random() < 0.4:
            self._agent(tool, depth + 1)
        elif self.random.random() < 0.2:
            self._embedding(tool)
        self._close(tool)

    def _embedding(self, parent: str) -> None:
        self._in_embedding(parent, self.random.randint(1, 500))

    def _in_embedding(self, parent: str, tokens: int) -> None:
        agent = self._agent_above(parent)
        self.calls.append(TrueCall(agent, Counts(tokens, 0, 0, 0)))
        self._span(
            "embeddings text-embedding-3-small",
            parent,
            "Helpdesk.AI",
            {
                "gen_ai.operation.name": "embeddings",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "text-embedding-3-small",
                "gen_ai.usage.input_tokens": tokens,
            },
        )

    def _agent_above(self, span_id: str) -> str:
        while span_id:
            span = self.spans[int(span_id, 16) - 1]
            for name in ("gen_ai.agent.name", "ai.telemetry.metadata.agent", "graph.node.id"):
                if name in span.attributes:
                    return str(span.attributes[name])
            if span.attributes.get("langfuse.observation.type") == "agent":
                return span.name
            span_id = span.parent_id
        return SERVICE

    # Shapes of libraries

    def _agents_ai(self, parent: str, agent: str, depth: int, *, orchestrated: bool = False) -> None:
        run = self._open(f"invoke_agent {agent}", parent, "Helpdesk.Agents", _named("invoke_agent", agent))
        inner = self._open("orchestrate_tools", run, "Helpdesk.Agents", {}) if orchestrated else run
        total, answer = NO_COUNTS, ""
        for turn in self._turns():
            if turn:
                self._tool(inner, "Helpdesk.Agents", _TOOL, depth)
            counts, answer = self._called(agent), self._answer()
            total = total.plus(counts)
            self._span("chat", inner, "Helpdesk.Agents", _chat(counts, answer))
        if orchestrated:
            self._close(inner, **_input_and_output(total))
        self._close(run, **{**_chat(total, answer), "gen_ai.operation.name": "invoke_agent"})

    def _agents_ai_with_orchestration(self, parent: str, agent: str, depth: int) -> None:
        self._agents_ai(parent, agent, depth, orchestrated=True)

    def _agent_alone(self, parent: str, agent: str, depth: int) -> None:
        """Only the agent is instrumented: its sum is all there is."""
        run = self._open(f"invoke_agent {agent}", parent, "Helpdesk.Agents", _named("invoke_agent", agent))
        total = NO_COUNTS
        for turn in self._turns():
            if turn:
                self._tool(run, "Helpdesk.Agents", _TOOL, depth)
            total = total.plus(self._counts())
        self.sums.append(TrueCall(agent, total))
        self._close(run, **{**_chat(total, self._answer()), "gen_ai.operation.name": "invoke_agent"})

    def _ai_sdk_6(self, parent: str, agent: str, depth: int, *, stream: bool = False) -> None:
        name, call_name = ("ai.streamText", "doStream") if stream else ("ai.generateText", "doGenerate")
        common = {"ai.telemetry.metadata.agent": agent, "ai.model.provider": "openai.chat", "ai.model.id": MODEL}
        run = self._open(name, parent, "ai", {"ai.operationId": name, **common})
        total = NO_COUNTS
        for _ in self._turns():
            counts = self._called(agent)
            total = total.plus(counts)
            said = {"ai.operationId": f"{name}.{call_name}", **common, **_of_ai_sdk(counts, self._answer())}
            call = self._open(f"{name}.{call_name}", run, "ai", said)
            if not stream:
                self._close(call)
            tool = {"ai.operationId": "ai.toolCall", "ai.telemetry.functionId": "answer"}
            self._tool(call if stream else run, "ai", {**tool, "ai.telemetry.metadata.agent": agent}, depth)
            if stream:
                self._close(call)
        self._close(run, **_of_ai_sdk(total, None))

    def _ai_sdk_6_stream(self, parent: str, agent: str, depth: int) -> None:
        self._ai_sdk_6(parent, agent, depth, stream=True)

    def _ai_sdk_7(self, parent: str, agent: str, depth: int) -> None:
        run = self._open("invoke_agent", parent, "gen_ai", _named("invoke_agent", agent))
        total = NO_COUNTS
        for _ in self._turns():
            step = self._open("step", run, "gen_ai", {"gen_ai.operation.name": "agent_step"})
            counts = self._called(agent)
            total = total.plus(counts)
            self._span("chat", step, "gen_ai", _chat(counts, self._answer()))
            self._tool(step, "gen_ai", _TOOL, depth)
            self._close(step)
        self._close(run, **{**_chat(total, None), "gen_ai.operation.name": "invoke_agent"})

    def _adk(self, parent: str, agent: str, depth: int) -> None:
        """Tools lie below the call that asked for them, and other agents too."""
        scope = "gcp.vertex.agent"
        outer = self._open("invocation", parent, scope, {})
        run = self._open(f"invoke_agent {agent}", outer, scope, _named("invoke_agent", agent))
        for _ in self._turns():
            counts = self._called(agent)
            answer = {
                "usageMetadata": {
                    "promptTokenCount": counts.input,
                    "cachedContentTokenCount": counts.cached,
                    "candidatesTokenCount": counts.output - counts.reasoning,
                    "thoughtsTokenCount": counts.reasoning,
                }
            }
            said = {
                "gen_ai.system": scope,
                "gen_ai.request.model": "gemini-2.5-pro",
                "gen_ai.agent.name": agent,
                "gen_ai.usage.input_tokens": counts.input,
                "gen_ai.usage.output_tokens": counts.output - counts.reasoning,
                "gcp.vertex.agent.llm_response": json.dumps(answer),
            }
            call = self._open("call_llm", run, scope, said)
            self._tool(call, scope, _TOOL, depth)
            if depth < 2 and self.random.random() < 0.2:
                self._agent(call, depth + 1)
            self._close(call)
        self._close(run)
        self._close(outer)

    def _openai_agents(self, parent: str, agent: str, depth: int) -> None:
        scope, kind = "@arizeai/openinference-instrumentation-openai-agents", "openinference.span.kind"
        run = self._open(agent, parent, scope, {kind: "AGENT", "graph.node.id": agent})
        for _ in self._turns():
            turn = self._open("turn", run, scope, {kind: "CHAIN"})
            self._span("response", turn, scope, {kind: "LLM", **_of_openinference(self._called(agent), MODEL)})
            self._tool(turn, scope, {kind: "TOOL"}, depth)
            self._close(turn)
        self._close(run)

    def _langfuse(self, parent: str, agent: str, depth: int) -> None:
        scope, kind = "langfuse-sdk", "langfuse.observation.type"
        run = self._open(agent, parent, scope, {kind: "agent"})
        for turn in self._turns():
            if turn:
                self._tool(run, scope, {kind: "tool"}, depth)
            counts = self._called(agent)
            usage = {
                "input": counts.input - counts.cached,
                "input_cached_tokens": counts.cached,
                "output": counts.output - counts.reasoning,
                "output_reasoning_tokens": counts.reasoning,
                "total": counts.input + counts.output,
            }
            said = {kind: "generation", "langfuse.observation.model.name": MODEL}
            self._span("answer", run, scope, {**said, "langfuse.observation.usage_details": json.dumps(usage)})
        self._close(run)

    def _mastra(self, parent: str, agent: str, depth: int) -> None:
        scope = "@mastra/otel-exporter"
        run = self._open(f"invoke_agent {agent}", parent, scope, _named("invoke_agent", agent))
        generation = self._open("model_generation", run, scope, {"gen_ai.operation.name": "model_generation"})
        for _ in self._turns():
            step = self._open("agent_step", generation, scope, {"gen_ai.operation.name": "agent_step"})
            call = self._open("chat", step, scope, {**_chat(self._called(agent), None), "gen_ai.agent.name": agent})
            self._span("model_chunk", call, scope, {"gen_ai.operation.name": "model_chunk"})
            self._tool(step, scope, _TOOL, depth)
            self._close(call)
            self._close(step)
        self._close(generation)
        self._close(run)

    def _wrapped_anthropic(self, parent: str, agent: str, depth: int) -> None:
        """A wrapper without an id around the SDK's own span."""
        run = self._open(f"invoke_agent {agent}", parent, "app", _named("invoke_agent", agent))
        scope, kind = "@arizeai/openinference-instrumentation-anthropic", "openinference.span.kind"
        for turn in self._turns():
            if turn:
                self._tool(run, "app", _TOOL, depth)
            counts = self._called(agent)
            outer = self._open("messages", run, scope, {kind: "LLM", **_of_openinference(counts, "claude-sonnet-4-5")})
            said = {**_chat(counts, self._answer()), "gen_ai.provider.name": "anthropic"}
            said |= {"gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.response.model": "claude-sonnet-4-5-20250929"}
            self._span("anthropic.messages.create", outer, "com.anthropic.sdk.typescript", said)
            self._close(outer)
        self._close(run)

    def _instrumented_twice(self, parent: str, agent: str, depth: int) -> None:
        """A client's span around the SDK's, which knows less; around them a sum without a model."""
        run = self._open(f"invoke_agent {agent}", parent, "app", _named("invoke_agent", agent))
        loop = self._open("orchestrate_tools", run, "Helpdesk.AI", {})
        total = NO_COUNTS
        for turn in self._turns():
            if turn:
                self._tool(loop, "Helpdesk.AI", _TOOL, depth)
            counts, answer = self._called(agent), self._answer()
            total = total.plus(counts)
            outer = self._open("chat", loop, "Helpdesk.AI", _chat(counts, answer))
            less = {k: v for k, v in _chat(counts, answer).items() if "cache" not in k and "reasoning" not in k}
            self._span("chat", outer, "OpenAI.ChatClient", less)
            self._close(outer)
        self._close(loop, **_input_and_output(total))
        self._close(run)

    def _sum_as_chat(self, parent: str, agent: str, depth: int) -> None:
        """A plain `chat` that is the sum of the calls below it, under the id of the last."""
        run = self._open(f"invoke_agent {agent}", parent, "app", _named("invoke_agent", agent))
        outer = self._open("chat", run, "Helpdesk.AI", {})
        total, answer = NO_COUNTS, ""
        for turn in self._turns():
            if turn:
                self._tool(outer, "Helpdesk.AI", _TOOL, depth)
            counts, answer = self._called(agent), self._answer()
            total = total.plus(counts)
            self._span("chat", outer, "Helpdesk.AI", _chat(counts, answer))
            if self.random.random() < 0.2:
                self._embedding(outer)
        self._close(outer, **_chat(total, answer))
        self._close(run)


_TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_order"}


def _named(operation: str, agent: str) -> dict[str, Any]:
    return {"gen_ai.operation.name": operation, "gen_ai.agent.name": agent}


def _input_and_output(counts: Counts) -> dict[str, Any]:
    return {"gen_ai.usage.input_tokens": counts.input, "gen_ai.usage.output_tokens": counts.output}


def _chat(counts: Counts, answer: str | None) -> dict[str, Any]:
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": ANSWERED,
        "gen_ai.usage.cache_read.input_tokens": counts.cached,
        "gen_ai.usage.reasoning.output_tokens": counts.reasoning,
        **_input_and_output(counts),
    }
    return said if answer is None else {**said, "gen_ai.response.id": answer}


def _of_ai_sdk(counts: Counts, answer: str | None) -> dict[str, Any]:
    said = {
        "ai.usage.inputTokens": counts.input,
        "ai.usage.inputTokenDetails.noCacheTokens": counts.input - counts.cached,
        "ai.usage.inputTokenDetails.cacheReadTokens": counts.cached,
        "ai.usage.outputTokens": counts.output,
        "ai.usage.outputTokenDetails.reasoningTokens": counts.reasoning,
    }
    return said if answer is None else {**said, "ai.response.id": answer, "gen_ai.response.id": answer}


def _of_openinference(counts: Counts, model: str) -> dict[str, Any]:
    return {
        "llm.model_name": model,
        "llm.token_count.prompt": counts.input,
        "llm.token_count.prompt_details.cache_read": counts.cached,
        "llm.token_count.completion": counts.output,
        "llm.token_count.completion_details.reasoning": counts.reasoning,
    }


def random_trace(seed: int, *, only_with_calls: bool = False) -> RandomTrace:
    random = Random(seed)
    return RandomTrace(random, f"{random.getrandbits(127) + 1:032x}", only_with_calls).grow()


def cut_by_end(trace: RandomTrace, random: Random) -> list[list[Span]]:
    """The requests of an exporter that flushes now and then: spans as they ended."""
    spans = sorted(trace.spans, key=lambda span: span.end)
    requests = []
    while spans:
        size = random.randint(1, 8)
        requests.append(spans[:size])
        spans = spans[size:]
    return requests
