"""The committed snapshots are those of the committed Bicep, and what they name Azure accepts."""

import re
import subprocess

import pytest

from tests.infra.names import check_names
from tests.infra.refusals import Refusal
from tests.places import ROOT
from tools.infra.snapshots import SHAPES, SOURCES, changed, is_expression, snapshot, sources


def test_the_snapshots_are_of_this_bicep():
    assert SOURCES.read_text() == sources(), "infra/ was changed: make infra-snapshots"


@pytest.mark.parametrize("shape", SHAPES)
def test_all_names_are_accepted(shape: str):
    check_names(snapshot(shape))


REFUSED = {
    "a name too long": Refusal(check_names, changed("Microsoft.KeyVault/vaults", "name", f"kv-{'x' * 22}")),
    "a name with a character too many": Refusal(
        check_names, changed("Microsoft.Storage/storageAccounts", "name", "xyra-storage")
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_other_names_are_refused(refused: str):
    REFUSED[refused].is_shown()


def test_an_edit_that_changes_nothing_is_an_error():
    with pytest.raises(ValueError, match="changes nothing"):
        snapshot("default", changed("Microsoft.KeyVault/vaults", "properties/enablePurgeProtection", value=True))


def test_no_output_of_a_deployment_is_secret():
    secret = re.compile("secret|key|password|token|connection", re.IGNORECASE)
    harmless = {"XYRA_SECRETS", "XYRA_KEY_VAULT_URL", "XYRA_ACCESS_TOKEN_MINUTES"}
    assert {name for name in snapshot("default").outputs if secret.search(name)} == harmless


def test_the_first_run_step_is_given_the_settings_of_the_functions():
    deployment = snapshot("default")
    given = {name: value for name, value in deployment.outputs.items() if name.startswith("XYRA_")}
    connecting = {
        "ENVIRONMENT",
        "STORE",
        "COSMOS_ENDPOINT",
        "COSMOS_DATABASE",
        "QUEUE",
        "SERVICE_BUS_NAMESPACE",
        "SECRETS",
        "KEY_VAULT_URL",
        "PUBLIC_URL",
        "MAIL",
        "MAIL_SENDER",
        "EMAIL_ENDPOINT",
        "SMTP_HOST",
        "ACCESS_TOKEN_MINUTES",
    }
    assert set(given) == {f"XYRA_{name}" for name in connecting}
    assert given == {name: deployment.app_settings[name] for name in given}


def test_an_expression_is_what_only_azure_knows():
    deployment = snapshot("default")
    assert is_expression(deployment.app_settings["XYRA_COSMOS_ENDPOINT"])
    assert not is_expression(deployment.app_settings["XYRA_STORE"])


@pytest.mark.parametrize("target", ["infra-check", "infra-snapshots"])
def test_without_a_compiler_the_target_says_how_to_get_one(target: str):
    command = ["make", target, "BICEP=no-such-compiler"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own Makefile
    assert made.returncode != 0
    assert "https://aka.ms/bicep-install" in made.stdout
