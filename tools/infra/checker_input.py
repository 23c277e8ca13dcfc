"""Gives checkov and azure-functions-doctor what the snapshots say, in the forms that they read.

Checkov reads a template of each deployment, fully evaluated. The doctor takes settings from local.settings.json and
resources from JSON, beside a copy of the app; without them it would not see one setting of the deployment.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tools.infra.snapshots import SHAPES, snapshot

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def main(directory: str) -> None:
    for shape in SHAPES:
        template = {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": _resources(shape)}
        _write(Path(directory, "templates", f"{shape}.json"), template)
    settings = {"IsEncrypted": False, "Values": snapshot("default").app_settings}
    _write(Path(directory, "app", "local.settings.json"), settings)
    _write(Path(directory, "app", "resources.json"), {"resources": _resources("default")})


def _resources(shape: str) -> list[dict[str, Any]]:
    return [{"type": each.type, "apiVersion": each.api_version, **each.body} for each in snapshot(shape).resources]


def _write(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content, indent=2))


if __name__ == "__main__":
    main(*sys.argv[1:])
