"""Nothing opens with a key, and everybody has only the roles they need."""

import pytest

from tests.infra.refusals import Refusal
from tools.infra.snapshots import SHAPES, Resource, Snapshot, changed, copied, dropped, is_expression, snapshot

ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"
ROLE = "Microsoft.Authorization/roleAssignments"
DATA_ROLE = f"{ACCOUNT}/sqlRoleAssignments"
OPERATOR = "33333333-3333-3333-3333-333333333333"

FUNCTIONS_ROLES = {
    "Microsoft.Storage/storageAccounts b7e6dc6d-f1e8-4753-8033-0f276bb0955b",  # Storage Blob Data Owner
    "Microsoft.Storage/storageAccounts 0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",  # Storage Table Data Contributor
    "Microsoft.ServiceBus/namespaces 090c5cfd-751d-490a-894a-3ce6f1109419",  # Azure Service Bus Data Owner
    "Microsoft.Insights/components 3913510d-42f4-4e42-8a64-420c390055eb",  # Monitoring Metrics Publisher
    "Microsoft.KeyVault/vaults 4633458b-17de-408a-b874-0445c86b69e6",  # Key Vault Secrets User
    "Microsoft.DocumentDB/databaseAccounts 00000000-0000-0000-0000-000000000002",  # Cosmos DB Data Contributor
}
MAIL_ROLES = {"Microsoft.Communication/communicationServices 09976791-48a7-449e-bb21-39d1a415f350"}
"""Communication and Email Service Owner, where mail goes by that service: no smaller role may send."""
PACKAGE_ROLES = {"Microsoft.Storage/storageAccounts ba92f5b4-2d11-453d-a403-e96b0029c9fe"}
"""Storage Blob Data Contributor: as this identity the platform stores the package and fetches it."""
OPERATOR_ROLES = {
    "Microsoft.KeyVault/vaults b86a8fe4-44ce-4948-aee5-eccb2c155cd7",  # Key Vault Secrets Officer
    "Microsoft.DocumentDB/databaseAccounts 00000000-0000-0000-0000-000000000002",
}
"""What the first-run step and rotation need."""


def check_no_keys(deployment: Snapshot) -> None:
    """Whoever wants in is known to Entra ID and has a role."""
    for account in deployment.of("Microsoft.Storage/storageAccounts"):
        assert account.properties["allowSharedKeyAccess"] is False
    assert deployment.one(ACCOUNT).properties["disableLocalAuth"] is True
    assert deployment.one("Microsoft.ServiceBus/namespaces").properties["disableLocalAuth"] is True
    assert deployment.one("Microsoft.Insights/components").properties["DisableLocalAuth"] is True
    for service in deployment.of("Microsoft.Communication/communicationServices"):
        assert service.properties["disableLocalAuth"] is True
    vault = deployment.one("Microsoft.KeyVault/vaults").properties
    assert vault["enableRbacAuthorization"] is True
    assert vault["enablePurgeProtection"] is True
    channels = deployment.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {channel.name: channel.properties["allow"] for channel in channels} == {"ftp": False, "scm": False}


def check_roles(deployment: Snapshot) -> None:
    """Check the roles of the functions, of their package's identity and of the operator.

    The identities are known to Azure only when it has made them; the operator's id is a parameter.
    """
    granted: dict[str, list[str]] = {"functions": [], "package": [], OPERATOR: []}
    for assignment in (*deployment.of(ROLE), *deployment.of(DATA_ROLE)):
        principal = assignment.properties["principalId"]
        granted[_identity(principal) if is_expression(principal) else principal].append(_role(assignment))
    mail_roles = MAIL_ROLES if deployment.app_settings["XYRA_MAIL"] == "azure" else set()
    assert sorted(granted["functions"]) == sorted(FUNCTIONS_ROLES | mail_roles)
    assert sorted(granted["package"]) == sorted(PACKAGE_ROLES)
    grants = deployment.outputs["OPERATOR_PRINCIPAL_ID"] == OPERATOR
    assert sorted(granted[OPERATOR]) == (sorted(OPERATOR_ROLES) if grants else [])


def _identity(principal: str) -> str:
    return "package" if "/id-package-" in principal else "functions"


def check_package(deployment: Snapshot) -> None:
    """The package has an account of its own, on which only its identity has a role."""
    storage = deployment.one("Microsoft.Web/sites").properties["functionAppConfig"]["deployment"]["storage"]
    assert "/id-package-" in storage["authentication"]["userAssignedIdentityResourceId"]
    host, package = sorted(deployment.of("Microsoft.Storage/storageAccounts"), key=lambda each: "pkg" in each.name)
    assert package.id in storage["value"]
    for account, identity in ((host, "functions"), (package, "package")):
        roles = [each for each in deployment.of(ROLE) if f"{account.id}'" in each.id]
        assert {_identity(each.properties["principalId"]) for each in roles} == {identity}


def _role(assignment: Resource) -> str:
    scope = ACCOUNT if assignment.type == DATA_ROLE else assignment.scope
    return f"{scope} {assignment.properties['roleDefinitionId'].rpartition('/')[2]}"


