"""Long tests begin first, whatever the order of the others, so that no worker is left alone with one at the end."""

import pytest

LONG = {
    "test_demo.py",
    "test_demo_on_azure_services.py",
    "test_exactly_once.py",
    "test_kill_rounds.py",
    "test_many_events.py",
    "test_outage.py",
}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)
