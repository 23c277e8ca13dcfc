"""Each contract of import-linter breaks when a forbidden import is planted.

It is planted in a copy of the tree.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.places import ROOT

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
PACKAGES = ("shared", "functions", "local", "cli")

BROKEN = re.compile(r"(.*) BROKEN(?: \(\d+ ignored imports?\))?")
"""A line about a contract, which says as well how many imports it lets pass."""

LAYERS = "Imports go down only"
SERVICES = "Areas of services, from high to low"
DOMAIN = "Areas of the domain, from high to low"
ENTRYPOINTS = "No entrypoint imports another area's"
SDKS = "The domain knows no SDK"
HOST = "The local host knows no billing"


@dataclass(frozen=True)
class Plant:
    """An import in a new module of the package, and the contract it breaks."""

    package: str
    statement: str
    contract: str


PLANTS = [
    Plant("shared/domain/kernel", "import shared.ports.clock", LAYERS),
    Plant("shared/ports", "import shared.services.usage.events", LAYERS),
    Plant("shared/services/usage", "import shared.bootstrap", LAYERS),
    Plant("shared/services/usage", "import shared.adapters.sqlite.queue", LAYERS),
    Plant("shared/adapters/sqlite", "import shared.services.usage.events", LAYERS),
    Plant("shared/adapters/sqlite", "import shared.http", LAYERS),
    Plant("shared/http", "import functions.usage.events", LAYERS),
    Plant("functions/usage", "import local.host", LAYERS),
    Plant("cli", "import functions.usage.events", LAYERS),
    Plant("shared/services/storage", "import shared.services.tenancy.organizations", SERVICES),
    Plant("shared/services/usage", "import shared.services.billing.facts", SERVICES),
    Plant("shared/services/runs", "import shared.services.billing.facts", SERVICES),
    Plant("shared/services/brand_new_area", "", SERVICES),
    Plant("shared/domain/kernel", "import shared.domain.periods.periods", DOMAIN),
    Plant("shared/domain/metering", "import shared.domain.pricing.lines", DOMAIN),
    Plant("shared/domain/access", "import shared.domain.tenancy.organizations", DOMAIN),
    Plant("shared/domain/brand_new_area", "", DOMAIN),
    Plant("functions/billing", "import functions.usage.events", ENTRYPOINTS),
    Plant("functions/access", "from functions import operations", ENTRYPOINTS),
    Plant("shared/domain/kernel", "import azure.functions", SDKS),
    Plant("shared/ports", "import aiohttp", SDKS),
    Plant("shared/services/storage", "import sqlite3", SDKS),
    Plant("local/host", "import shared.settings", HOST),
    Plant("local/host", "import function_app", HOST),
]


def broken_contracts(tree: Path) -> set[str]:
    """The names that `lint-imports` calls broken; none where it ends with 0."""
    command = [LINT_IMPORTS, "--no-logo", "--cache-dir", str(tree.parent / "cache")]
    ended = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)  # noqa: S603  our own tree
    broken = {found[1] for line in ended.stdout.splitlines() if (found := BROKEN.fullmatch(line))}
    assert (ended.returncode == 0) == (not broken), ended.stdout + ended.stderr
    return broken


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and of the contracts."""
    copy = tmp_path_factory.mktemp("imports") / "tree"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.gz", "data"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: f"{plant.package}: {plant.statement or 'a new area'}")
def test_a_forbidden_import_breaks_its_contract(tree: Path, plant: Plant):
    package = tree / plant.package
    is_new = not package.exists()
    package.mkdir(exist_ok=True)
    planted = package / ("__init__.py" if is_new else "planted.py")
    planted.write_text(f"{plant.statement}\n")
    try:
        assert plant.contract in broken_contracts(tree)
    finally:
        shutil.rmtree(package) if is_new else planted.unlink()


def test_as_it_is_no_contract_is_broken(tree: Path):
    assert broken_contracts(tree) == set()


def test_every_contract_is_tried():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["name"] for contract in contracts} == {plant.contract for plant in PLANTS}
