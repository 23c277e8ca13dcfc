"""A web server on this machine that hands out a price list."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


def price_list(input_price: str, model: str = "gpt-5", **more: Any) -> list[dict[str, Any]]:
    """A list with one model of OpenAI."""
    prices = {"input_mtok": float(input_price), "output_mtok": 20.5, **more}
    listed = {"id": model, "match": {"equals": model}, "prices": prices}
    provider = {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "https://api\\.openai\\.com",
        "model_match": {"starts_with": "gpt-"},
        "models": [listed],
    }
    return [provider]


class PriceListServer:
    """What it answers can be changed at any time."""

    def __init__(self) -> None:
        self.content = json.dumps(price_list("9.25")).encode()
        self.status = 200
        self.headers: dict[str, str] = {}
        self.requests = 0
        self.url = ""

    def offer(self, content: object) -> None:
        self.content = json.dumps(content).encode()

    async def answer(self, _: web.Request) -> web.Response:
        self.requests += 1
        return web.Response(body=self.content, status=self.status, headers=self.headers)

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["PriceListServer"]:
        server = cls()
        app = web.Application()
        app.router.add_get("/list.json", server.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        server.url = f"http://127.0.0.1:{port}/list.json"
        try:
            yield server
        finally:
            await runner.cleanup()
