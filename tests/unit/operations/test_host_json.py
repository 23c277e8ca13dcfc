"""host.json says what the code relies on."""

import json
from datetime import timedelta

from shared.services.storage.retrying import LONGEST_WORK
from tests.places import ROOT

HOST = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
CUT_BY_THE_FRONT_END = timedelta(seconds=230)


def time_span(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def test_sessions_are_served_side_by_side_and_left_soon_and_locks_are_renewed() -> None:
    assert HOST["extensions"]["serviceBus"] == {
        "prefetchCount": 0,
        "autoCompleteMessages": True,
        "maxConcurrentCalls": 8,
        "maxConcurrentSessions": 64,
        "sessionIdleTimeout": "00:00:01",
        "maxAutoLockRenewalDuration": "00:05:00",
    }


def test_work_ends_itself_before_the_platform_ends_it() -> None:
    assert LONGEST_WORK + timedelta(seconds=15) < CUT_BY_THE_FRONT_END
    assert LONGEST_WORK + timedelta(seconds=15) < time_span(HOST["functionTimeout"])
    assert time_span(HOST["functionTimeout"]) < time_span(
        HOST["extensions"]["serviceBus"]["maxAutoLockRenewalDuration"]
    )


def test_what_is_logged_is_never_sampled_away() -> None:
    assert HOST["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"] == "Exception;Request;Trace"
