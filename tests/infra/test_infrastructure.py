"""What `infra/` provisions is what the code needs: containers, queues, settings, limits, roles.

Each check is also shown an edited Bicep text and must refuse it.
"""

import inspect
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.adapters.cosmos.provisioning import indexing_policy
from shared.adapters.sqlite.queue import LocalQueue
from shared.containers import CONTAINERS, PARTITION_KEY_PATH
from shared.services.storage.retrying import RETRIED_FOR
from shared.settings import Settings
from tests.infra.parsing import (
    DEAD_LETTERS,
    INFRA,
    LARGE,
    MAIN,
    NEEDED,
    PRIVATE,
    ROOT,
    Deployment,
    Edit,
    duration,
    function_names,
    function_timeout,
    stand_in,
    triggers,
)
from tools.bicep import BicepError, Template, Unknown

Check = Callable[[Deployment], None]

SHAPES = {"as it comes": {}, "private": PRIVATE, "large": LARGE, "private and large": {**PRIVATE, **LARGE}}

OPERATOR = "operator"

ONLY_LOCAL = {
    "data_dir": "a deployment keeps data in Cosmos DB and secrets in Key Vault",
    "clock_file": "refused outside local",
    "cosmos_key": "for emulators; a deployment has no keys",
    "service_bus_connection_string": "see cosmos_key",
    "log_level": "the platform collects logs, at the level of host.json",
    "operator_email": "the first-run step makes the operator of a deployment",
    "operator_password": "see operator_email; and no secret stands in a setting",
}
"""Fields of `Settings` that no deployment sets, and why."""

FUNCTIONS_PLATFORM = {
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__tableServiceUri",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "AZURE_CLIENT_ID",
}
"""Read by the platform and by azure-identity."""

