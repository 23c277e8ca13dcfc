"""A module that one can hold in mind has at most 350 lines."""

from tests.places import ROOT

PACKAGES = ("shared", "functions", "local", "cli")
MAXIMUM_LINES = 350

LONGER = {
    "functions/billing/summaries.py": "being split",
    "shared/adapters/sqlite/queue.py": "being split",
    "shared/domain/metering/meters.py": "being split",
    "shared/services/agents/agents.py": "being split",
}
"""Modules that are longer, each with the reason why its parts stay together."""


def test_only_modules_with_a_reason_are_longer():
    modules = [module for package in PACKAGES for module in (ROOT / package).rglob("*.py")]
    lines = {module.relative_to(ROOT).as_posix(): len(module.read_text().splitlines()) for module in modules}
    assert {module for module, count in lines.items() if count > MAXIMUM_LINES} <= set(LONGER)
