"""Events as they are delivered: signed, when a test says, as often and in the order that it says."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from tests.doubles.servers.stripe.refusals import Json


@dataclass(frozen=True)
class Delivery:
    body: bytes
    signature: str
    """The header `Stripe-Signature`."""


def delivery(event: Json, secrets: Sequence[str], at: int) -> Delivery:
    """Signed with each of the secrets, as while one is replaced by another."""
    body = json.dumps(event, indent=2).encode()
    signatures = ",".join(f"v1={signature(body, secret, at)}" for secret in secrets)
    return Delivery(body, f"t={at},{signatures}")


def signature(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


class Webhooks:
    """What waits to be delivered to the endpoints of one mode."""

    def __init__(self, endpoints: dict[str, Json]) -> None:
        self._endpoints = endpoints
        self.waiting: list[Json] = []

    def on_event(self, event: Json) -> None:
        self.waiting.append(event)

    async def deliver(self, events: Sequence[Json], at: int) -> list[int]:
        """Each event to each endpoint that wants it. Returns what they answered; what got a 2xx waits no more."""
        answers: list[int] = []
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
            for event in events:
                answers += await self._deliver(session, event, at)
        return answers

    async def _deliver(self, session: aiohttp.ClientSession, event: Json, at: int) -> list[int]:
        answers: list[int] = []
        for endpoint in self._endpoints.values():
            if not {"*", event["type"]} & set(endpoint["enabled_events"]):
                continue
            sent = delivery(event, [endpoint["secret"]], at)
            headers = {"Stripe-Signature": sent.signature, "Content-Type": "application/json; charset=utf-8"}
            try:
                async with session.post(endpoint["url"], data=sent.body, headers=headers) as answer:
                    answers.append(answer.status)
            except (aiohttp.ClientError, TimeoutError):
                answers.append(0)
        if all(200 <= status < 300 for status in answers):
            self.waiting = [each for each in self.waiting if each["id"] != event["id"]]
        return answers
