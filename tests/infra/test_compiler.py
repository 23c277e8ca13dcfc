"""What only the compiler can say about `infra/`: `make infra-check` names it, `make test` needs none."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.names import check_names
from tools.infra.compiler import PLACEHOLDERS, Compiler, CompilerError
from tools.infra.snapshots import INFRA, SHAPES, SNAPSHOTS, read, snapshot

pytestmark = pytest.mark.skipif("XYRA_BICEP" not in os.environ, reason="no Bicep compiler: make infra-check")


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(os.environ["XYRA_BICEP"])


@pytest.fixture(scope="module")
def template(compiler: Compiler) -> dict[str, Any]:
    return compiler.template(INFRA / "main.bicep")


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A copy of `infra/` to edit."""
    return Path(shutil.copytree(INFRA, tmp_path / "infra"))


def replace(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text, f"{file.name} does not contain {before!r}"
    file.write_text(text.replace(before, after))


def test_every_file_is_as_the_compiler_formats_it(compiler: Compiler, infra: Path):
    compiler.run("format", "--pattern", str(infra / "**" / "*.bicep"))
    compiler.run("format", "--pattern", str(infra / "**" / "*.bicepparam"))
    changed = [
        path.relative_to(infra).as_posix()
        for path in infra.rglob("*.bicep*")
        if path.read_text() != (INFRA / path.relative_to(infra)).read_text()
    ]
    assert changed == []


@pytest.mark.parametrize("shape", SHAPES)
def test_the_compiler_makes_the_committed_snapshot_without_a_warning(compiler: Compiler, shape: str):
    compiler.run("snapshot", SNAPSHOTS / f"{shape}.bicepparam", "--mode", "validate", *PLACEHOLDERS)


def test_the_snapshots_have_the_outputs_of_the_template(template: dict[str, Any]):
    for shape in SHAPES:
        assert set(snapshot(shape).outputs) == set(template["outputs"])


def test_azd_gives_the_parameters_that_are_needed_with_the_defaults_of_the_others(template: dict[str, Any]):
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    parameters = template["parameters"]
    assert {name for name, declared in parameters.items() if "defaultValue" not in declared} <= set(given)
    for name, entry in given.items():
        default = parameters[name].get("defaultValue", "")
        fallback = entry["value"].removesuffix("}").partition("=")[2]
        assert fallback == (str(default).lower() if isinstance(default, bool) else str(default)), name


def resources(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Those of a template and of its modules."""
    for resource in (
        template["resources"].values() if isinstance(template["resources"], dict) else template["resources"]
    ):
        yield resource
        if resource["type"] == "Microsoft.Resources/deployments":
            yield from resources(resource["properties"]["template"])


def check_order(template: dict[str, Any]) -> None:
    """Cosmos DB and storage refuse a write while another one has their lock."""
    by_type = {resource["type"]: resource for resource in resources(template)}
    containers = by_type["Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers"]
    data_roles = by_type["Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"]
    (endpoints,) = (each for each in resources(template) if each.get("copy", {}).get("name") == "privateEndpoints")
    for serial in (containers, data_roles, endpoints):
        assert (serial["copy"]["mode"], serial["copy"]["batchSize"]) == ("serial", 1)
    assert containers["copy"]["name"] in data_roles["dependsOn"]
    (app,) = (each for each in resources(template) if each.get("name") == "function-app")
    assert endpoints["copy"]["name"] in app["dependsOn"], "the app starts where it reaches its services"


def test_what_a_service_refuses_side_by_side_is_made_in_order(template: dict[str, Any]):
    check_order(template)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("modules/cosmos-db.bicep", "@batchSize(1)\nresource tables", "resource tables"),
        ("modules/cosmos-db.bicep", "@batchSize(1)\nresource access", "@batchSize(2)\nresource access"),
        ("modules/cosmos-db.bicep", "    dependsOn: [tables]\n", ""),
        ("main.bicep", "@batchSize(1)\nmodule privateEndpoints", "module privateEndpoints"),
        ("main.bicep", "  dependsOn: [privateEndpoints]\n", ""),
    ],
    ids=[
        "containers at once",
        "two roles at once",
        "roles before containers",
        "endpoints at once",
        "app before endpoints",
    ],
)
def test_another_order_is_refused(compiler: Compiler, infra: Path, file: str, before: str, after: str):
    replace(infra / file, before, after)
    with pytest.raises((AssertionError, KeyError)):
        check_order(compiler.template(infra / "main.bicep"))


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("main.bicep", "location: location", "location: locaton"),
        ("main.bicep", "    database: 'xyra'\n", ""),
        ("main.bicep", "param location string\n", "param location string\nparam idle string = ''\n"),
        ("modules/storage.bicep", "supportsHttpsTrafficOnly: true", "supportsHttpsOnly: true"),
    ],
    ids=["an undeclared name", "a parameter missing", "a parameter that nothing uses", "an unknown property"],
)
def test_an_error_or_a_warning_is_refused(compiler: Compiler, infra: Path, file: str, before: str, after: str):
    replace(infra / file, before, after)
    with pytest.raises(CompilerError):
        compiler.template(infra / "main.bicep")


def with_parameters(infra: Path, shape: str, **parameters: str | int) -> Path:
    """The parameters of a snapshot, some of them replaced."""
    file = infra / "snapshots" / f"{shape}.bicepparam"
    text = file.read_text()
    for name, value in parameters.items():
        text = re.sub(rf"^param {name} = .*\n", "", text, flags=re.MULTILINE)
        text += f"param {name} = '{value}'\n" if isinstance(value, str) else f"param {name} = {value}\n"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"environmentName": "Test"}, "The environment must be named in small letters"),
        ({"ledgersThroughput": 500}, "ledgersThroughput must be 0, for a serverless account, or at least 1000"),
        ({"ledgersThroughput": 1500}, "ledgersThroughput must be 0, for a serverless account, or at least 1000"),
        ({"containerThroughput": 1500}, "containerThroughput must be at least 1000, in steps of 1000"),
        ({"alwaysReadyHttp": 1}, "alwaysReadyHttp and alwaysReadyRating must each be 0, or 2 or more"),
        ({"alwaysReadyRating": 1}, "alwaysReadyHttp and alwaysReadyRating must each be 0, or 2 or more"),
        ({"eventRetentionDays": 89}, "eventRetentionDays must not be shorter than lateWindowDays"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_what_is_right(
    compiler: Compiler, infra: Path, parameters: dict[str, str | int], sentence: str
):
    with pytest.raises(CompilerError, match=sentence):
        compiler.snapshot(with_parameters(infra, "large", **parameters))


@pytest.mark.parametrize("length", [1, 20])
def test_names_are_accepted_for_environments_with_short_and_long_names(compiler: Compiler, infra: Path, length: int):
    check_names(read(compiler.snapshot(with_parameters(infra, "private", environmentName="x" * length))))
