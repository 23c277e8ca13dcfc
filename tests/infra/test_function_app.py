"""The settings and the runtime of the function app in every snapshot."""

import json

import pytest

from shared.settings import Settings
from tests.infra.refusals import Refusal
from tests.places import ROOT
from tools.infra.app import queue_triggers, scale_groups
from tools.infra.snapshots import SHAPES, Snapshot, changed, dropped, is_expression, snapshot

APP = "Microsoft.Web/sites"

ONLY_LOCAL = {
    "read_lag_milliseconds": "of the store of one machine; in a deployment replicas lag by themselves",
    "queue_lock_seconds": "of the queue of one machine; in a deployment it belongs to the queue",
    "data_dir": "a deployment keeps data in Cosmos DB and secrets in Key Vault",
    "clock_file": "refused outside local",
    "outbound_allow": "refused outside local",
    "cosmos_key": "for emulators; a deployment has no keys",
    "service_bus_connection_string": "see cosmos_key",
    "log_level": "the platform collects logs, at the level of host.json",
    "port": "of the local host",
    "smtp_password": "a deployment has it in the vault; no secret stands in a setting",
    "stripe_key": "a deployment has it in the vault",
    "stripe_test_key": "a deployment has it in the vault",
    "stripe_webhook_secrets": "a deployment has them in the vault",
    "stripe_test_webhook_secrets": "a deployment has them in the vault",
    "stripe_api_base": "a double of Stripe on one machine",
    "operator_email": "the first-run step makes the operator of a deployment",
    "operator_password": "see operator_email; and no secret stands in a setting",
}
"""Fields of `Settings` that no deployment sets, and why."""

PLATFORM = {
    "AzureWebJobsDisableHomepage",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AZURE_CLIENT_ID",
}
"""Read by the platform and by azure-identity."""

CONNECTION = ("credential", "clientId", "fullyQualifiedNamespace")


def check_settings(deployment: Snapshot) -> None:
    settings = deployment.app_settings
    connections = {trigger["connection"] for trigger in queue_triggers().values()}
    platform = PLATFORM | {f"{connection}__{part}" for connection in connections for part in CONNECTION}
    read = {f"XYRA_{field.upper()}" for field in Settings.model_fields if field not in ONLY_LOCAL}
    assert set(settings) == platform | read
    assert ";Authorization=AAD" in settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]


def check_defaults(deployment: Snapshot) -> None:
    """What an operator need not choose is the same as on one machine."""
    for name, value in deployment.app_settings.items():
        field = Settings.model_fields.get(name.removeprefix("XYRA_").lower())
        if field is not None and type(field.default) is int:
            assert value == str(field.default), name


def check_runtime(deployment: Snapshot) -> None:
    app = deployment.one(APP)
    configuration = app.properties["functionAppConfig"]
    assert configuration["runtime"] == {"name": "python", "version": "3.13"}
    assert configuration["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    assert {each["name"] for each in configuration["scaleAndConcurrency"]["alwaysReady"]} <= scale_groups()
    # Settings of other plans, which this one refuses.
    assert not {"linuxFxVersion", "ftpsState", "alwaysOn", "functionAppScaleLimit"} & set(app.properties["siteConfig"])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("check", [check_settings, check_defaults, check_runtime])
def test_every_snapshot_fits_the_app(check, shape):
    check(snapshot(shape))


SETTINGS = "properties/siteConfig/appSettings"
CONFIGURATION = "properties/functionAppConfig"


def renamed(setting: str, name: str):
    position = list(snapshot("default").app_settings).index(setting)
    return changed(APP, f"{SETTINGS}/{position}/name", name)


def given(setting: str, value: str):
    position = list(snapshot("default").app_settings).index(setting)
    return changed(APP, f"{SETTINGS}/{position}/value", value)


REFUSED = {
    "a lost setting": Refusal(check_settings, dropped(APP, f"{SETTINGS}/0")),
    "a setting that nothing reads": Refusal(check_settings, renamed("XYRA_LATE_WINDOW_DAYS", "XYRA_LATE_WINDOW")),
    "a setting of one machine": Refusal(check_settings, renamed("XYRA_STORE", "XYRA_DATA_DIR")),
    "a setting that the plan refuses": Refusal(check_settings, renamed("AZURE_CLIENT_ID", "FUNCTIONS_WORKER_RUNTIME")),
    "a connection without its identity": Refusal(check_settings, renamed("ServiceBus__clientId", "ServiceBus__client")),
    "telemetry without a token": Refusal(check_settings, given("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "")),
    "another default than the code's": Refusal(check_defaults, given("XYRA_LATE_WINDOW_DAYS", "30")),
    "another Python": Refusal(check_runtime, changed(APP, f"{CONFIGURATION}/runtime/version", "3.9")),
    "a package fetched with a key": Refusal(
        check_runtime,
        changed(APP, f"{CONFIGURATION}/deployment/storage/authentication/type", "StorageAccountConnectionString"),
    ),
    "instances for a function that is not there": Refusal(
        check_runtime,
        changed(APP, f"{CONFIGURATION}/scaleAndConcurrency/alwaysReady/1/name", "function:rating"),
        shape="large",
    ),
    "a setting of other plans": Refusal(check_runtime, changed(APP, "properties/siteConfig/alwaysOn", value=True)),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_does_not_fit_is_refused(refused: str):
    REFUSED[refused].is_shown()


def test_the_guide_says_what_zones_cost():
    """The platform keeps and bills two instances for each scale group.

    A month of them is $21.02 for 2 GB.
    """
    instances = 2 * len(scale_groups())
    guide = " ".join((ROOT / "docs" / "deployment.md").read_text().split())
    assert f"{len(scale_groups())} groups, so {instances} instances: about ${instances * 21.024:.0f} a month" in guide


@pytest.mark.parametrize("shape", SHAPES)
def test_the_deployed_settings_are_accepted_by_the_code(shape: str):
    known_to_azure = {"XYRA_MAIL_SENDER": "Xyra <DoNotReply@example.com>"}
    values = {
        name.removeprefix("XYRA_").lower(): known_to_azure.get(name, "https://example.com/")
        if is_expression(value)
        else value
        for name, value in snapshot(shape).app_settings.items()
        if name.startswith("XYRA_")
    }
    assert Settings.model_validate(values).environment == "production"


def test_the_example_settings_for_the_emulators_are_read_by_the_code():
    values = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    chosen = {name.removeprefix("XYRA_").lower(): value for name, value in values.items() if name.startswith("XYRA_")}
    assert set(chosen) <= set(Settings.model_fields)
    assert Settings.model_validate(chosen).environment == "local"
    assert {trigger["connection"] for trigger in queue_triggers().values()} <= set(values)
