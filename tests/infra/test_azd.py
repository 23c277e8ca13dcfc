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


def test_azd_runs_the_first_run_step_after_a_deployment():
    (hooks,) = yaml.safe_load((ROOT / "azure.yaml").read_text())["hooks"].items()
    name, systems = hooks
    assert name == "postdeploy"
    assert {system: hook["shell"] for system, hook in systems.items()} == {"posix": "sh", "windows": "pwsh"}
    assert all(hook["interactive"] for hook in systems.values()), "what is printed stays in sight"
    for hook in systems.values():
        assert "-m cli setup --patience" in (ROOT / hook["run"]).read_text()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The script, in a project whose Python writes down what it is called with."""
    script = tmp_path / "infra" / "hooks" / "setup.sh"
    script.parent.mkdir(parents=True)
    script.write_text((INFRA / "hooks" / "setup.sh").read_text())
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PWD: $*" >> calls\ntest "$2" != "$FAILS"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "code", "calls"),
    [
        ({}, 0, ["-m pip install --quiet --disable-pip-version-check .[cli]", "-m cli setup --patience 600"]),
        ({"FAILS": "pip"}, 1, ["-m pip install --quiet --disable-pip-version-check .[cli]"]),
        (
            {"FAILS": "cli"},
            1,
            ["-m pip install --quiet --disable-pip-version-check .[cli]", "-m cli setup --patience 600"],
        ),
        ({"PRIVATE_NETWORKING": "true"}, 0, []),
    ],
)
def test_the_script_installs_and_runs_the_first_run_step(
    project: Path, settings: dict[str, str], code: int, calls: list[str]
):
    ran = subprocess.run(
        ["/bin/sh", "infra/hooks/setup.sh"], cwd=project, env={"PATH": os.environ["PATH"], **settings}, check=False
    )
    assert ran.returncode == code
    made = project / "calls"
    assert (made.read_text().splitlines() if made.exists() else []) == [f"{project}: {call}" for call in calls]


def test_the_emulators_listen_on_this_machine_only():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
