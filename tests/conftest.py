"""The order of long tests, and the time that each area took.

Examples of Hypothesis have no deadline.
"""

from collections import defaultdict

import hypothesis
import pytest

hypothesis.settings.register_profile("no deadline", deadline=None)  # a busy machine takes its time
hypothesis.settings.load_profile("no deadline")

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
    """Put long tests first.

    So no worker is left alone with one at the end.
    """
    items.sort(key=lambda item: item.path.name not in LONG)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the number and seconds of tests of each area.

    Seconds are added up over all workers, setting up included.
    """
    tests: dict[str, int] = defaultdict(int)
    seconds: dict[str, float] = defaultdict(float)
    for report in [report for reports in terminalreporter.stats.values() for report in reports]:
        if isinstance(report, pytest.TestReport):
            area = report.nodeid.partition("::")[0].rpartition("/")[0].removeprefix("tests/")
            tests[area] += report.when == "call"
            seconds[area] += report.duration
    if not tests:
        return
    terminalreporter.section("seconds by area")
    for area in sorted(seconds):
        terminalreporter.write_line(f"{area:24}{tests[area]:6} tests {seconds[area]:8.1f} s")
    terminalreporter.write_line(f"{'all':24}{sum(tests.values()):6} tests {sum(seconds.values()):8.1f} s")
