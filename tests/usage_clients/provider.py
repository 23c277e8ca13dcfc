"""A provider that answers as OpenAI does, with usage that is known, and what it charges for it."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Json = dict[str, Any]

MODEL = "gpt-5"
RATES: Mapping[str, tuple[Decimal, Decimal, Decimal]] = {
    "default": (Decimal("1.25"), Decimal("0.125"), Decimal(10)),
    "flex": (Decimal("0.625"), Decimal("0.0625"), Decimal(5)),
    "priority": (Decimal("2.50"), Decimal("0.25"), Decimal(20)),
}
"""US dollars for a million tokens of input, cached input and output, by service tier."""
SHORTEST_CACHED = 1024
"""Tokens of a prompt from which on OpenAI caches."""


@dataclass(frozen=True)
class Usage:
    """What one call uses. Cached and written tokens are inside the input, reasoning is inside the output."""

    input: int
    cached: int
    written: int
    output: int
    reasoning: int
    tier: str

    @property
    def cost(self) -> Decimal:
        """In US dollars. The model has no price for writing, so written tokens cost what input costs."""
        return self.cost_at(self.tier, self.cached)

    def cost_at(self, tier: str, cached: int) -> Decimal:
        """What the call would cost at another tier, or with other tokens cached."""
        input_rate, cached_rate, output_rate = RATES[tier]
        total = (self.input - cached) * input_rate + cached * cached_rate + self.output * output_rate
        return total / 1_000_000

    @property
    def chat(self) -> Json:
        return {
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
            "prompt_tokens_details": {"cached_tokens": self.cached, "cache_write_tokens": self.written},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }

    @property
    def responses(self) -> Json:
        return {
            "input_tokens": self.input,
            "output_tokens": self.output,
            "total_tokens": self.input + self.output,
            "input_tokens_details": {"cached_tokens": self.cached},
            "output_tokens_details": {"reasoning_tokens": self.reasoning},
        }


def random_usages(number: int, seed: str) -> dict[str, Usage]:
    """Of so many calls, by the text that is asked. Half of them have nothing cached."""
    chance = random.Random(seed)
    usages: dict[str, Usage] = {}
    for index in range(number):
        tokens, output = chance.randint(1, 100_000), chance.randint(1, 10_000)
        has_cached = tokens >= SHORTEST_CACHED and index % 2
        cached = chance.randint(1, tokens) if has_cached else 0
        written = chance.randint(0, tokens - cached)
        tier = chance.choice(sorted(RATES))
        usages[f"call-{index}"] = Usage(tokens, cached, written, output, chance.randint(0, output), tier)
    return usages


@asynccontextmanager
async def provider_of(usages: Mapping[str, Usage]) -> AsyncIterator[str]:
    """The URL of a provider that answers each text with its usage."""

    async def chat(request: web.Request) -> web.Response:
        asked = (await request.json())["messages"][0]["content"]
        usage = usages[asked]
        message = {"role": "assistant", "content": "yes", "refusal": None}
        answer = {
            "id": f"chatcmpl-{asked}",
            "object": "chat.completion",
            "created": 1793620800,
            "model": MODEL,
            "service_tier": usage.tier,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message, "logprobs": None}],
            "usage": usage.chat,
        }
        return web.json_response(answer)

    async def responses(request: web.Request) -> web.Response:
        asked = (await request.json())["input"][0]["content"][0]["text"]
        usage = usages[asked]
        text = {"type": "output_text", "text": "yes", "annotations": []}
        answer = {
            "id": f"resp_{asked}",
            "object": "response",
            "created_at": 1793620800,
            "status": "completed",
            "model": MODEL,
            "service_tier": usage.tier,
            "incomplete_details": None,
            "error": None,
            "output": [{"id": f"msg_{asked}", "type": "message", "role": "assistant", "content": [text]}],
            "usage": usage.responses,
        }
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/v1/responses", responses)
    async with TestServer(app) as server:
        yield str(server.make_url("/v1"))
