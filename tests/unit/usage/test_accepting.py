"""Accepting a whole batch of events leaves others their turn."""

import asyncio
from contextlib import suppress

from shared.services.usage.events import ReportedEvent
from tests.doubles.worlds.rated_organization import AGENTS, ORGANIZATION, Scene

EVENTS = 1_000


async def test_others_get_their_turn_within_a_batch() -> None:
    scene = Scene()
    await scene.set_up()
    events = [
        ReportedEvent(number, f"e{number}", "command", AGENTS[0], "api", None, None, {"quantity": 1}, ORGANIZATION)
        for number in range(EVENTS)
    ]
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    acceptance = await scene.host.events.accept(events, partial=False)
    beside.cancel()
    with suppress(asyncio.CancelledError):
        await beside
    assert len(acceptance.accepted) == EVENTS
    assert turns >= EVENTS / 20
