"""What `.funcignore` leaves in the package that is deployed: the app, and nothing that lies about beside it."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

from tests.places import ROOT

APP = {"function_app.py", "functions", "host.json", "requirements.txt", "shared"}
LICENSE = "LICENSE"
PACKED = {".py", ".json", ".gz", ".css", ".html", ".js", ".txt", ".typ", ".ttf", ".otf"}
DEPENDENCIES = ".python_packages"

LEFT_BY_TOOLS = (
    ".azure/production/.env",
    ".git/config",
    ".infra-check/bin/python",
    ".venv/bin/python",
    ".xyra/secrets.json",
    "build/bdist.linux-x86_64/wheel",
    "env/bin/python",
    "functions/__pycache__/usage.cpython-313.pyc",
    "local.settings.json",
    "node_modules/package/index.js",
    "venv/bin/python",
    "xyra.egg-info/PKG-INFO",
)
"""Files that running, testing and setting up leave in the project."""


def packed(project: Path) -> Iterator[Path]:
    """The files of the package, relative to the project."""
    ignored = GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())

    def under(directory: Path) -> Iterator[Path]:
        for entry in sorted(directory.iterdir()):
            path = entry.relative_to(project)
            if ignored.match_file(f"{path.as_posix()}/" if entry.is_dir() else path.as_posix()):
                continue
            if entry.is_dir():
                yield from under(entry)
            else:
                yield path

    yield from under(project)


def test_the_package_is_the_app():
    files = [file for file in packed(ROOT) if file.parts[0] != DEPENDENCIES]
    assert {file.parts[0] for file in files} == APP | {LICENSE}
    code = {file for file in files if file.parts[0] in {"functions", "shared"}}
    assert {file.suffix for file in code} == PACKED
    assert {file.parts[:3] for file in code if file.suffix == ".gz"} == {("shared", "http", "assets")}
    assert {file.parts[:2] for file in code if file.suffix in PACKED - {".py", ".js", ".gz"}} == {
        ("shared", "templates")
    }


@pytest.mark.parametrize("file", LEFT_BY_TOOLS)
def test_what_tools_leave_in_the_project_is_not_packed(tmp_path: Path, file: str):
    app = tmp_path / "function_app.py"
    app.touch()
    left = tmp_path / file
    left.parent.mkdir(parents=True, exist_ok=True)
    left.touch()
    assert list(packed(tmp_path)) == [app.relative_to(tmp_path)]


def test_dependencies_that_were_installed_here_are_packed(tmp_path: Path):
    """By tools/build_package, where the platform must not build."""
    packages = tmp_path / ".python_packages" / "lib" / "site-packages"
    modules = [packages / "pydantic" / "main.py", packages / "typeid" / "cli" / "__init__.py"]
    for module in modules:
        module.parent.mkdir(parents=True)
        module.touch()
    assert list(packed(tmp_path)) == [module.relative_to(tmp_path) for module in modules]


def test_the_package_is_enough_for_the_platform_to_find_the_functions(tmp_path: Path):
    for file in (file for file in packed(ROOT) if file.parts[0] != DEPENDENCIES):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    script = "import function_app; print(function_app.__file__, len(function_app.app.get_functions()))"
    found = subprocess.run(  # noqa: S603  our own package
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    place, _, functions = found.stdout.strip().rpartition(" ")
    assert Path(place) == tmp_path / "function_app.py", found.stderr
    assert int(functions) > 0
