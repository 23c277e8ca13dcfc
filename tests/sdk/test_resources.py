"""Resources of the SDK against a running host."""

import json
from pathlib import Path

from tests.doubles.clients.xyra_client import Xyra
from tests.sdk.running import FOLDER, environment_of, on_each_python, run


@on_each_python
async def test_resources_are_made_listed_and_changed(host: Xyra, python: Path, tmp_path: Path) -> None:
    organization = await host.organization()
    environment = environment_of(host, organization.key, tmp_path)
    printed = json.loads(await run(python, FOLDER / "use_resources.py", environment=environment))
    names = [f"sync-{number}" for number in range(5)]
    assert printed == {
        "sync": {"listed": names, "name": "Other", "accepted": 1, "stale": "precondition_failed"},
        "async": {"listed": names, "pointers": ["/external_id"]},
    }
    await host.idle()
    events = await organization.key.get("events")
    assert [(event["id"], event["type"]) for event in events["data"]] == [("1", "command")]
