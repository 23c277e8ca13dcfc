"""`python -m local`, with what its adapters keep quiet in the logs of Azure's SDKs, and without idle time in the one of
Service Bus.
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
"""By the setting that chooses an adapter: the module that quiets a log as it is imported, and that log."""

for setting, (module, log) in _QUIETED.items():
    if setting in os.environ:
        importlib.import_module(module)
        logging.getLogger(log).setLevel(logging.DEBUG)

if __name__ == "__main__":
    prompt_service_bus.make_prompt()
    sys.exit(main(*sys.argv[1:]))
