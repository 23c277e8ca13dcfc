"""The app's functions as the platform indexes them, and the groups that scale them."""

import json
import subprocess
import sys
from functools import cache
from typing import Any

from tools.infra.snapshots import ROOT

_LIST = """
import json
import function_app
named = {each.get_function_name(): each.get_raw_bindings() for each in function_app.app.get_functions()}
print(json.dumps({name: [json.loads(binding) for binding in bindings] for name, bindings in named.items()}))
"""


@cache
def triggers() -> dict[str, dict[str, Any]]:
    """The trigger of each function, by the function's name."""
    # Another process: an app tells its functions once only.
    listed = subprocess.run([sys.executable, "-c", _LIST], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    functions: dict[str, list[dict[str, Any]]] = json.loads(listed.stdout)
    return {
        name: next(binding for binding in bindings if binding["type"].endswith("Trigger"))
        for name, bindings in functions.items()
    }


def queue_triggers() -> dict[str, dict[str, Any]]:
    return {name: trigger for name, trigger in triggers().items() if trigger["type"] == "serviceBusTrigger"}


def scale_groups() -> set[str]:
    """As Flex Consumption names them: all HTTP functions together, every other function alone."""
    return {"http" if trigger["type"] == "httpTrigger" else f"function:{name}" for name, trigger in triggers().items()}
