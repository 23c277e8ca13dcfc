"""The hosts that these tests talk to, and the marker for `make test`."""

from pathlib import Path

import pytest

from tests.doubles.clients.hosts import (  # noqa: F401  fixtures
    new_process,
    shared_host,
    small_host,
    time_machine,
    travelling_host,
    travelling_hosts,
    xyra,
)
from tests.doubles.worlds.two_organizations import set_up_before, unchanged  # noqa: F401  fixtures

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)
