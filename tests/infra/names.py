"""What Azure accepts as the names of resources."""

import re

from tools.infra.snapshots import Snapshot

NAMES = {
    "Microsoft.Communication/communicationServices": "[A-Za-z0-9-]{1,63}",
    "Microsoft.Communication/emailServices": "[A-Za-z0-9-]{1,63}",
    "Microsoft.DocumentDB/databaseAccounts": "[a-z0-9][a-z0-9-]{1,42}[a-z0-9]",
    "Microsoft.Insights/actionGroups": "[A-Za-z0-9._()-]{1,260}",
    "Microsoft.KeyVault/vaults": "[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}",
    "Microsoft.Network/virtualNetworks": "[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}[a-zA-Z0-9_]",
    "Microsoft.OperationalInsights/workspaces": "[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]",
    "Microsoft.Resources/resourceGroups": r"[a-z0-9._()-]{0,89}[a-z0-9_()-]",
    "Microsoft.ServiceBus/namespaces": "[a-zA-Z][a-zA-Z0-9-]{4,48}[a-zA-Z0-9]",
    "Microsoft.Storage/storageAccounts": "[a-z0-9]{3,24}",
    "Microsoft.Web/serverfarms": "[a-zA-Z0-9-]{1,60}",
    "Microsoft.Web/sites": "[a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9]",
}
"""Lengths and characters: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules."""


def check_names(deployment: Snapshot) -> None:
    judged = [each for each in deployment.resources if each.type in NAMES]
    assert judged
    for resource in judged:
        assert re.fullmatch(NAMES[resource.type], resource.name), resource.name
