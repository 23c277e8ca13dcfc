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
from tools.infra.snapshots import INFRA, SHAPES, read, snapshot

Template = dict[str, Any]

pytestmark = pytest.mark.skipif("XYRA_BICEP" not in os.environ, reason="no Bicep compiler: make infra-check")


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(os.environ["XYRA_BICEP"])


@pytest.fixture
def infra(tmp_path: Path) -> Path:
    """A copy of `infra/` to edit."""
    return Path(shutil.copytree(INFRA, tmp_path / "infra"))


def replace(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text, f"{file.name} does not contain {before!r}"
    file.write_text(text.replace(before, after))


def badly_formatted(compiler: Compiler, infra: Path) -> list[str]:
    """The files that `bicep format` would change."""
    files = [path for path in infra.rglob("*") if path.suffix in {".bicep", ".bicepparam"}]
    before = {path: path.read_text() for path in files}
    for suffix in ("bicep", "bicepparam"):
        compiler.run("format", "--pattern", str(infra / "**" / f"*.{suffix}"))
    return [path.name for path in files if path.read_text() != before[path]]


def test_every_file_is_as_the_compiler_formats_it(compiler: Compiler, infra: Path):
    assert badly_formatted(compiler, infra) == []


def test_another_format_is_refused(compiler: Compiler, infra: Path):
    replace(infra / "modules" / "identity.bicep", "  location: location", "    location: location")
    assert badly_formatted(compiler, infra) == ["identity.bicep"]


def validate(compiler: Compiler, infra: Path, shape: str) -> None:
    parameters = infra / "snapshots" / f"{shape}.bicepparam"
    compiler.run("snapshot", parameters, "--mode", "validate", *PLACEHOLDERS)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_compiler_makes_the_committed_snapshot_without_a_warning(compiler: Compiler, shape: str):
    validate(compiler, INFRA, shape)


def test_a_stale_snapshot_is_refused(compiler: Compiler, infra: Path):
    replace(infra / "modules" / "service-bus.bicep", "maxDeliveryCount: 100", "maxDeliveryCount: 10")
    with pytest.raises(CompilerError, match="maxDeliveryCount"):
        validate(compiler, infra, "default")


def check_outputs(template: Template, _: Path) -> None:
    for shape in SHAPES:
        assert set(snapshot(shape).outputs) == set(template["outputs"])


def check_defaults_of_azd(template: Template, infra: Path) -> None:
    """Check what it gives: needed parameters, and some others with their own defaults."""
    given = json.loads((infra / "main.parameters.json").read_text())["parameters"]
    parameters = template["parameters"]
    assert {name for name, declared in parameters.items() if "defaultValue" not in declared} <= set(given)
    for name, entry in given.items():
        default = parameters[name].get("defaultValue", "")
        fallback = entry["value"].removesuffix("}").partition("=")[2]
        assert fallback == (str(default).lower() if isinstance(default, bool) else str(default)), name


def check_order(template: Template, _: Path) -> None:
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


def resources(template: Template) -> Iterator[dict[str, Any]]:
    """Those of a template and of its modules."""
    declared = template["resources"]
    for resource in declared.values() if isinstance(declared, dict) else declared:
        yield resource
        if resource["type"] == "Microsoft.Resources/deployments":
            yield from resources(resource["properties"]["template"])


@pytest.mark.parametrize("check", [check_outputs, check_defaults_of_azd, check_order])
def test_the_template_holds_what_snapshots_leave_out(check, compiler: Compiler):
    check(compiler.template(INFRA / "main.bicep"), INFRA)


COSMOS_DB = "modules/cosmos-db.bicep"
ONE = "@batchSize(1)\n"


@pytest.mark.parametrize(
    ("check", "edit"),
    [
        pytest.param(check_outputs, ("main.bicep", "output AZURE_LOCATION", "output LOCATION"), id="another output"),
        pytest.param(check_defaults_of_azd, ("main.bicep", "int = 1000", "int = 2000"), id="another default"),
        pytest.param(
            check_defaults_of_azd, ("main.parameters.json", '"location"', '"region"'), id="a parameter not given"
        ),
        pytest.param(check_order, (COSMOS_DB, f"{ONE}resource tables", "resource tables"), id="containers at once"),
        pytest.param(check_order, (COSMOS_DB, f"{ONE}resource access", "resource access"), id="roles at once"),
        pytest.param(check_order, (COSMOS_DB, "    dependsOn: [tables]\n", ""), id="roles before containers"),
        pytest.param(check_order, ("main.bicep", f"{ONE}module", "module"), id="endpoints at once"),
        pytest.param(
            check_order, ("main.bicep", "  dependsOn: [privateEndpoints]\n", ""), id="the app before endpoints"
        ),
    ],
)
def test_another_template_is_refused(check, compiler: Compiler, infra: Path, edit: tuple[str, str, str]):
    file, before, after = edit
    replace(infra / file, before, after)
    template = compiler.template(infra / "main.bicep")
    with pytest.raises((AssertionError, KeyError)):
        check(template, infra)


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
        ({"alertEmail": ""}, "monthlyBudget needs alertEmail, and budgetStart"),
        ({"budgetStart": "2026-12-15"}, "monthlyBudget needs alertEmail, and budgetStart"),
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
