#!/bin/sh
# The first-run step, run by azd after each deployment (azure.yaml), with the outputs of main.bicep as variables. Safe to repeat.
set -eu
cd "$(dirname "$0")/../.."

if [ "${PRIVATE_NETWORKING:-false}" = true ]; then
    echo "Private networking: run 'python -m cli setup' from inside the network (docs/deployment.md)."
    exit 0
fi

if [ "${GRANT_OPERATOR:-true}" = false ]; then
    echo "GRANT_OPERATOR is false: whoever deploys may not write secrets, so the first-run step is skipped."
    exit 0
fi

test -x .venv/bin/python || "${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check ".[cli]"
exec .venv/bin/python -m cli setup --patience 600
