"""docs/architecture.md leads to files and names that are there, and docstrings to sections of docs/billing.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SECTION = re.compile(r'docs/billing\.md,\s+"([^"]+)"')
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CODE = [path for folder in ("functions", "shared", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]


def test_every_module_that_it_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", PAGE))
    assert {"rating/rating.py"} < {"/".join(name.split("/")[-2:]) for name in named}
    missing = {name for name in named if not any(str(path).endswith(f"/{name}") for path in CODE)}
    assert not missing


def test_every_name_that_it_mentions_is_in_the_code() -> None:
    named = {name for name in re.findall(r"`([A-Za-z_]+)", PAGE) if "_" in name or re.search(r"[a-z][A-Z]", name)}
    assert {"rate_usage", "cycle_of", "MeteredCharge"} < named
    code = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    assert not {name for name in named if name not in code}


def test_every_section_that_a_docstring_names_is_on_the_page_about_billing() -> None:
    page = (ROOT / "docs" / "billing.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^#+ (.+)$", page, re.MULTILINE))
    named = {name for path in CODE for name in SECTION.findall(path.read_text(encoding="utf-8"))}
    assert {"Days", "Quantities"} < named
    assert named <= sections
