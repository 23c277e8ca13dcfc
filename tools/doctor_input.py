"""Gives a copy of the app what `infra/` sets and provisions, in the forms that azure-functions-doctor reads.

The doctor takes settings from local.settings.json and resources from JSON; of Bicep it reads single words. Without this
it would not see one setting of the deployment, and skip what it knows about the plan, the runtime and the package.
"""

import json
import sys
from pathlib import Path

from tools.bicep import Unknown, Value, provisioned
from tools.bicep_schema import MAIN, NEEDED


def main(directory: str) -> int:
    resources = provisioned(MAIN, NEEDED)
    (app,) = (each for each in resources if each.type == "Microsoft.Web/sites")
    settings = {each["name"]: each["value"] for each in app.properties["siteConfig"]["appSettings"]}
    _write(Path(directory) / "local.settings.json", {"IsEncrypted": False, "Values": settings})
    _write(Path(directory) / "resources.json", {"resources": [{"type": each.type, **each.body} for each in resources]})
    return 0


def _write(file: Path, content: Value) -> None:
    file.write_text(json.dumps(content, default=_stand_in, indent=2))


def _stand_in(value: Unknown) -> str:
    """For what only Azure knows: the expression that stands for it in the Bicep."""
    return value.text


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
