"""`python -m local` with all log lines of Azure's SDKs, also those that the adapters keep quiet.

The SDK of Service Bus runs without its idle time (`prompt_service_bus.py`).
"""

import importlib
import logging
import os
import sys

from local.__main__ import main
from tests.doubles.fakes import prompt_service_bus

_QUIETED = {
    "XYRA_STORE": ("shared.adapters.cosmos.account", "shared.adapters.cosmos.account.sdk"),
    "XYRA_QUEUE": ("shared.adapters.service_bus.namespace", "azure.servicebus"),
}
"""Modules that quiet a log when they are imported, with the log, by the setting that chooses them."""

for setting, (module, log) in _QUIETED.items():
    if setting in os.environ:
        importlib.import_module(module)
        logging.getLogger(log).setLevel(logging.DEBUG)

if __name__ == "__main__":
    prompt_service_bus.make_prompt()
    sys.exit(main(*sys.argv[1:]))
