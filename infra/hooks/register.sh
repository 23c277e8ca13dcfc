#!/bin/sh
# Run by azd before it provisions (azure.yaml). A subnet of Flex Consumption needs the resource provider Microsoft.App,
# which no template can register; without it the deployment fails with an internal error that does not say so.
set -eu

if [ "${PRIVATE_NETWORKING:-false}" != true ]; then
    exit 0
fi

set -- az provider register --namespace Microsoft.App --wait ${AZURE_SUBSCRIPTION_ID:+--subscription "$AZURE_SUBSCRIPTION_ID"}
if ! command -v az > /dev/null || ! "$@"; then
    echo "Private networking needs the resource provider Microsoft.App. Unless the subscription has it, stop and run: $*"
fi
