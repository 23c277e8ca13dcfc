"""docs/architecture.md leads to files and names that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
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
