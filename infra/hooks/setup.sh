#!/bin/sh
# Run by azd after each deployment (azure.yaml), with the outputs of main.bicep as variables: the first-run step, then a wait until
# the app answers. Safe to repeat.
set -eu
cd "$(dirname "$0")/../.."

test -x .venv/bin/python || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check ".[cli]"

if [ "${PRIVATE_NETWORKING:-false}" = true ]; then
    echo "Private networking: run 'python -m cli setup' from inside the network (docs/deployment.md)."
elif [ "${GRANT_OPERATOR:-true}" = false ]; then
    echo "GRANT_OPERATOR is false: whoever deploys may not write secrets, so the first-run step is skipped."
else
    .venv/bin/python -m cli setup --patience 600
fi
exec .venv/bin/python -m cli health "$SERVICE_API_URI" --patience 300
