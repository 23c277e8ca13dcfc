"""The hosts that the SDK talks to."""

from datetime import UTC, datetime

import pytest

from tests.doubles.clients.hosts import (  # noqa: F401  fixtures
    TimeMachine,
    new_process,
    shared_host,
    small_host,
    time_machine,
    travelling_host,
    travelling_hosts,
    xyra,
)
from tests.doubles.clients.xyra_client import Xyra


@pytest.fixture
async def host(time_machine: TimeMachine) -> Xyra:  # noqa: F811  the fixture
    """At the time of this machine's clock, which the SDK reads."""
    await time_machine.at(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return time_machine.xyra
