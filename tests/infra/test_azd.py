"""`azd` finds what it needs: the service, the hooks, and what the hooks run."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.places import ROOT
from tools.infra.snapshots import INFRA, snapshot


def test_azd_finds_the_function_app_it_deploys_to():
    (service,) = yaml.safe_load((ROOT / "azure.yaml").read_text())["services"].items()
    name, declared = service
    assert snapshot("default").one("Microsoft.Web/sites").body["tags"]["azd-service-name"] == name
    assert declared == {"project": ".", "language": "python", "host": "function", "remoteBuild": True}


def test_an_older_azd_is_refused():
    assert yaml.safe_load((ROOT / "azure.yaml").read_text())["requiredVersions"] == {"azd": ">= 1.23.5"}


@pytest.mark.parametrize(
    ("hook", "script", "does"),
    [
        ("preprovision", "register", "Microsoft.App"),
        ("postdeploy", "setup", "-m cli setup --patience"),
        ("postdeploy", "setup", "-m cli health"),
    ],
)
def test_azd_runs_the_hook_on_every_system(hook: str, script: str, does: str):
    systems = yaml.safe_load((ROOT / "azure.yaml").read_text())["hooks"][hook]
    assert {system: declared["shell"] for system, declared in systems.items()} == {"posix": "sh", "windows": "pwsh"}
    assert {declared["run"] for declared in systems.values()} == {
        f"infra/hooks/{script}{end}" for end in (".sh", ".ps1")
    }
    for declared in systems.values():
        assert does in (ROOT / declared["run"]).read_text()


def test_what_the_first_run_step_prints_stays_in_sight():
    systems = yaml.safe_load((ROOT / "azure.yaml").read_text())["hooks"]["postdeploy"]
    assert all(declared["interactive"] for declared in systems.values())


REGISTER = "provider register --namespace Microsoft.App --wait"


@pytest.mark.parametrize(
    ("settings", "az", "called", "told"),
    [
        ({}, "exit 0", "", False),
        ({"PRIVATE_NETWORKING": "true"}, "exit 0", REGISTER, False),
        (
            {"PRIVATE_NETWORKING": "true", "AZURE_SUBSCRIPTION_ID": "one"},
            "exit 0",
            f"{REGISTER} --subscription one",
            False,
        ),
        ({"PRIVATE_NETWORKING": "true"}, "exit 1", REGISTER, True),
        ({"PRIVATE_NETWORKING": "true"}, None, "", True),
    ],
    ids=["public", "private", "private in a named subscription", "az refuses", "no az"],
)
def test_a_private_network_has_its_provider_registered(
    tmp_path: Path, settings: dict[str, str], az: str | None, called: str, told: bool
):
    """An `az` of the test's own writes down what it is called with."""
    if az is not None:
        program = tmp_path / "az"
        program.write_text(f'#!/bin/sh\necho "$*" > "{tmp_path}/called"\n{az}\n')
        program.chmod(0o755)
    ran = subprocess.run(  # noqa: S603  our own script
        ["/bin/sh", INFRA / "hooks" / "register.sh"],
        env={"PATH": str(tmp_path), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    calls = tmp_path / "called"
    assert (calls.read_text().strip() if calls.exists() else "") == called
    assert (f"run: az {REGISTER}" in ran.stdout) is told
    assert ran.returncode == 0, "provisioning goes on"


INSTALLED = "-m pip install --quiet --disable-pip-version-check .[cli]"
SET_UP = "-m cli setup --patience 600"
ANSWERS = "-m cli health https://xyra --patience 300"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The script, in a project whose Python writes down what it is called with."""
    script = tmp_path / "infra" / "hooks" / "setup.sh"
    script.parent.mkdir(parents=True)
    script.write_text((INFRA / "hooks" / "setup.sh").read_text())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PWD: $*" >> calls\ntest "$3" != "$FAILS"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "code", "calls"),
    [
        ({}, 0, [INSTALLED, SET_UP, ANSWERS]),
        ({"FAILS": "install"}, 1, [INSTALLED]),
        ({"FAILS": "setup"}, 1, [INSTALLED, SET_UP]),
        ({"FAILS": "health"}, 1, [INSTALLED, SET_UP, ANSWERS]),
        ({"PRIVATE_NETWORKING": "true"}, 0, [INSTALLED, ANSWERS]),
        ({"GRANT_OPERATOR": "false"}, 0, [INSTALLED, ANSWERS]),
    ],
)
def test_the_script_runs_the_first_run_step_and_waits_until_the_app_answers(
    project: Path, settings: dict[str, str], code: int, calls: list[str]
):
    ran = subprocess.run(
        ["/bin/sh", "infra/hooks/setup.sh"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "SERVICE_API_URI": "https://xyra", **settings},
        check=False,
    )
    assert ran.returncode == code
    made = project / "calls"
    assert (made.read_text().splitlines() if made.exists() else []) == [f"{project}: {call}" for call in calls]


def test_the_emulators_listen_on_this_machine_only():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