ROLES = {
    ("Microsoft.Storage", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),  # Blob Data Owner
    ("Microsoft.Storage", "974c5e8b-45b9-4653-ba55-5f855dd0fb88"),  # Queue Data Contributor
    ("Microsoft.Storage", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"),  # Table Data Contributor
    ("Microsoft.ServiceBus", "090c5cfd-751d-490a-894a-3ce6f1109419"),  # Data Owner
    ("Microsoft.Insights", "3913510d-42f4-4e42-8a64-420c390055eb"),  # Monitoring Metrics Publisher
    ("Microsoft.KeyVault", "4633458b-17de-408a-b874-0445c86b69e6"),  # Secrets User
}
"""What the functions may do, by service. Cosmos DB has roles of its own."""

OPERATOR_ROLES = {("Microsoft.KeyVault", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7")}  # Secrets Officer
"""What the first-run step needs, and no more: to set secrets, and data of Cosmos DB."""

DATA_CONTRIBUTOR = "00000000-0000-0000-0000-000000000002"


def check_containers(deployment: Deployment) -> None:
    containers = deployment.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers")
    assert sorted(each.body["name"] for each in containers) == sorted(CONTAINERS)
    for each in containers:
        resource = each.properties["resource"]
        assert resource["id"] == each.body["name"]
        assert resource["partitionKey"] == {"kind": "Hash", "version": 2, "paths": [PARTITION_KEY_PATH]}
        assert resource["defaultTtl"] == -1, "items expire by their own ttl"
        assert _in_order(resource["indexingPolicy"]) == _in_order(indexing_policy(CONTAINERS[each.body["name"]]))


def _in_order(policy: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in policy.items()}


def check_one_after_the_other(deployment: Deployment) -> None:
    """Cosmos DB refuses a write to an account while another one has its lock."""
    containers = deployment.of("Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers")
    data_access = deployment.of("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments")
    assert {each.batch_size for each in (*containers, *data_access)} == {1}
    assert {each.depends_on for each in data_access} == {(containers[0].symbol,)}


def check_queues(deployment: Deployment) -> None:
    declared = {trigger.queue: trigger for trigger in triggers() if not trigger.queue.endswith(DEAD_LETTERS)}
    queues = deployment.of("Microsoft.ServiceBus/namespaces/queues")
    assert sorted(queue.body["name"] for queue in queues) == sorted(declared)
    emptied = {trigger.queue.removesuffix(DEAD_LETTERS) for trigger in triggers() if trigger.queue not in declared}
    assert emptied == set(declared), "a function looks after every dead-letter queue"
    local = inspect.signature(LocalQueue.__init__).parameters
    for queue in queues:
        properties = queue.properties
        assert properties["requiresSession"] is declared[queue.body["name"]].sessions
        assert properties["requiresDuplicateDetection"] is True
        window = duration(properties["duplicateDetectionHistoryTimeWindow"])
        assert window.total_seconds() == local["duplicate_window_seconds"].default
        assert properties["maxDeliveryCount"] == local["max_delivery_count"].default
        assert properties["deadLetteringOnMessageExpiration"] is True, "nothing accepted is ever lost"
        assert properties["enablePartitioning"] is False, "one batch carries messages of several sessions"


def check_limits(deployment: Deployment) -> None:
    """A batch is done, or given back, before its lock ends; rating waits out faults well within that."""
    for queue in deployment.of("Microsoft.ServiceBus/namespaces/queues"):
        assert function_timeout() < duration(queue.properties["lockDuration"])
        assert duration(queue.properties["defaultMessageTimeToLive"]).days >= 14
    assert function_timeout() > 2 * RETRIED_FOR


def check_settings(deployment: Deployment) -> None:
    settings = deployment.app_settings
    connections = {trigger.connection for trigger in triggers()}
    parts = ("credential", "clientId", "fullyQualifiedNamespace")
    platform = FUNCTIONS_PLATFORM | {f"{connection}__{part}" for connection in connections for part in parts}
    read = {f"XYRA_{field.upper()}" for field in Settings.model_fields if field not in ONLY_LOCAL}
    assert set(settings) == platform | read
    assert settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"].text.endswith(";Authorization=AAD")


def check_defaults(deployment: Deployment) -> None:
    """What an operator need not choose is the same as on one machine."""
    for name, value in deployment.app_settings.items():
        field = Settings.model_fields.get(name.removeprefix("XYRA_").lower())
        if field is not None and type(field.default) is int:
            assert value == str(field.default), name


def check_no_keys(deployment: Deployment) -> None:
    """Nothing can be opened with a key; whoever wants in is known to Entra ID and has a role."""
    assert deployment.one("Microsoft.Storage/storageAccounts").properties["allowSharedKeyAccess"] is False
    assert deployment.one("Microsoft.DocumentDB/databaseAccounts").properties["disableLocalAuth"] is True
    assert deployment.one("Microsoft.ServiceBus/namespaces").properties["disableLocalAuth"] is True
    assert deployment.one("Microsoft.Insights/components").properties["DisableLocalAuth"] is True
    vault = deployment.one("Microsoft.KeyVault/vaults").properties
    assert vault["enableRbacAuthorization"] is True
    assert vault["enablePurgeProtection"] is True
    channels = deployment.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {channel.body["name"]: channel.properties["allow"] for channel in channels} == {"ftp": False, "scm": False}
    for path in INFRA.rglob("*.bicep"):
        assert "listKeys" not in path.read_text()


def check_roles(deployment: Deployment) -> None:
    granted = {
        (str(each.scope_type).partition("/")[0], each.properties["roleDefinitionId"].rpartition("/")[2])
        for each in deployment.of("Microsoft.Authorization/roleAssignments")
        if isinstance(each.properties["principalId"], Unknown)  # the operator's is given
    }
    assert granted == ROLES
    data_access = deployment.of("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments")
    assert {each.properties["roleDefinitionId"].text.rpartition("/")[2] for each in data_access} == {DATA_CONTRIBUTOR}


def check_operator_roles(deployment: Deployment) -> None:
    """Where there is an operator. Its id is a parameter, unlike that of the functions."""
    granted = {
        (str(each.scope_type).partition("/")[0], each.properties["roleDefinitionId"].rpartition("/")[2])
        for each in deployment.of("Microsoft.Authorization/roleAssignments")
        if each.properties["principalId"] == OPERATOR
    }
    assert granted == OPERATOR_ROLES
    data_access = deployment.of("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments")
    assert [each.properties["principalId"] for each in data_access].count(OPERATOR) == 1


def check_runtime(deployment: Deployment) -> None:
    app = deployment.one("Microsoft.Web/sites")
    configuration = app.properties["functionAppConfig"]
    assert configuration["runtime"] == {"name": "python", "version": "3.13"}
    assert configuration["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    groups = {"http", *(f"function:{name}" for name in function_names())}
    assert {each["name"] for each in configuration["scaleAndConcurrency"]["alwaysReady"]} <= groups
    # Settings of other plans, which this one refuses.
    assert not {"linuxFxVersion", "ftpsState", "alwaysOn", "functionAppScaleLimit"} & set(app.properties["siteConfig"])


CHECKS: tuple[Check, ...] = (
    check_containers,
    check_one_after_the_other,
    check_queues,
    check_limits,
    check_settings,
    check_defaults,
    check_no_keys,
    check_roles,
    check_runtime,
)


def test_the_operator_may_do_what_the_first_run_step_needs():
    check_operator_roles(Deployment({"operatorPrincipalId": OPERATOR}))


def test_without_an_operator_nobody_but_the_functions_has_a_role():
    deployment = Deployment({"operatorPrincipalId": ""})
    assigned = [
        *deployment.of("Microsoft.Authorization/roleAssignments"),
        *deployment.of("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"),
    ]
    assert assigned
    assert all(isinstance(each.properties["principalId"], Unknown) for each in assigned)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("check", CHECKS)
def test_what_is_provisioned_is_what_the_code_needs(check: Check, shape: str):
    check(Deployment(SHAPES[shape]))


def edit(check: Check, file: str, before: str, after: str) -> Any:
    return pytest.param(check, Edit(file, before, after), id=f"{check.__name__}: {before.strip()} -> {after.strip()}")


COSMOS_DB, SERVICE_BUS, FUNCTION_APP = "cosmos-db.bicep", "service-bus.bicep", "function-app.bicep"
KEY_VAULT, STORAGE, MONITORING = "key-vault.bicep", "storage.bicep", "monitoring.bicep"


@pytest.mark.parametrize(
    ("check", "change"),
    [
        edit(check_containers, COSMOS_DB, "partitionKeyPath = '/pk'", "partitionKeyPath = '/id'"),
        edit(check_containers, COSMOS_DB, "version: 2, ", ""),
        edit(check_containers, COSMOS_DB, "'project_id', ", ""),
        edit(check_containers, COSMOS_DB, "['status', 'listed'", "['status', 'name', 'listed'"),
        edit(check_containers, COSMOS_DB, "'kind', 'due_at'", "'kind'"),
        edit(check_containers, COSMOS_DB, "ordered: ['time']", "ordered: []"),
        edit(check_containers, COSMOS_DB, "path: '/id', order: 'ascending'", "path: '/id', order: 'descending'"),
        edit(check_containers, COSMOS_DB, "excludedPaths: [{ path: '/*' }]", "excludedPaths: []"),
        edit(check_containers, COSMOS_DB, "defaultTtl: -1", "defaultTtl: 3600"),
        edit(check_containers, COSMOS_DB, "  { name: 'inbox', indexed: [], ordered: [] }\n", ""),
        edit(check_containers, COSMOS_DB, "name: 'catalog'", "name: 'catalogue'"),
        edit(check_one_after_the_other, COSMOS_DB, "@batchSize(1)\nresource tables", "resource tables"),
        edit(check_one_after_the_other, COSMOS_DB, "@batchSize(1)\nresource access", "@batchSize(2)\nresource access"),
        edit(check_one_after_the_other, COSMOS_DB, "  dependsOn: [tables]\n", ""),
        edit(check_queues, SERVICE_BUS, "requiresSession: true", "requiresSession: false"),
        edit(check_queues, SERVICE_BUS, "requiresDuplicateDetection: true", "requiresDuplicateDetection: false"),
        edit(check_queues, SERVICE_BUS, "'PT10M'", "'PT1M'"),
        edit(check_queues, SERVICE_BUS, "maxDeliveryCount: 100", "maxDeliveryCount: 10"),
        edit(check_queues, SERVICE_BUS, "MessageExpiration: true", "MessageExpiration: false"),
        edit(check_queues, SERVICE_BUS, "enablePartitioning: false", "enablePartitioning: true"),
        edit(check_queues, SERVICE_BUS, "['usage', 'invoices']", "['usage']"),
        edit(check_queues, SERVICE_BUS, "['usage', 'invoices']", "['usage', 'invoices', 'more']"),
        edit(check_limits, SERVICE_BUS, "lockDuration: 'PT5M'", "lockDuration: 'PT4M'"),
        edit(check_limits, SERVICE_BUS, "'P14D'", "'PT1H'"),
        edit(check_settings, "main.bicep", "      XYRA_QUEUE: 'service_bus'\n", ""),
        edit(check_settings, "main.bicep", "XYRA_LATE_WINDOW_DAYS", "XYRA_LATE_WINDOW"),
        edit(
            check_settings, "main.bicep", "XYRA_STORE: 'cosmos'\n", "XYRA_STORE: 'cosmos'\n      XYRA_DATA_DIR: '.'\n"
        ),
        edit(check_settings, FUNCTION_APP, "  ServiceBus__clientId: identityClientId\n", ""),
        edit(
            check_settings, FUNCTION_APP, "  AZURE_CLIENT_ID", "  FUNCTIONS_WORKER_RUNTIME: 'python'\n  AZURE_CLIENT_ID"
        ),
        edit(check_settings, FUNCTION_APP, ";Authorization=AAD", ""),
        edit(check_defaults, "main.bicep", "lateWindowDays int = 90", "lateWindowDays int = 30"),
        edit(check_no_keys, STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
        edit(check_no_keys, COSMOS_DB, "disableLocalAuth: true", "disableLocalAuth: false"),
        edit(check_no_keys, SERVICE_BUS, "disableLocalAuth: true", "disableLocalAuth: false"),
        edit(check_no_keys, MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false"),
        edit(check_no_keys, KEY_VAULT, "enableRbacAuthorization: true", "enableRbacAuthorization: false"),
        edit(check_no_keys, KEY_VAULT, "enablePurgeProtection: true", "enablePurgeProtection: false"),
        edit(check_no_keys, FUNCTION_APP, "allow: false", "allow: true"),
        edit(check_roles, KEY_VAULT, "4633458b", "4633458c"),
        edit(check_roles, STORAGE, "  '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor\n", ""),
        edit(check_roles, COSMOS_DB, "0000-000000000002", "0000-000000000001"),
        edit(check_operator_roles, KEY_VAULT, "b86a8fe4", "b86a8fe5"),
        edit(check_operator_roles, KEY_VAULT, "principalId: operatorPrincipalId", "principalId: appPrincipalId"),
        edit(check_operator_roles, COSMOS_DB, ", operatorPrincipalId]", "]"),
        edit(check_runtime, FUNCTION_APP, "version: '3.13'", "version: '3.9'"),
        edit(check_runtime, FUNCTION_APP, "function:rate_usage", "function:rating"),
    ],
)
def test_what_does_not_match_is_noticed(check: Check, change: Edit):
    changed = Deployment({**LARGE, "operatorPrincipalId": OPERATOR}, change)
    with pytest.raises((AssertionError, KeyError)):
        check(changed)


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("main.bicep", "param location string", "param location strin{", "cannot be parsed"),
        ("main.bicep", "location: location", "location: locaton", "locaton is not declared"),
        ("main.bicep", "    database: 'xyra'\n", "", "needs the parameter database"),
        ("main.bicep", "database: 'xyra'", "data: 'xyra'", "has no parameter data"),
        ("main.bicep", "storage.outputs.blobEndpoint", "storage.outputs.blob", "has no output blob"),
        ("main.bicep", "instanceMemory int = 2048", "instanceMemory int = 1024", "breaks @allowed"),
        ("main.bicep", "maximumInstances int = 100", "maximumInstances int = 10", "breaks @minValue"),
        ("main.bicep", "shardCount int = 1", "shardCount int = 'one'", "is not of type int"),
    ],
)
def test_text_that_does_not_fit_together_is_refused(file: str, before: str, after: str, message: str):
    with pytest.raises(BicepError, match=message):
        Deployment(edit=Edit(file, before, after))


def test_the_deployed_settings_are_accepted_by_the_code():
    settings = Deployment().app_settings
    values = {name.removeprefix("XYRA_").lower(): stand_in(value) for name, value in settings.items()}
    accepted = Settings.model_validate({name: values[name] for name in values if name in Settings.model_fields})
    assert accepted.environment == "production"


def test_the_first_run_step_is_given_the_settings_of_the_functions():
    outputs = Template(MAIN).declared("output")
    connecting = {
        "ENVIRONMENT",
        "STORE",
        "COSMOS_ENDPOINT",
        "COSMOS_DATABASE",
        "QUEUE",
        "SERVICE_BUS_NAMESPACE",
        "SECRETS",
        "KEY_VAULT_URL",
        "ACCESS_TOKEN_MINUTES",
    }
    assert {f"XYRA_{name}" for name in connecting} == {name for name in outputs if name.startswith("XYRA_")}
    assert {f"XYRA_{name}" for name in connecting} <= set(Deployment().app_settings)


def test_private_networking_leaves_nothing_but_the_api_open():
    deployment = Deployment(PRIVATE)
    services = ("Storage/storageAccounts", "DocumentDB/databaseAccounts", "ServiceBus/namespaces", "KeyVault/vaults")
    for service in services:
        assert deployment.one(f"Microsoft.{service}").properties["publicNetworkAccess"] == "Disabled", service
    endpoints = deployment.of("Microsoft.Network/privateEndpoints")
    groups = [each.properties["privateLinkServiceConnections"][0]["properties"]["groupIds"] for each in endpoints]
    assert sorted(groups) == [["Sql"], ["blob"], ["namespace"], ["queue"], ["table"], ["vault"]]
    assert deployment.one("Microsoft.ServiceBus/namespaces").body["sku"]["name"] == "Premium"
    assert deployment.one("Microsoft.Web/sites").properties["virtualNetworkSubnetId"]


def test_private_endpoints_are_made_one_after_the_other():
    """Storage refuses a second one while it makes the first."""
    assert Template(MAIN).batch_size("privateEndpoints") == 1


def test_a_deleted_vault_is_taken_back_only_where_that_is_asked_for():
    def mode(**parameters: bool) -> str:
        return Deployment(parameters).one("Microsoft.KeyVault/vaults").properties["createMode"]

    assert (mode(), mode(recoverKeyVault=True)) == ("default", "recover")


def test_without_private_networking_there_is_no_network():
    assert not [resource for resource in Deployment().resources if resource.type.startswith("Microsoft.Network/")]


def test_throughput_is_paid_by_request_unless_it_is_chosen():
    account = "Microsoft.DocumentDB/databaseAccounts"
    assert Deployment().one(account).properties["capabilities"] == [{"name": "EnableServerless"}]
    provisioned = Deployment({"ledgersThroughput": 20000})
    assert provisioned.one(account).properties["capabilities"] == []
    containers = provisioned.of(f"{account}/sqlDatabases/containers")
    own = {each.body["name"]: each.properties["options"] for each in containers if each.properties["options"]}
    assert own == {"ledgers": {"autoscaleSettings": {"maxThroughput": 20000}}}


def test_every_module_is_used():
    used = {resource.file for resource in Deployment({**PRIVATE, **LARGE}).resources}
    assert used == set(INFRA.rglob("*.bicep")), "a module without resources, or that nothing refers to"


def test_azd_gives_the_parameters_that_are_needed_and_no_others():
    given = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    parameters = Template(MAIN).parameters
    assert set(NEEDED) <= set(given) <= set(parameters)
    for name, entry in given.items():
        if name not in NEEDED:
            default = parameters[name].default
            assert default is not None
            fallback = entry["value"].removesuffix("}").partition("=")[2]
            assert fallback == (default.text or b"").decode().strip("'"), name


def test_azd_finds_the_function_app_it_deploys_to():
    (service,) = yaml.safe_load((ROOT / "azure.yaml").read_text())["services"].items()
    name, declared = service
    assert Deployment().one("Microsoft.Web/sites").body["tags"]["azd-service-name"] == name
    assert declared == {"project": ".", "language": "python", "host": "function", "remoteBuild": True}


def test_no_output_of_the_deployment_is_secret():
    secret = re.compile("secret|key|password|token|connection", re.IGNORECASE)
    harmless = {"XYRA_SECRETS", "XYRA_KEY_VAULT_URL", "XYRA_ACCESS_TOKEN_MINUTES"}
    assert {name for name in Template(MAIN).declared("output") if secret.search(name)} == harmless


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


def test_the_emulated_queues_are_those_of_azure():
    """But for what the emulator does not allow: more deliveries, longer windows."""
    (namespace,) = json.loads((INFRA / "emulators" / "service-bus.json").read_text())["UserConfig"]["Namespaces"]
    emulated = {queue["Name"]: queue["Properties"] for queue in namespace["Queues"]}
    real = {queue.body["name"]: queue.properties for queue in Deployment().of("Microsoft.ServiceBus/namespaces/queues")}
    assert set(emulated) == set(real)
    same = ("requiresSession", "requiresDuplicateDetection", "lockDuration", "deadLetteringOnMessageExpiration")
    for name, properties in real.items():
        for key in same:
            assert emulated[name][key[0].upper() + key[1:]] == properties[key]


def test_the_example_settings_for_the_emulators_are_read_by_the_code():
    values = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    chosen = {name.removeprefix("XYRA_").lower(): value for name, value in values.items() if name.startswith("XYRA_")}
    assert set(chosen) <= set(Settings.model_fields)
    assert Settings.model_validate(chosen).environment == "local"
    assert {trigger.connection for trigger in triggers()} <= set(values)


def test_the_emulators_listen_on_this_machine_only():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
