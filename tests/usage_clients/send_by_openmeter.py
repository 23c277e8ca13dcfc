"""Reports usage by OpenMeter's SDK: one CloudEvent made by the `cloudevents` package, then a list.

Runs in the clients' environment: `send_by_openmeter.py BASE_URL TOKEN`. Prints the status of the one that is refused.
"""

import json
import sys

from azure.core.exceptions import HttpResponseError
from cloudevents.conversion import to_dict
from cloudevents.http import CloudEvent
from openmeter import Client


def event(number: int, event_type: str = "command") -> dict:
    attributes = {"id": f"call-{number}", "source": "shop", "type": event_type, "subject": "coder"}
    return to_dict(CloudEvent(attributes, {"quantity": number}))


def main(base_url: str, token: str) -> None:
    client = Client(endpoint=f"{base_url}/openmeter", headers={"Authorization": f"Bearer {token}"})
    client.ingest_events(event(1))
    client.ingest_events([event(2), event(3), event(1)])
    try:
        client.ingest_events([event(4), event(5, "no type!")])
    except HttpResponseError as error:
        print(json.dumps(error.status_code))


if __name__ == "__main__":
    main(*sys.argv[1:])
