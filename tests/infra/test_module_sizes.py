"""A module that one can hold in mind has at most 350 lines."""

from tests.places import ROOT

PACKAGES = ("shared", "functions", "local", "cli", "clients/python/src", "clients/python/tests")
GENERATED = ("clients/python/src/xyra/models/", "clients/python/src/xyra/resources/")
"""Nobody has to hold these in mind: `tools/sdk` writes them."""
MAXIMUM_LINES = 350


def test_no_module_is_longer():
    modules = [module for package in PACKAGES for module in (ROOT / package).rglob("*.py")]
    lines = {module.relative_to(ROOT).as_posix(): len(module.read_text().splitlines()) for module in modules}
    too_long = {module for module, count in lines.items() if count > MAXIMUM_LINES}
    assert {module for module in too_long if not module.startswith(GENERATED)} == set()