RECORDED = {
    ACCOUNT: "ControlPlaneRequests",
    "Microsoft.ServiceBus/namespaces": "OperationalLogs",
    "Microsoft.KeyVault/vaults": "audit",
}
"""Changes of settings, and every use of a secret."""

DATA_PLANE = {"DataPlaneRequests", "RuntimeAuditLogs", "StorageRead", "StorageWrite", "StorageDelete"}


def recorded(deployment: Snapshot) -> set[tuple[str, str]]:
    return {
        (setting.scope, log.get("category") or log["categoryGroup"])
        for setting in deployment.of("Microsoft.Insights/diagnosticSettings")
        for log in setting.properties["logs"]
        if log["enabled"]
    }


def check_changes_are_recorded(deployment: Snapshot) -> None:
    assert set(RECORDED.items()) <= recorded(deployment)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("check", [check_no_keys, check_roles, check_package, check_changes_are_recorded])
def test_every_snapshot_gives_the_access_that_is_needed(check, shape):
    check(snapshot(shape))


SECRETS_OFFICER = "/roleDefinitions/b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
AUDIT = "Microsoft.Insights/diagnosticSettings audit"
PACKAGE = "properties/functionAppConfig/deployment/storage"
REFUSED = {
    "changes that nobody records": Refusal(
        check_changes_are_recorded, changed(AUDIT, "properties/logs/0/enabled", value=False)
    ),
    "a dropped role": Refusal(check_roles, dropped(DATA_ROLE)),
    "an added role": Refusal(check_roles, copied(ROLE, "properties/roleDefinitionId", SECRETS_OFFICER)),
    "a role for somebody else": Refusal(check_roles, changed(ROLE, "properties/principalId", "somebody")),
    "the operator's roles for the functions": Refusal(
        check_roles, changed(DATA_ROLE, "properties/principalId", "[reference('id').principalId]")
    ),
    "another role for data": Refusal(
        check_roles, changed(DATA_ROLE, "properties/roleDefinitionId", "/00000000-0000-0000-0000-000000000001")
    ),
    "a package in the host's account": Refusal(
        check_package,
        changed("Microsoft.Web/sites", f"{PACKAGE}/value", "https://xyra.blob.core.windows.net/deployments"),
    ),
    "a package fetched as the functions": Refusal(
        check_package,
        changed("Microsoft.Web/sites", f"{PACKAGE}/authentication/userAssignedIdentityResourceId", "/id-xyra"),
    ),
    "roles of the functions on the package": Refusal(
        check_package, changed(ROLE, "properties/principalId", "[reference('id-xyra').principalId]")
    ),
    "keys of storage": Refusal(
        check_no_keys,
        changed("Microsoft.Storage/storageAccounts", "properties/allowSharedKeyAccess", value=True),
    ),
    "keys of the store": Refusal(check_no_keys, changed(ACCOUNT, "properties/disableLocalAuth", value=False)),
    "keys of the mail service": Refusal(
        check_no_keys,
        changed("Microsoft.Communication/communicationServices", "properties/disableLocalAuth", value=False),
    ),
    "keys of the broker": Refusal(
        check_no_keys, changed("Microsoft.ServiceBus/namespaces", "properties/disableLocalAuth", value=False)
    ),
    "telemetry without a token": Refusal(
        check_no_keys, changed("Microsoft.Insights/components", "properties/DisableLocalAuth", value=False)
    ),
    "access policies of the vault": Refusal(
        check_no_keys, changed("Microsoft.KeyVault/vaults", "properties/enableRbacAuthorization", value=False)
    ),
    "a vault that can be purged": Refusal(
        check_no_keys, dropped("Microsoft.KeyVault/vaults", "properties/enablePurgeProtection")
    ),
    "deployment with a password": Refusal(
        check_no_keys, changed("basicPublishingCredentialsPolicies scm", "properties/allow", value=True)
    ),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_other_access_is_refused(refused: str):
    REFUSED[refused].is_shown()


@pytest.mark.parametrize(("shape", "holds"), [("default", True), ("private-large", False)])
def test_the_operator_has_roles_only_where_that_is_chosen(shape: str, holds: bool):
    assignments = [*snapshot(shape).of(ROLE), *snapshot(shape).of(DATA_ROLE)]
    assert (OPERATOR in {each.properties["principalId"] for each in assignments}) is holds


def test_requests_to_data_are_recorded_only_where_that_is_chosen():
    assert {category for _, category in recorded(snapshot("default"))} & DATA_PLANE == set()
    assert {category for _, category in recorded(snapshot("private-large"))} >= DATA_PLANE


@pytest.mark.parametrize(("shape", "scopes"), [("default", []), ("private-large", [ACCOUNT])])
def test_the_store_is_kept_from_deletion_only_where_that_is_chosen(shape: str, scopes: list[str]):
    assert [each.scope for each in snapshot(shape).of("Microsoft.Authorization/locks")] == scopes
