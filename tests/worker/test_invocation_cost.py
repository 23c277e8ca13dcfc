"""What one message an invocation costs in the platform's own worker; -s shows the figures."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.services.usage.reported_event import ReportedEvent
from tests.places import ROOT
from tests.worker.test_worker_xyra import delivered, set_up

Worker = Callable[..., dict[str, Any]]

SAMPLE_APP = ROOT / "tests" / "doubles" / "worlds" / "sample_app"
MESSAGES = 60
EVENTS = 64
"""Of a full message."""


async def test_an_invocation_costs_little_beside_its_metering(worker: Worker, tmp_path: Path) -> None:
    data = await set_up(tmp_path / "data")
    data.sent.waiting.clear()
    for number in range(MESSAGES):
        await data.application.events.accept(
            [event(number, index, data.organization_id) for index in range(EVENTS)], partial=False
        )
    messages = [delivered(message) for message in data.sent.waiting["usage"]]
    metering = worker(ROOT, *invocations("rate_usage", messages), environment={"XYRA_DATA_DIR": str(tmp_path / "data")})
    assert await data.usage() == [("commands", str(MESSAGES * EVENTS))]
    sample = {"SAMPLE_RECORD": str(tmp_path / "record"), "SAMPLE_SCHEDULE": "0 0 9 * * *"}
    nearly_nothing = worker(SAMPLE_APP, *invocations("take_one", messages), environment=sample)
    of_metering, of_worker = milliseconds(metering), milliseconds(nearly_nothing)
    print(f"{EVENTS} events: {of_metering:.1f} ms an invocation; one that does nearly nothing: {of_worker:.2f} ms")  # noqa: T201  figures
    assert of_worker < of_metering


def event(number: int, index: int, organization_id: str) -> ReportedEvent:
    data = {"quantity": "1"}
    return ReportedEvent(index, f"{number}-{index}", "command", "coder", "api", None, None, data, organization_id)


def invocations(function: str, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"function": function, "message": message} for message in messages]


def milliseconds(answer: dict[str, Any]) -> float:
    """The median."""
    assert {each["failure"] for each in answer["results"]} == {None}
    return statistics.median(each["seconds"] for each in answer["results"]) * 1000
