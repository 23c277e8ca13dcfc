"""Accepting a whole batch of events leaves others their turn."""

import asyncio
from contextlib import suppress

import pytest

from shared import turns
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.worlds.rated_organization import AGENTS, ORGANIZATION, Scene

EVENTS = 1_000


async def test_others_get_their_turn_within_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0)
    scene = Scene()
    await scene.set_up()
    events = [
        ReportedEvent(number, f"e{number}", "command", AGENTS[0], "api", None, None, {"quantity": 1}, ORGANIZATION)
        for number in range(EVENTS)
    ]
    rounds = 0

    async def other() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    acceptance = await scene.host.events.accept(events, partial=False)
    beside.cancel()
    with suppress(asyncio.CancelledError):
        await beside
    assert len(acceptance.accepted) == EVENTS
    assert rounds >= EVENTS
